"""The stacked hourglass (2.2; Newell et al. 2016): heat maps of endpoints, each stack anew."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from lesions.errors import InputError
from trainables.blocks import BatchNorm, ConvBNReLU
from trainables.configs import check_range

ENDPOINTS = 4
STRIDE = 4  # of the heat maps
HEAD_DEVIATION = 1e-3  # of the heads' weights, at the start
MOST_FEATURES, MOST_STACKS, MOST_DEPTH = 4096, 16, 8


@dataclass(frozen=True, kw_only=True)
class HourglassConfig:
    """The stacked hourglass.

    Attributes:
        stacks: hourglasses in a row, 16 at most; Newell et al. have eight.
        features: of each, a multiple of 8, 4096 at most.
        depth: times that an hourglass halves its maps, 8 at most.
    """

    stacks: int = 2
    features: int = 256
    depth: int = 4

    def __post_init__(self) -> None:
        """InputError for what no network can be."""
        check_range("hourglass.stacks", self.stacks, 1, MOST_STACKS)
        check_range("hourglass.features", self.features, 8, MOST_FEATURES)
        check_range("hourglass.depth", self.depth, 1, MOST_DEPTH)
        if self.features % 8:
            raise InputError(f"hourglass.features is {self.features}; it must be a multiple of 8")


class Residual(nn.Module):
    """A pre-activated bottleneck (He et al. 2016): (N, in, H, W) → (N, out, H, W)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        narrow = out_channels // 2
        self.body = nn.Sequential(
            *_activated(in_channels, narrow, 1),
            *_activated(narrow, narrow, 3),
            *_activated(narrow, out_channels, 1),
        )
        same = in_channels == out_channels
        self.skip = nn.Identity() if same else nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """The features, and what is to be changed of them."""
        changed: Tensor = self.skip(features) + self.body(features)
        return changed


def _activated(in_channels: int, out_channels: int, kernel: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)
    return BatchNorm(in_channels), nn.ReLU(), convolution


class Hourglass(nn.Module):
    """Down by halves and up again, with a skip connection at every size; shape unchanged."""

    def __init__(self, features: int, depth: int) -> None:
        super().__init__()
        self.skip, self.down, self.up = (Residual(features, features) for _ in range(3))
        self.within: nn.Module = (
            Hourglass(features, depth - 1) if depth > 1 else Residual(features, features)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Local and global features together."""
        coarse = self.up(self.within(self.down(F.max_pool2d(features, 2))))
        fine: Tensor = self.skip(features) + F.interpolate(coarse, size=features.shape[-2:])
        return fine


class StackedHourglass(nn.Module):
    """(N, 1, S, S) → each stack's heat maps (N, 4, S/4, S/4), the last stack's last."""

    def __init__(self, config: HourglassConfig) -> None:
        super().__init__()
        width, stacks = config.features, config.stacks
        self.stem = nn.Sequential(
            ConvBNReLU(1, width // 4, kernel=7, stride=2),
            Residual(width // 4, width // 2),
            nn.MaxPool2d(2),
            Residual(width // 2, width // 2),
            Residual(width // 2, width),
        )
        self.hourglasses = nn.ModuleList(
            nn.Sequential(
                Hourglass(width, config.depth),
                Residual(width, width),
                ConvBNReLU(width, width, kernel=1),
            )
            for _ in range(stacks)
        )
        heads = [nn.Conv2d(width, ENDPOINTS, 1) for _ in range(stacks)]
        self.heads = nn.ModuleList(heads)
        for head in heads:  # maps begin near zero, which costs 1 an endpoint and no more
            nn.init.normal_(head.weight, std=HEAD_DEVIATION)
            assert head.bias is not None
            nn.init.zeros_(head.bias)
        self.again = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(stacks - 1))
        self.maps_again = nn.ModuleList(nn.Conv2d(ENDPOINTS, width, 1) for _ in range(stacks - 1))

    def forward(self, view: Tensor) -> list[Tensor]:
        """The heat maps of each stack."""
        features, found = self.stem(view), []
        for at, (hourglass, head) in enumerate(zip(self.hourglasses, self.heads, strict=True)):
            within = hourglass(features)
            found.append(head(within))
            if at < len(self.again):
                features = features + self.again[at](within) + self.maps_again[at](found[-1])
        return found
