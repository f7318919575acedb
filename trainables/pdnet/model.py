"""PDNet (section 2 of the paper): image encoder, prior encoder and dual-path decoder."""

from dataclasses import dataclass, field
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from lesions.errors import InputError
from trainables.backbones import BackboneConfig, backbone
from trainables.blocks import (
    ASPP,
    ChannelAttention,
    ConvBNReLU,
    DeconvBNReLU,
    resize,
    start_masks,
)
from trainables.configs import check_range

INPUT_CHANNELS = 3
SCALES = 5
HEATMAP_CHANNELS = 4
HEATMAP_SCALES = 3
MOST_FEATURES, MOST_RATES, MOST_RATE = 1024, 16, 1024


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """PDNet's structure; the defaults are the paper's, all switches off is Table 3's base model.

    Attributes:
        backbone: the image encoder's network.
        features: channels of every compressed feature map, 1024 at most.
        prior_encoder: PE, click-driven attention; without it the encoder sees the click directly.
        top_down: T2D, from every coarser scale; without it a U-Net style path.
        bottom_up: B2U, from every finer scale.
        scale_attention: SA, channel attention on each scale's concatenated features.
        rates: dilations of the prior encoder's ASPP, in pixels of each scale's map; 16 at most,
            each 1024 at most.
    """

    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    features: int = 32
    prior_encoder: bool = True
    top_down: bool = True
    bottom_up: bool = True
    scale_attention: bool = True
    rates: tuple[int, ...] = (6, 12, 18)

    def __post_init__(self) -> None:
        """InputError for what no network can be."""
        check_range("features", self.features, 1, MOST_FEATURES)
        if len(self.rates) > MOST_RATES:
            raise InputError(f"there are {len(self.rates)} ASPP rates, more than {MOST_RATES}")
        for rate in self.rates:
            check_range("an ASPP rate", rate, 1, MOST_RATE)


class Outputs(NamedTuple):
    """All side outputs.

    Attributes:
        masks: logits (N, 1, h, w): the prior encoder's 5 from fine to coarse (none without it),
            then the decoder's 6 from coarse to fine; the last one is full size.
        heatmaps: (N, 4, h, w), linear: the decoder's 3 finest; the last one is full size.
    """

    masks: list[Tensor]
    heatmaps: list[Tensor]


