"""The four losses, each in [0, 1] at its start (section 2.3; how they are normalised is ours)."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from lesions.metrics import UNCERTAIN
from trainables.losses import masked_mse
from trainables.stn_shn.hourglass import STRIDE
from trainables.stn_shn.layout import COS, LEAST_RADIUS, OBLONG, SCALE, SIN, TX, TY

WINDOW = 3  # heat map pixels either side of the maximum: the soft-argmax looks no further
TINY = 1e-6


def region_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """LRP: the mean squared error of the lesion's region; a scalar in [0, 1].

    Args:
        logits: (N, 1, S/4, S/4).
        labels: uint8 (N, 1, S, S), 0 background, 1 lesion, 255 uncertain (left out).
    """
    target = F.avg_pool2d((labels == 1).float(), STRIDE)
    valid = F.avg_pool2d((labels != UNCERTAIN).float(), STRIDE) == 1
    return masked_mse(torch.sigmoid(logits.float()), target, valid)


def layout_loss(layouts: Tensor, truth: Tensor) -> Tensor:
    """TPP: the mean over place (2), scale and angle of what each is off; a scalar ≥ 0.

    Places from −1…1 and scales as they are, squared; the angle modulo π as (1 − cos 2Δα) / 2,
    times how oblong the lesion is.

    Args:
        layouts: (N, 5), predicted.
        truth: (N, 6), see `layout`.
    """
    layouts = layouts.float()
    place = ((layouts[:, [TX, TY]] - truth[:, [TX, TY]]) / 2).square().sum(dim=1)
    scale = (layouts[:, SCALE] - truth[:, SCALE]).square()
    turned = layouts[:, [COS, SIN]]
    radius = turned.norm(dim=1).clamp(min=LEAST_RADIUS)
    cosine = (turned * truth[:, [COS, SIN]]).sum(dim=1) / radius
    angle = truth[:, OBLONG] * (1 - cosine) / 2
    off: Tensor = (place + scale + angle) / 4
    return off.mean()


def heatmap_loss(heatmaps: list[Tensor], endpoints: Tensor, sigma: float) -> Tensor:
    """HM: squared error over the truth's own sum of squares, so that a map of zeros costs 1.

    The mean over samples and endpoints, summed over the stacks.

    Args:
        heatmaps: of each stack, (N, 4, H, H).
        endpoints: (N, 4, 2), heat map pixels, in the channels' order.
        sigma: of the truth's Gaussians, heat map pixels.
    """
    truth = gaussians(endpoints, heatmaps[0].shape[-1], sigma)
    whole = math.pi * sigma**2  # Σ of the squares of one that lies inside
    costs = [(maps.float() - truth).square().sum(dim=(2, 3)).mean() / whole for maps in heatmaps]
    return torch.stack(costs).sum()


def gaussians(points: Tensor, size: int, sigma: float) -> Tensor:
    """Heat maps (N, 4, size, size) of points (N, 4, 2), peak 1, as `lesions.heatmaps`."""
    line = torch.arange(size, device=points.device, dtype=torch.float32)
    offsets = (line - points.float()[..., None]) / sigma  # (N, 4, 2, size)
    across, down = (-0.5 * offsets.square()).exp().unbind(dim=2)
    return down[..., :, None] * across[..., None, :]


def cosine_loss(heatmaps: list[Tensor]) -> Tensor:
    """cos² of the two axes' angle, 0 where they are perpendicular; summed over the stacks."""
    return torch.stack([_cosine_squared(soft_points(maps)).mean() for maps in heatmaps]).sum()


def _cosine_squared(points: Tensor) -> Tensor:
    long, short = points[:, 1] - points[:, 0], points[:, 3] - points[:, 2]
    lengths = long.square().sum(dim=1) * short.square().sum(dim=1)
    cosine: Tensor = (long * short).sum(dim=1).square() / (lengths + TINY)
    return cosine


def soft_points(maps: Tensor) -> Tensor:
    """Where the maps (N, 4, H, H) are highest, differentiable: (N, 4, 2) heat map pixels.

    The mean place by the squares of what is above zero, near the maximum alone.
    """
    maps = maps.float()
    size = maps.shape[-1]
    highest = maps.flatten(2).argmax(dim=2)
    line = torch.arange(size, device=maps.device)
    near_y = (line - (highest // size)[..., None]).abs() <= WINDOW  # (N, 4, H)
    near_x = (line - (highest % size)[..., None]).abs() <= WINDOW
    weights = maps.relu().square() * (near_y[..., :, None] & near_x[..., None, :])
    total = weights.sum(dim=(2, 3)) + TINY
    x = (weights.sum(dim=2) * line).sum(dim=2) / total
    y = (weights.sum(dim=3) * line).sum(dim=2) / total
    return torch.stack([x, y], dim=2)
