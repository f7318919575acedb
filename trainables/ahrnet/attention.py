"""AHRNet's two attentions: within the features of each scale, and between those of all scales."""

from torch import Tensor, nn

from trainables.blocks import ChannelAttention, ConvBNReLU, PositionAttention

REDUCTION = 16  # SE's own


class DualAttention(nn.Module):
    """DA, DANet's (Fu et al. 2019): position plus channel attention, shape unchanged.

    Each sees the features through a 3×3 convolution of its own. Left out are DANet's reduction of
    the channels, its dropout and its side outputs.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.position = nn.Sequential(ConvBNReLU(channels, channels), PositionAttention(channels))
        self.channel = nn.Sequential(ConvBNReLU(channels, channels), ChannelAttention())

    def forward(self, features: Tensor) -> Tensor:
        """Attended features, for `features` (N, channels, H, W)."""
        both: Tensor = self.position(features) + self.channel(features)
        return both


class ScaleAttention(nn.Module):
    """SA (Fig. 2): a weight in 0…1 for each channel of all scales' features, from the image.

    Two branches like SE's (Hu et al. 2018), one on the channels' means and one on their maxima,
    are summed before the sigmoid.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mean, self.maximum = _squeeze(channels), _squeeze(channels)

    def forward(self, features: Tensor) -> Tensor:
        """Weighted `features` (N, channels, H, W)."""
        weights = self.mean(features.mean((2, 3))) + self.maximum(features.amax((2, 3)))
        weighted: Tensor = features * weights.sigmoid()[..., None, None]
        return weighted


def _squeeze(channels: int) -> nn.Sequential:
    narrow = max(1, channels // REDUCTION)
    return nn.Sequential(
        nn.Linear(channels, narrow), nn.ReLU(inplace=True), nn.Linear(narrow, channels)
    )
