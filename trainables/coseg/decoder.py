"""From attended features to two channels, background and lesion (the ACCV authors' code)."""

from itertools import pairwise

from torch import Tensor, nn

from trainables.blocks import BatchNorm

BLOCKS = 2
NARROWEST = 16  # as the paper's: of 4 last maps some seeds make no probability above a half


class ConvReflect(nn.Sequential):
    """Convolution with reflected borders, batch normalisation, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int) -> None:
        super().__init__(
            reflecting(in_channels, out_channels, kernel, bias=False),
            BatchNorm(out_channels),
            nn.ReLU(inplace=True),
        )


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions with batch normalisation beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            ConvReflect(channels, channels, 3),
            reflecting(channels, channels, 3, bias=False),
            BatchNorm(channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        """The same shape as `features` (N, channels, h, w)."""
        inner: Tensor = self.inner(features)
        return (features + inner).relu()


class Decoder(nn.Sequential):
    """Two residual blocks, then doubled and halved in channels up to full size, then 7 × 7.

    (N, channels, h, w) → logits (N, 2, h · stride, w · stride): five times from a stride of 32, and
    three times from 8 *(ours)*.
    """

    def __init__(self, channels: int, stride: int) -> None:
        doublings = stride.bit_length() - 1
        widths = [max(NARROWEST, channels >> times) for times in range(doublings + 1)]
        ups = [
            nn.Sequential(nn.Upsample(scale_factor=2), ConvReflect(wide, narrow, 5))
            for wide, narrow in pairwise(widths)
        ]
        blocks = [ResidualBlock(channels) for _ in range(BLOCKS)]
        super().__init__(*blocks, *ups, reflecting(widths[-1], 2, 7))


def reflecting(in_channels: int, out_channels: int, kernel: int, *, bias: bool = True) -> nn.Conv2d:
    """A convolution that keeps the size by reflecting its borders."""
    return nn.Conv2d(
        in_channels, out_channels, kernel, padding=kernel // 2, padding_mode="reflect", bias=bias
    )
