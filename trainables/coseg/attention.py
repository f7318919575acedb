"""What two lesions tell each other: a gate for each channel, and where an image is active.

The paper takes both from Chen, Huang and Nakayama (ACCV 2018); what they leave open is *(ours)*.
"""

from typing import Literal

import torch
from torch import Tensor, nn

Gate = Literal["swapped", "fused"]
Spatial = Literal["none", "mean", "learned"]


class ChannelGate(nn.Module):
    """α = σ(W₂ tanh(W₁ GAP(f))): of an image's features, one weight in 0…1 for each channel."""

    def __init__(self, channels: int, squeeze: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(channels, squeeze), nn.Tanh(), nn.Linear(squeeze, channels), nn.Sigmoid()
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, channels), for `features` (N, channels, h, w)."""
        gate: Tensor = self.layers(features.mean((2, 3)))
        return gate


class MeanMap(nn.Module):
    """tanh of the features' mean over the channels: no weights of its own."""

    def forward(self, features: Tensor) -> Tensor:
        """(N, 1, h, w), for `features` (N, channels, h, w)."""
        return torch.tanh(features.mean(dim=1, keepdim=True))


class LearnedMap(nn.Module):
    """σ of a 7 × 7 convolution over the channels' mean and maximum, as CBAM has it *(ours)*."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, features: Tensor) -> Tensor:
        """(N, 1, h, w), for `features` (N, channels, h, w)."""
        pooled = torch.cat([features.mean(1, keepdim=True), features.amax(1, keepdim=True)], dim=1)
        return torch.sigmoid(self.convolution(pooled))


class Attention(nn.Module):
    """An image's features, weighted by its partner's gate and by its own spatial map.

    Args:
        channels: of the features.
        squeeze: the gate's hidden width.
        gate: "swapped" weighs by the partner's gate alone, as the authors' code does; "fused" by
            the product of both, which the paper's own sentence fits as well.
        spatial: "none", the "mean" map, or a "learned" one.
    """

    def __init__(self, channels: int, squeeze: int, gate: Gate, spatial: Spatial) -> None:
        super().__init__()
        self.fused = gate == "fused"
        self.channel = ChannelGate(channels, squeeze)
        self.spatial = {"none": None, "mean": MeanMap(), "learned": LearnedMap()}[spatial]

    def gate(self, features: Tensor) -> Tensor:
        """What an image tells its partner, (N, channels)."""
        gate: Tensor = self.channel(features)
        return gate

    def forward(self, features: Tensor, partner: Tensor) -> Tensor:
        """The weighted `features` (N, channels, h, w), by the partners' gates (N, channels)."""
        gate = partner * self.gate(features) if self.fused else partner
        weighted = features * gate[..., None, None]
        return weighted if self.spatial is None else weighted * self.spatial(features)
