"""The canonical layout: a lesion in the middle, its long axis level, one fraction of the view long.

Θ (Equation 2) maps the view to the crop, target to source, in torch's normalised coordinates with
`align_corners=False`: a pixel x of S lies at (2x + 1)/S − 1, so that −1 and 1 are the image's outer
edges, as `Crop` has them. With s < 1 the view is a part of the crop.

A layout is six numbers (N, 6): tx, ty, s, cos 2α, sin 2α as the network gives them, and 1 − short
over long, by which the direction counts: a round lesion has none. α and α + π are one layout.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

FILLED = 0.8  # of the view, by the long axis (ours)
TX, TY, SCALE, COS, SIN, OBLONG = range(6)
OUTPUTS = 5  # of the network: all but the last
LEAST_RADIUS = 0.1  # of (cos 2α, sin 2α): the angle's gradient grows as its inverse
SMALLEST, LARGEST = 0.05, 2.0  # scales: what a view may be of the crop


def layout_of(points: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """The true layout (6,) of a crop's endpoints (4, 2), pixels of `size`; the long axis first."""
    along = points[1] - points[0]
    long, short = np.hypot(*along), np.hypot(*(points[3] - points[2]))
    unit = along / long
    frame = np.array([unit, [-unit[1], unit[0]]])  # rows: along, across
    there = points @ frame.T
    # The middle of the box that lies with the long axis: both axes are in the view then.
    middle = frame.T @ ((there.min(axis=0) + there.max(axis=0)) / 2)
    x, y = (2 * middle + 1) / size - 1
    turned = 2 * np.arctan2(unit[1], unit[0])
    scale = long / (FILLED * size)
    oblong = 1 - min(short / long, 1.0)
    return np.array([x, y, scale, np.cos(turned), np.sin(turned), oblong], np.float32)


def jittered(
    layout: NDArray[np.float32],
    rng: np.random.Generator,
    *,
    shift: float,
    turn: float,
    scale: tuple[float, float],
) -> NDArray[np.float32]:
    """The layout (6,) moved, turned and scaled at random, as an STN that is a little off.

    Args:
        layout: the true one.
        rng: the source.
        shift: largest, of half the crop.
        turn: largest, degrees.
        scale: least and largest factor.
    """
    moved = layout.copy()
    moved[[TX, TY]] += rng.uniform(-shift, shift, 2).astype(np.float32)
    moved[SCALE] *= rng.uniform(*scale)
    angle = 2 * np.deg2rad(rng.uniform(-turn, turn))
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved[[COS, SIN]] = turned @ layout[[COS, SIN]]
    return moved


def matrices(layouts: Tensor) -> Tensor:
    """Θ (N, 2, 3), float32, of layouts (N, 5 or more); half precision would cost 0.1 pixel."""
    layouts = layouts.float()
    alpha = _angle(layouts[:, COS], layouts[:, SIN]) / 2
    scale = layouts[:, SCALE].clamp(SMALLEST, LARGEST)
    cos, sin = scale * alpha.cos(), scale * alpha.sin()
    rows = [cos, -sin, layouts[:, TX], sin, cos, layouts[:, TY]]
    return torch.stack(rows, dim=1).view(-1, 2, 3)


def _angle(cos: Tensor, sin: Tensor) -> Tensor:
    """The angle of (cos, sin), of any length; its gradient is bounded by 1 / LEAST_RADIUS."""
    held = torch.stack([cos, sin]).detach()
    radius = held.norm(dim=0)
    level = torch.zeros_like(held)
    level[0] = 1  # where there is no direction: a network that begins
    outwards = torch.where(radius > 0, held / radius.clamp(min=1e-12), level)
    cos, sin = torch.stack([cos, sin]) + outwards * (LEAST_RADIUS - radius).clamp(min=0)
    return torch.atan2(sin, cos)


def level() -> Tensor:
    """Θ (2, 3) that changes nothing."""
    return torch.eye(2, 3)


def view_of(images: Tensor, thetas: Tensor) -> Tensor:
    """The views (N, C, S, S) of crops (N, C, S, S), bilinear; what is beyond a crop is 0."""
    with torch.autocast(images.device.type, enabled=False):
        images = images.float()
        grid = F.affine_grid(thetas, list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, align_corners=False)


def to_view(points: Tensor, thetas: Tensor, size: int) -> Tensor:
    """Endpoints (N, K, 2), pixels of the crop, as pixels of the view: by the inverse of Θ."""
    placed = (2 * points + 1) / size - 1 - thetas[:, None, :, 2]
    back: Tensor = torch.linalg.solve(thetas[:, :, :2], placed.mT).mT
    return ((back + 1) * size - 1) / 2


def to_crop(points: Tensor, thetas: Tensor, size: int) -> Tensor:
    """Endpoints (N, K, 2), pixels of the view, as pixels of the crop: by Θ."""
    placed = (2 * points + 1) / size - 1
    crossed = placed @ thetas[:, :, :2].mT + thetas[:, None, :, 2]
    return ((crossed + 1) * size - 1) / 2


def named(points: Tensor) -> Tensor:
    """Endpoints (N, 4, 2) in canonical order: long left, right; short top, bottom.

    As `lesions.recist.canonical_order`; ends level with each other go by the other coordinate.
    """
    long, short = points[:, :2], points[:, 2:]
    return torch.cat([_ordered(long, 0, 1), _ordered(short, 1, 0)], dim=1)


def _ordered(ends: Tensor, first: int, then: int) -> Tensor:
    less = ends[:, 1, first] < ends[:, 0, first]
    tied = ends[:, 1, first] == ends[:, 0, first]
    swap = less | (tied & (ends[:, 1, then] < ends[:, 0, then]))
    return torch.where(swap[:, None, None], ends.flip(1), ends)


def mean_layout(reach: tuple[float, float]) -> tuple[float, ...]:
    """What the network begins with (5,): the middle, no direction, and the scale of a usual view.

    Args:
        reach: least and largest side of a crop, in long sides of the marks' box.
    """
    usual = math.sqrt(1.25)  # the long axis, in long sides of its box, about
    return 0.0, 0.0, usual / (FILLED * sum(reach) / 2), 0.0, 0.0