class PriorEncoder(nn.Module):
    """Click-driven attention: enhances the image's features where the click's lesion is."""

    def __init__(self, features: int, rates: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = ConvBNReLU(INPUT_CHANNELS, features, stride=2)
        self.context = nn.ModuleList([ASPP(2 * features, features, rates) for _ in range(SCALES)])
        self.attention = nn.ModuleList([_mask_head(features) for _ in range(SCALES)])
        self.down = nn.ModuleList(
            [ConvBNReLU(features, features, stride=2) for _ in range(SCALES - 1)]
        )

    def forward(self, inputs: Tensor, encoded: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Enhanced features Ek and attention logits, both fine to coarse, from Fk `encoded`."""
        enhanced: list[Tensor] = []
        logits: list[Tensor] = []
        prior = self.stem(inputs)
        for scale, image in enumerate(encoded):
            context = self.context[scale](torch.cat([prior, image], dim=1))
            attention = self.attention[scale](context)
            enhanced.append(image + torch.sigmoid(attention) * image)
            logits.append(attention)
            if scale < SCALES - 1:
                prior = self.down[scale](context)
        return enhanced, logits


class UNetPath(nn.Module):
    """The base model's decoder: each scale fused with the fusion of the next coarser one."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.fuse = nn.ModuleList([ConvBNReLU(2 * features, features) for _ in range(SCALES - 1)])

    def forward(self, enhanced: list[Tensor]) -> list[Tensor]:
        """Fused features, fine to coarse; the coarsest pass as they are."""
        fused = enhanced[-1:]
        for scale in reversed(range(SCALES - 1)):
            own = enhanced[scale]
            fused.insert(0, self.fuse[scale](torch.cat([resize(fused[0], own), own], dim=1)))
        return fused


class Fusion(nn.Module):
    """One scale of the decoder: its features, its connections from other scales, then SA.

    A coarser map is up-sampled and then smoothed (T2D), a finer one is strided down (B2U), each
    by a 3×3 convolution of its own; `channels` counts the concatenation.
    """

    def __init__(self, config: ModelConfig, scale: int) -> None:
        super().__init__()
        finer = range(scale) if config.bottom_up else range(0)
        coarser = range(scale + 1, SCALES) if config.top_down else range(0)
        self.scale, self.sources = scale, (*finer, *coarser)
        self.connections = nn.ModuleList(
            [
                ConvBNReLU(config.features, config.features, stride=2 ** max(0, scale - source))
                for source in self.sources
            ]
        )
        self.attention = ChannelAttention() if config.scale_attention else nn.Identity()
        self.channels = config.features * (1 + len(self.sources))

    def forward(self, own: Tensor, enhanced: list[Tensor]) -> Tensor:
        """Fused features (N, channels, h, w) from `own` and all `enhanced`, fine to coarse."""
        maps = [own]
        for source, connection in zip(self.sources, self.connections, strict=True):
            other = enhanced[source]
            maps.append(connection(resize(other, own) if source > self.scale else other))
        return cast("Tensor", self.attention(torch.cat(maps, dim=1)))


class Decoder(nn.Module):
    """Dual-path decoder with its mask and heat map outputs."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        features = config.features
        self.path: nn.Module = nn.Identity() if config.top_down else UNetPath(features)
        self.fusions = nn.ModuleList([Fusion(config, scale) for scale in range(SCALES)])
        widths = [cast("Fusion", fusion).channels for fusion in self.fusions]
        self.full_size = DeconvBNReLU(widths[0], features)
        widths = [features, *widths]
        self.mask_heads = nn.ModuleList([_mask_head(width) for width in widths])
        self.heatmap_heads = nn.ModuleList(
            [_heatmap_head(width) for width in widths[:HEATMAP_SCALES]]
        )

    def forward(self, enhanced: list[Tensor]) -> Outputs:
        """Outputs from coarse to fine, from the features `enhanced`, fine to coarse."""
        own = self.path(enhanced)
        fused = [
            fusion(features, enhanced) for fusion, features in zip(self.fusions, own, strict=True)
        ]
        pyramid = [self.full_size(fused[0]), *fused]
        masks = [head(features) for head, features in zip(self.mask_heads, pyramid, strict=True)]
        heatmaps = [
            head(features) for head, features in zip(self.heatmap_heads, pyramid, strict=False)
        ]
        return Outputs(masks[::-1], heatmaps[::-1])


class PDNet(nn.Module):
    """CT, click image and distance image → lesion masks and heat maps of the four endpoints."""

    def __init__(self, config: ModelConfig, lesion_share: float = 0.12) -> None:
        super().__init__()
        self.image_channels = 1 if config.prior_encoder else INPUT_CHANNELS
        self.encoder = backbone(config.backbone, self.image_channels)
        self.compress = nn.ModuleList(
            [ConvBNReLU(channels, config.features) for channels in self.encoder.channels]
        )
        self.prior = PriorEncoder(config.features, config.rates) if config.prior_encoder else None
        self.decoder = Decoder(config)
        attention = self.prior.attention if self.prior is not None else ()
        for head in (*attention, *self.decoder.mask_heads):
            start_masks(cast("Tensor", head.bias), lesion_share)

    def forward(self, inputs: Tensor) -> Outputs:
        """All side outputs for `inputs` (N, 3, S, S).

        Channels: the CT windowed to 0…1, the click image, the distance image; S is a multiple of
        32. The image encoder sees the CT alone, or all three without the prior encoder.
        """
        maps = self.encoder(inputs[:, : self.image_channels])
        encoded = [
            compress(features) for compress, features in zip(self.compress, maps, strict=True)
        ]
        if self.prior is None:
            return cast("Outputs", self.decoder(encoded))
        enhanced, attention = self.prior(inputs, encoded)
        outputs = self.decoder(enhanced)
        return Outputs(attention + outputs.masks, outputs.heatmaps)


def _mask_head(channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, 1, 3, padding=1)


def _heatmap_head(channels: int) -> nn.Conv2d:
    head = nn.Conv2d(channels, HEATMAP_CHANNELS, 3, padding=1)
    start_heatmaps(head.weight)
    return head


def start_heatmaps(weight: Tensor) -> None:
    """Heat maps are nearly 0 everywhere: larger random ones would drown the masks at first."""
    nn.init.normal_(weight, std=0.001)
