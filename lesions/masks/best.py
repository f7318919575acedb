"""An outline about the RECIST that uses both: geometry says where it may run, the CT where it does.

In the frame in which the RECIST's ellipse is the unit circle, a lesion's outline is a radius for
every angle. Geometry: it passes near the four endpoints and, between them, keeps a little inside
the ellipse, as the axes are the longest that the lesion has. The CT: how much more often a grey
value occurs inside than around, believed the more, the better the two can be told apart. The
outline of least cost is found by dynamic programming, and a second one with what lies inside and
around the first: marks that are drawn in or displaced show neither.

docs/masks.md has what was tried, and the scores on patients left out of the choice.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from lesions.ellipse import Axes, axes_of, box_of, nearest_pixel
from lesions.recist import Recist
from lesions.windows import windowed

Array = NDArray[np.float64]
Labels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

ANGLES, STEP = 72, 0.025
_TURN: Array = np.arange(ANGLES, dtype=np.float64) * (2 * np.pi / ANGLES)
_RADII: Array = np.arange(STEP, 2.0, STEP)
# The outline stays between these radii.
_FIRST, _LAST = 0.55, 1.4
_TRIED = np.flatnonzero((_RADII >= _FIRST - STEP / 2) & (_RADII < _LAST - STEP / 2))
_ELLIPSE = int(np.argmin(np.abs(_RADII - 1)))
_NIL = 1e-9
# From one endpoint (0) to half way between two (1) and back, four times a turn.
_BETWEEN = 2 * np.sqrt((_TURN / (np.pi / 2) % 1) * (1 - _TURN / (np.pi / 2) % 1))
# Blur of the CT, as a part of the square root of the ellipse's area, and of its histogram.
_BLUR, _BINS, _BIN_BLUR = 0.03, 32, 1.0


@dataclass(frozen=True, kw_only=True)
class Belief:
    """How far geometry and the CT are believed; lengths are parts of the ellipse's radius.

    Attributes:
        evidence: weight of the CT where inside and around have no grey value in common.
        overlap: where their histograms overlap, it is less by this power of the part that does not.
        most: a grey value's log likelihood ratio counts up to this, nats.
        core: what is surely inside ends at this radius.
        ring: what is surely around begins and ends at these.
        again: the same of the second outline, in radii of the first, all within which is inside.
        rare: added to the histograms' frequencies.
        dip: how far inside the ellipse the outline runs half way between two endpoints.
        slack: its standard deviation there.
        slack_at_ends: and at the endpoints.
        smooth: that of the difference from an angle to the next.
    """

    evidence: float = 6.0
    overlap: float = 1.5
    most: float = 3.0
    core: float = 0.7
    ring: tuple[float, float] = (1.2, 1.8)
    again: tuple[float, float] = (1.1, 1.5)
    rare: float = 0.001
    dip: float = 0.04
    slack: float = 0.12
    slack_at_ends: float = 0.03
    smooth: float = 0.06


BELIEF = Belief()


def best(
    slice_hu: NDArray[Any], recist: Recist, window: tuple[float, float], belief: Belief = BELIEF
) -> Labels:
    """The outline of least cost, filled.

    Args:
        slice_hu: HU (H, W).
        recist: (x, y) pixels.
        window: (low, high) HU.
        belief: the parameters.

    Returns:
        uint8 (H, W), 0 or 1: star-shaped about the axes' intersection; never empty.

    Raises:
        ValueError: the slice is not (H, W), or the window not low, high.
    """
    if slice_hu.ndim != 2:
        raise ValueError(f"a slice has the shape (H, W), not {slice_hu.shape}")
    axes = axes_of(recist)
    rays = axes.rays(_TURN)
    grey = _along_rays(slice_hu, axes, rays, window)
    level, areas = np.minimum((grey * _BINS).astype(np.intp), _BINS - 1), _areas(rays)
    radii = np.ones(ANGLES)
    for core, ring in ((belief.core, belief.ring), (1.0, belief.again)):
        at = _RADII / radii[:, None]  # 1 on the outline so far
        inside, around = at <= core + _NIL, (at >= ring[0] - _NIL) & (at <= ring[1] + _NIL)
        evidence = _evidence(level, areas, inside, around, belief)[:, _TRIED]
        radii = _RADII[_TRIED][_least_cost(_geometry(belief) + evidence, belief.smooth)]
    return _filled(radii, axes, (slice_hu.shape[0], slice_hu.shape[1]))


def _along_rays(
    slice_hu: NDArray[Any], axes: Axes, rays: Array, window: tuple[float, float]
) -> Array:
    """The windowed, blurred CT at every angle and radius: (ANGLES, radii)."""
    rows, columns = box_of(axes, (slice_hu.shape[0], slice_hu.shape[1]), scale=_RADII[-1] ** 2)
    crop = windowed(slice_hu[rows, columns], window)
    area = _areas(rays).sum() * STEP * _RADII[:_ELLIPSE].sum()
    crop = cv2.GaussianBlur(crop, (0, 0), max(_BLUR * float(np.sqrt(area)), 0.6))
    points = axes.centre - (columns.start, rows.start) + rays[:, None] * _RADII[:, None]
    x, y = np.moveaxis(points.astype(np.float32), -1, 0)
    return np.asarray(cv2.remap(crop, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _areas(rays: Array) -> Array:
    """What a step of the radius at radius 1 adds to the area at every angle, pixels² per radius."""
    turned = (np.roll(rays, -1, axis=0) - np.roll(rays, 1, axis=0)) / 2
    return np.abs(rays[:, 0] * turned[:, 1] - rays[:, 1] * turned[:, 0])


def _geometry(belief: Belief) -> Array:
    """Cost of every angle and radius tried, from where the endpoints are."""
    expected = 1 - belief.dip * _BETWEEN
    spread = belief.slack * _BETWEEN + belief.slack_at_ends
    return np.asarray(((_RADII[_TRIED] - expected[:, None]) / spread[:, None]) ** 2 / 2)


def _evidence(
    level: NDArray[np.intp], areas: Array, inside: Mask, around: Mask, belief: Belief
) -> Array:
    """Cost of every angle and radius, from the CT: 0 on the ellipse.

    `level` is the grey value's bin, `inside` and `around` are what is surely that.
    """
    weight = areas[:, None] * _RADII
    within, beyond = _histogram(level, weight * inside), _histogram(level, weight * around)
    apart = 1 - float(np.minimum(within, beyond).sum())
    ratio = np.log((within + belief.rare) / (beyond + belief.rare))
    gain = np.cumsum(np.clip(ratio, -belief.most, belief.most)[level] * STEP, axis=1)
    return np.asarray(belief.evidence * apart**belief.overlap * (gain[:, [_ELLIPSE]] - gain))


def _histogram(level: NDArray[np.intp], weight: Array) -> Array:
    counts = np.bincount(level.ravel(), weight.ravel(), minlength=_BINS)
    smooth = gaussian_filter1d(counts, _BIN_BLUR, mode="constant")
    return np.asarray(smooth / smooth.sum())


def _least_cost(cost: Array, smooth: float) -> NDArray[np.intp]:
    """The radius' index at every angle, of the closed outline of least cost.

    Dynamic programming over one and a half turns; the middle one is kept, whose two ends have
    met the same costs before and behind them.
    """
    angles, count = cost.shape
    radii = np.arange(count) * STEP
    step = (radii[:, None] - radii) ** 2 / (2 * smooth**2)
    turns, so_far = angles + angles // 2, np.zeros(count)
    came_from = np.zeros((turns, count), dtype=np.intp)
    for at in range(turns):
        total = so_far + step
        came_from[at] = total.argmin(axis=1)
        so_far = np.take_along_axis(total, came_from[at][:, None], axis=1)[:, 0] + cost[at % angles]
    chosen, path = int(so_far.argmin()), np.zeros(angles, dtype=np.intp)
    for at in range(turns - 1, angles // 4 - 1, -1):
        if at < angles + angles // 4:
            path[at % angles] = chosen
        chosen = int(came_from[at, chosen])
    return path


def _filled(radii: Array, axes: Axes, shape: tuple[int, int]) -> Labels:
    """Pixels within the outline."""
    labels = np.zeros(shape, dtype=np.uint8)
    rows, columns = box_of(axes, shape, scale=_LAST**2)
    along, across = axes.within(
        np.arange(columns.start, columns.stop), np.arange(rows.start, rows.stop)[:, None]
    )
    outline = np.interp(np.arctan2(across, along), _TURN, radii, period=2 * np.pi)
    labels[rows, columns] = np.hypot(along, across) <= outline
    labels[nearest_pixel(axes, shape)] = 1
    return labels
