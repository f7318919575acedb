"""A disc to beat: what can be had without looking at the image."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Radii are tried in steps of this part of the unit.
_STEP = 1e-3


def best_centred_disc(
    cases: Sequence[tuple[NDArray[np.bool_], tuple[float, float], float]],
) -> tuple[float, NDArray[np.float64]]:
    """The best that a disc can do which knows where each lesion is, but not how it looks.

    One factor for all cases, chosen on these very cases: radius = factor × unit.

    Args:
        cases: mask bool (H, W), the disc's centre (x, y) in its pixels, and the unit in pixels
            (the crop's side).

    Returns:
        The factor with the highest mean Dice, to a thousandth, and the Dice of each case with it.

    Raises:
        ValueError: there are no cases, or a unit is not positive.
    """
    if not cases or not all(unit > 0 for _, _, unit in cases):
        raise ValueError("a disc needs at least one case, each with a positive unit")
    radii = [_radii(*case) for case in cases]
    furthest = max(float(each.max()) for each, _ in radii)
    steps = max(int(np.ceil(furthest / _STEP)), 1)
    factors = np.linspace(_STEP, steps * _STEP, steps)
    scores = np.stack([_disc_dice(*each, factors) for each in radii])
    best = int(scores.mean(axis=0).argmax())
    return float(factors[best]), scores[:, best]


def _radii(
    mask: NDArray[np.bool_], centre: tuple[float, float], unit: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sorted distances from the centre, in units, of all pixels and of the lesion's."""
    lesion = np.asarray(mask) == 1
    y, x = np.arange(lesion.shape[0])[:, None] - centre[1], np.arange(lesion.shape[1]) - centre[0]
    distances = np.hypot(x, y) / unit
    return np.sort(distances, axis=None), np.sort(distances[lesion])


def _disc_dice(
    everywhere: NDArray[np.float64], lesion: NDArray[np.float64], factors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The disc's Dice at each factor; 1 where disc and lesion are both empty."""
    size = np.searchsorted(everywhere, factors, side="right") + len(lesion)
    both = np.searchsorted(lesion, factors, side="right")
    return np.where(size > 0, 2 * both / np.maximum(size, 1), 1.0)
