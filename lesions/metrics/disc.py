"""A disc to beat: what can be had without looking at the image."""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

# Radii are tried in steps of this part of the unit.
_STEP = 1e-3


Case = tuple[NDArray[np.bool_], tuple[float, float], float]


def best_centred_disc(cases: Callable[[], Iterable[Case]]) -> tuple[float, float]:
    """The best that a disc can do which knows where each lesion is, but not how it looks.

    One factor for all cases, chosen on these very cases: radius = factor × unit. Thousands of cases
    take no more memory than one.

    Args:
        cases: asked for twice: mask bool (H, W), the disc's centre (x, y) in its pixels, and the
            unit in pixels (the crop's side).

    Returns:
        The factor with the highest mean Dice, to a thousandth, and that mean.

    Raises:
        ValueError: there are no cases, or a unit is not positive.
    """
    furthest = [_furthest(*case) for case in cases()]
    if not furthest:
        raise ValueError("a disc needs at least one case, each with a positive unit")
    # A disc that has all of a lesion gains nothing by growing.
    steps = max(int(np.ceil(max(furthest) / _STEP)), 1)
    factors = np.linspace(_STEP, steps * _STEP, steps)
    total = np.zeros(steps)
    for case in cases():
        total += _disc_dice(*case, factors)
    best = int(total.argmax())
    return float(factors[best]), float(total[best] / len(furthest))


def _furthest(mask: NDArray[np.bool_], centre: tuple[float, float], unit: float) -> float:
    """The distance from the centre, in units, of the lesion's last pixel; 0 where it has none."""
    if not unit > 0:
        raise ValueError("a disc needs at least one case, each with a positive unit")
    return float(_distances(mask.shape, centre, unit)[mask].max(initial=0.0))


def _distances(
    shape: tuple[int, ...], centre: tuple[float, float], unit: float
) -> NDArray[np.float64]:
    """Of each pixel from the centre, in units."""
    y, x = np.arange(shape[0])[:, None] - centre[1], np.arange(shape[1]) - centre[0]
    found: NDArray[np.float64] = np.hypot(x, y) / unit
    return found


def _disc_dice(
    mask: NDArray[np.bool_],
    centre: tuple[float, float],
    unit: float,
    factors: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The disc's Dice at each factor; 1 where disc and lesion are both empty."""
    distances = _distances(mask.shape, centre, unit)
    lesion = np.sort(distances[mask])
    discs = np.searchsorted(np.sort(distances, axis=None), factors, side="right")
    size, both = discs + len(lesion), np.searchsorted(lesion, factors, side="right")
    return np.where(size > 0, 2 * both / np.maximum(size, 1), 1.0)
