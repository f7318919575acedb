"""Blocks that several networks share."""

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation that also trains where a channel has a single value.

    Such a batch (one sample, a 1×1 map) has no variance: the running statistics serve, as in
    evaluation. Otherwise, and in its state dict, it is `nn.BatchNorm2d`.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Normalise `features` (N, C, H, W)."""
        if self.training and features.numel() == features.shape[1]:
            return F.batch_norm(
                features, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(features)


class ConvBNReLU(nn.Sequential):
    """Convolution without bias, batch normalisation, ReLU (Ioffe & Szegedy 2015).

    (N, in_channels, H, W) → (N, out_channels, ⌈H/stride⌉, ⌈W/stride⌉); `kernel` is odd.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 3,
        stride: int = 1,
        dilation: int = 1,
    ) -> None:
        padding = dilation * (kernel // 2)
        super().__init__(
            nn.Conv2d(
                in_channels, out_channels, kernel, stride, padding, dilation=dilation, bias=False
            ),
            BatchNorm(out_channels),
            nn.ReLU(inplace=True),
        )


class DeconvBNReLU(nn.Sequential):
    """4×4 deconvolution without bias, batch normalisation, ReLU.

    (N, in_channels, H, W) → (N, out_channels, 2·H, 2·W). It starts as a bilinear up-sampling
    (Long et al. 2015): each of an output's four phases has weights of its own, and of random ones
    the features of two may start dead and stay so, a chequerboard.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        deconvolution = nn.ConvTranspose2d(
            in_channels, out_channels, 4, stride=2, padding=1, bias=False
        )
        super().__init__(deconvolution, BatchNorm(out_channels), nn.ReLU(inplace=True))
        line = torch.tensor([0.25, 0.75, 0.75, 0.25])
        with torch.no_grad():
            deconvolution.weight.copy_(deconvolution.weight[..., :1, :1] * line[:, None] * line)


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling of DeepLabv3 (Chen et al. 2017).

    A 1×1 convolution, a 3×3 convolution for each dilation of `rates` and the pooled image, side by
    side, then a 1×1 projection: (N, in_channels, H, W) → (N, out_channels, H, W). The pooled
    branch has a bias in place of batch normalisation, whose statistics over N values mislead.
    """

    def __init__(
        self, in_channels: int, out_channels: int, rates: Sequence[int] = (6, 12, 18)
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [
                ConvBNReLU(in_channels, out_channels, kernel=1),
                *(ConvBNReLU(in_channels, out_channels, dilation=rate) for rate in rates),
            ]
        )
        self.pooled = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(in_channels, out_channels, 1),
            nn.ReLU(inplace=True),
        )
        self.project = ConvBNReLU((2 + len(rates)) * out_channels, out_channels, kernel=1)

    def forward(self, features: Tensor) -> Tensor:
        """Context at every rate, for `features` (N, in_channels, H, W)."""
        context = torch.cat([branch(features) for branch in self.branches], dim=1)
        # The pooled branch is the same everywhere: its share of the projection is taken once.
        weight = cast("Tensor", self.project[0].weight)
        local, everywhere = weight.tensor_split([context.shape[1]], dim=1)
        projected = F.conv2d(context, local) + F.conv2d(self.pooled(features), everywhere)
        for layer in list(self.project)[1:]:
            projected = layer(projected)
        return projected


class ChannelAttention(nn.Module):
    """Channel attention of DANet (Fu et al. 2019): y = γ·(A·x) + x, shape unchanged.

    A (C × C) is the softmax of minus the channels' inner products over all pixels: each channel
    gathers those least like it. γ is learned and starts at 0: the block starts as the identity.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, features: Tensor) -> Tensor:
        """Mix the channels of `features` (N, C, H, W)."""
        # Channels last: with such features, as the loop has them, these are views, not copies.
        pixels = features.permute(0, 2, 3, 1).flatten(1, 2)
        # The energy sums over all pixels: half precision overflows or loses the differences.
        with torch.autocast(features.device.type, enabled=False):
            exact = pixels.float()
            energy = exact.transpose(1, 2) @ exact
            above_least = energy - energy.amin(dim=2, keepdim=True)
            # Weights below e⁻³⁰ end as denormal numbers, which CPUs handle ten times slower.
            attention = torch.softmax(-above_least.clamp(max=30.0), dim=2)
            # y = (γ·A + 1)·x: one product, no sum over all pixels after it.
            weights = self.gamma * attention + torch.eye(len(attention[0]), device=pixels.device)
        mixed: Tensor = pixels @ weights.transpose(1, 2).to(pixels.dtype)
        count, channels, height, width = features.shape
        return mixed.view(count, height, width, channels).permute(0, 3, 1, 2)


class PositionAttention(nn.Module):
    """Position attention of DANet (Fu et al. 2019): y = γ·(A·v) + x, shape unchanged.

    A (pixels × pixels) is the softmax of the inner products of the pixels' queries and keys, C/8
    channels each; v are their values, C channels: all three linear in x. γ is learned and
    starts at 0: the block starts as the identity.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(1, channels // 8)
        # Linear, as the pixels are rows: DANet's 1×1 convolutions.
        self.query = nn.Linear(channels, narrow)
        # A bias would add one number to all energies of a pixel, which the softmax takes out.
        self.key = nn.Linear(channels, narrow, bias=False)
        self.value = nn.Linear(channels, channels)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, features: Tensor) -> Tensor:
        """Mix the pixels of `features` (N, C, H, W)."""
        count, channels, height, width = features.shape
        pixels = features.permute(0, 2, 3, 1).flatten(1, 2)
        # Nothing scales the energies down: half precision would lose their differences.
        with torch.autocast(features.device.type, enabled=False):
            exact = pixels.float()
            # As wide as the values, by zeros: only so torch has a kernel that never holds all of A.
            wide = (0, channels - self.query.out_features)
            query = F.pad(self.query(exact), wide).unsqueeze(1)
            key = F.pad(self.key(exact), wide).unsqueeze(1)
            value = self.value(exact).unsqueeze(1)
            gathered = F.scaled_dot_product_attention(query, key, value, scale=1.0).squeeze(1)
            mixed: Tensor = self.gamma * gathered + exact
        mixed = mixed.to(pixels.dtype)
        return mixed.view(count, height, width, channels).permute(0, 3, 1, 2)


def resize(features: Tensor, like: Tensor) -> Tensor:
    """`features` (N, C, h, w) at the height and width of `like`, bilinear."""
    return F.interpolate(features, size=like.shape[-2:], mode="bilinear", align_corners=False)


def start_masks(bias: Tensor, share: float) -> None:
    """Lesions are small: from much above their share of the view all pixels would first fall."""
    nn.init.constant_(bias, math.log(share / (1 - share)))
