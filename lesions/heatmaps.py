"""Endpoints as heat maps, and back again below a pixel."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

SPREAD_FLOOR = 0.1  # of a map's peak: what is below is the network's noise


def heatmaps(points: ArrayLike, shape: tuple[int, int], sigma: float) -> NDArray[np.float32]:
    """One Gaussian with peak 1 for each endpoint.

    Args:
        points: (4, 2), (x, y) pixels.
        shape: (H, W).
        sigma: standard deviation, pixels.

    Returns:
        float32 (4, H, W).
    """
    x, y = np.asarray(points, dtype=np.float64).T
    across = gaussian(np.arange(shape[1]) - x[:, None], sigma)
    down = gaussian(np.arange(shape[0]) - y[:, None], sigma)
    return down[:, :, None] * across[:, None, :]


def gaussian(offset: NDArray[np.floating], sigma: float) -> NDArray[np.float32]:
    """exp(−offset² / 2σ²): the outer product of two is a Gaussian in the plane."""
    return np.asarray(np.exp(-0.5 * np.square(offset / sigma)), dtype=np.float32)


def endpoints(heatmaps: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where each map is highest, below a pixel.

    A parabola through the logarithms of the highest pixel and its two neighbours, along x and
    along y: exact for a Gaussian. At the border it goes through the three outermost pixels.
    The result stays within half a pixel of the highest pixel; in a flat map that is the first.

    Args:
        heatmaps: (N, H, W).

    Returns:
        float64 (N, 2), (x, y) pixels; and float64 (N,), the highest pixels' values.
    """
    count = len(heatmaps)
    highest = heatmaps.reshape(count, -1).argmax(axis=1)
    points, peaks = np.empty((count, 2)), np.empty(count)
    for n, (row, column) in enumerate(zip(*divmod(highest, heatmaps.shape[2]), strict=True)):
        line, bar = heatmaps[n, row], heatmaps[n, :, column]
        points[n] = _summit(line, int(column)), _summit(bar, int(row))
        peaks[n] = line[column]
    return points, peaks


def _summit(profile: NDArray[np.floating], highest: int) -> float:
    """The position of the profile's summit near its highest sample."""
    if len(profile) < 3:
        return float(highest)
    middle = min(max(highest, 1), len(profile) - 2)
    values = profile[middle - 1 : middle + 2].astype(np.float64)
    # A network's map may dip below zero, where there is no logarithm.
    before, at, after = np.log(values) if values.min() > 0 else values
    curvature = before - 2 * at + after
    if not curvature < 0:
        return float(highest)
    summit = middle + (before - after) / (2 * curvature)
    return float(min(max(summit, highest - 0.5), highest + 0.5))


def spread_mm(
    maps: NDArray[np.floating], points: NDArray[np.float64], scale: NDArray[np.float64]
) -> tuple[float | None, ...]:
    """How far each map spreads about its summit, in mm: an endpoint's uncertainty.

    The weighted standard deviation per axis of what is above SPREAD_FLOOR of the peak. A Gaussian
    as in training, of standard deviation σ, gives 0.86 σ; a map with two hills, half their distance
    and more.

    Args:
        maps: (N, H, W).
        points: (N, 2), (x, y) of their summits.
        scale: (2, 2), a step (x, y) of the map's pixels → mm.
    """
    return tuple(_spread(each, point, scale) for each, point in zip(maps, points, strict=True))


def _spread(
    heat: NDArray[np.floating], point: NDArray[np.float64], scale: NDArray[np.float64]
) -> float | None:
    peak = float(heat.max())
    if not peak > 0:
        return None
    rows, columns = np.nonzero(heat > SPREAD_FLOOR * peak)
    weights = heat[rows, columns].astype(np.float64)
    offsets = (np.column_stack([columns, rows]) - point) @ scale.T
    return float(np.sqrt(weights @ np.square(offsets).sum(axis=1) / (2 * weights.sum())))
