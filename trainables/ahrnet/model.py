"""AHRNet (section 2.1 of the paper): HRNet, dual and scale attention, and a small decoder."""

from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lesions.errors import InputError
from trainables.ahrnet.attention import DualAttention, ScaleAttention
from trainables.backbones import BackboneConfig, backbone
from trainables.blocks import ConvBNReLU, DeconvBNReLU, resize, start_masks
from trainables.configs import check_range

STRIDES = (4, 8, 16, 32)
# HRNet's own branches, without the stem's map and without the classifier's wider ones.
BRANCHES = {"feature_location": "", "out_indices": (1, 2, 3, 4)}
MOST_FEATURES = 1024
LESION_SHARE = 0.15  # of a view's pixels, about: where masks start


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """AHRNet's structure; the defaults are the paper's, all switches off is Table 2's baseline.

    Attributes:
        backbone: an HRNet.
        decoder: DE, three outputs up to full size; without it one, up-sampled from a quarter.
        dual_attention: DA, position and channel attention on each scale's features.
        scale_attention: SA, a weight for each channel of all scales' features.
        features: channels of the decoder, 1024 at most.
    """

    backbone: BackboneConfig = field(default_factory=lambda: BackboneConfig(name="hrnet_w32"))
    decoder: bool = True
    dual_attention: bool = True
    scale_attention: bool = True
    features: int = 32

    def __post_init__(self) -> None:
        """InputError for what no network can be."""
        check_range("features", self.features, 1, MOST_FEATURES)
        if not self.backbone.name.startswith("hrnet_"):
            raise InputError(
                f"AHRNet's backbone is {self.backbone.name}; it must be an HRNet",
                remedy="try hrnet_w32, or hrnet_w18_small",
            )


class BaselineHead(nn.Module):
    """The paper's baseline: one mask at a quarter, up-sampled to full size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mask_heads = nn.ModuleList([nn.Conv2d(channels, 1, 1)])
        # HRNet's features are not normalised: larger random weights would drown the bias.
        nn.init.normal_(cast("Tensor", self.mask_heads[0].weight), std=0.001)

    def forward(self, features: Tensor) -> list[Tensor]:
        """One map of logits (N, 1, H, W) from `features` (N, channels, H/4, W/4)."""
        (head,) = self.mask_heads
        mask = head(features)
        return [F.interpolate(mask, scale_factor=STRIDES[0], mode="bilinear", align_corners=False)]


class Decoder(nn.Module):
    """DE: masks at a quarter, half and full size; each finer scale sees the one before's."""

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            [
                ConvBNReLU(channels, features),
                *(
                    nn.Sequential(
                        DeconvBNReLU(features + 1, features), ConvBNReLU(features, features)
                    )
                    for _ in range(2)
                ),
            ]
        )
        self.mask_heads = nn.ModuleList([nn.Conv2d(features, 1, 1) for _ in self.scales])

    def forward(self, features: Tensor) -> list[Tensor]:
        """Logits p1, p2, p3 from `features` (N, channels, H/4, W/4)."""
        masks: list[Tensor] = []
        for scale, head in zip(self.scales, self.mask_heads, strict=True):
            if masks:
                features = torch.cat([features, torch.sigmoid(masks[-1])], dim=1)
            features = scale(features)
            masks.append(head(features))
        return masks


class AHRNet(nn.Module):
    """CT about a lesion → its mask at up to three scales."""

    def __init__(self, config: ModelConfig, lesion_share: float = LESION_SHARE) -> None:
        super().__init__()
        self.encoder = backbone(config.backbone, 1, STRIDES, **BRANCHES)
        widths = self.encoder.channels
        self.dual_attention = nn.ModuleList(
            [DualAttention(width) if config.dual_attention else nn.Identity() for width in widths]
        )
        channels = sum(widths)
        self.scale_attention = ScaleAttention(channels) if config.scale_attention else nn.Identity()
        self.head = Decoder(channels, config.features) if config.decoder else BaselineHead(channels)
        for head in self.head.mask_heads:
            start_masks(cast("Tensor", head.bias), lesion_share)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Logits from coarse to fine, the last one (N, 1, H, W), for `image` of that shape.

        With the decoder they are p1, p2, p3, at a quarter, half and full size; without it p alone.
        H and W are multiples of 32.
        """
        maps = [
            attention(features)
            for attention, features in zip(self.dual_attention, self.encoder(image), strict=True)
        ]
        finest = maps[0]
        features = torch.cat([finest, *(resize(each, finest) for each in maps[1:])], dim=1)
        return cast("list[Tensor]", self.head(self.scale_attention(features)))
