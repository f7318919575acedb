"""The two axes of a predicted measurement: how they stand, which is longer, what is in the image.

Endpoints are (4, 2), (x, y) pixels: those of an axis stand together, and each keeps its place.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


def degrees_off(points: Points, spacing: Sequence[float]) -> float:
    """How far two axes are off perpendicular in mm: 0 … 90 degrees.

    Args:
        points: (4, 2).
        spacing: (x, y, …) mm per pixel.
    """
    one, other = _ways(points, spacing)
    along, across = one @ other, one[0] * other[1] - one[1] * other[0]
    return float(np.degrees(np.arctan2(abs(along), abs(across))))


def made_perpendicular(points: Points, spacing: Sequence[float]) -> Points:
    """The endpoints with the shorter axis turned about its middle; it keeps its length in mm.

    It is turned by the smaller angle, and the longer axis stays.

    Args:
        points: (4, 2).
        spacing: (x, y, …) mm per pixel.
    """
    ways, scale = _ways(points, spacing), np.asarray(spacing[:2], np.float64)
    short = int(np.argmin(np.hypot(*ways.T)))
    long = ways[1 - short] / np.hypot(*ways[1 - short])
    normal = np.array([-long[1], long[0]])
    half = np.copysign(np.hypot(*ways[short]) / 2, normal @ ways[short]) * normal / scale
    turned = np.array(points, np.float64)
    middle = turned[2 * short : 2 * short + 2].mean(axis=0)
    turned[2 * short : 2 * short + 2] = middle - half, middle + half
    return turned


def longer_first(points: Points, spacing: Sequence[float]) -> list[int]:
    """The order of endpoints (4, 2) that puts the axis longer in mm first; a tie changes nothing.

    Args:
        points: (4, 2).
        spacing: (x, y, …) mm per pixel.
    """
    first, second = np.hypot(*_ways(points, spacing).T)
    return [2, 3, 0, 1] if second > first else [0, 1, 2, 3]


def outside(points: Points, shape: tuple[int, int]) -> int:
    """How many endpoints lie outside an image (H, W): beyond the outer edges of its pixels."""
    return int(((points < -0.5) | (points > _last(shape))).any(axis=1).sum())


def cut_to(points: Points, shape: tuple[int, int]) -> Points | None:
    """Both axes cut off where they leave an image (H, W); None where nothing is left of one."""
    parts = [_cut(axis, _last(shape)) for axis in np.reshape(points, (2, 2, 2))]
    left = [part for part in parts if part is not None]
    return np.concatenate(left) if len(left) == 2 else None


def _cut(axis: Points, last: Points) -> Points | None:
    """The part of an axis from its share `first` to its share `end` that is in the image."""
    start, way = axis[0], axis[1] - axis[0]
    first, end = 0.0, 1.0
    for at, by, most in zip(start, way, last, strict=True):
        if by == 0:
            first, end = (first, end) if -0.5 <= at <= most else (1.0, 0.0)
        else:
            enters, leaves = sorted(((-0.5 - at) / by, (most - at) / by))
            first, end = max(first, enters), min(end, leaves)
    if first >= end:
        return None
    # Clipped: the product may be off by the last bit.
    return np.asarray(np.clip(start + np.outer([first, end], way), -0.5, last))


def _last(shape: tuple[int, int]) -> Points:
    return np.array([shape[1], shape[0]]) - 0.5


def _ways(points: Points, spacing: Sequence[float]) -> Points:
    """(2, 2): from start to end of each axis, mm."""
    return (points[1::2] - points[::2]) * np.asarray(spacing[:2], np.float64)
