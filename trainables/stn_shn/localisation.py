"""The STN's localisation network: where the lesion is, how it lies and how large it is (2.1)."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainables.backbones import BackboneConfig, backbone
from trainables.blocks import start_masks
from trainables.configs import check_range

SHARE = 0.25  # of a crop, by the lesion, about: where the mask begins
FINEST = 4  # stride of the pyramid's last map
MOST_FEATURES = 4096


@dataclass(frozen=True, kw_only=True)
class LocalisationConfig:
    """The localisation network.

    Attributes:
        backbone: ResNet-50.
        features: of the pyramid's maps, up to 4096.
    """

    backbone: BackboneConfig = field(default_factory=lambda: BackboneConfig(name="resnet50"))
    features: int = 256

    def __post_init__(self) -> None:
        """InputError for what no network can be."""
        check_range("localisation.features", self.features, 1, MOST_FEATURES)


class Localisation(nn.Module):
    """A ResNet with a top-down pyramid, a mask, and a layout from one linear layer.

    (N, 1, S, S) → logits (N, 1, S/4, S/4) of the lesion, and the layout (N, 5), see `layout`.
    """

    def __init__(self, config: LocalisationConfig, size: int, begins: tuple[float, ...]) -> None:
        super().__init__()
        self.backbone = backbone(config.backbone, in_channels=1)
        channels, width = self.backbone.channels[1:], config.features  # strides 4 to 32
        self.lateral = nn.ModuleList(nn.Conv2d(each, width, 1) for each in channels)
        self.smooth = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in channels[1:])
        self.maps = nn.Conv2d(width, 1 + 4, 1)
        self.layout = nn.Linear(4 * (size // FINEST) ** 2, len(begins))
        nn.init.zeros_(self.layout.weight)
        with torch.no_grad():
            self.layout.bias.copy_(torch.tensor(begins))
            assert self.maps.bias is not None
            start_masks(self.maps.bias[:1], SHARE)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Where it is, and how it lies."""
        *finer, coarsest = self.backbone(image)[1:]
        top: Tensor = self.lateral[-1](coarsest)
        for at in range(len(finer) - 1, -1, -1):
            across = self.lateral[at](finer[at])
            top = self.smooth[at](F.interpolate(top, size=across.shape[-2:]) + across)
        maps: Tensor = self.maps(top)
        return maps[:, :1], self.layout(maps[:, 1:].flatten(1).float())
