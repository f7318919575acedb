"""What a network must beat, or cannot: methods without any learning, measured the same way."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lesions import Lesion, Recist
from lesions.ellipse import ellipse
from lesions.metrics.disc import Case, best_centred_disc
from trainables.evaluate import measure_one, truth_name
from trainables.system import Prediction, Square, System


def centred_disc(
    system: System, lesions: Sequence[Lesion], squares: Sequence[Square], pseudo_mask: str
) -> list[dict[str, Any]]:
    """One row a lesion for a disc in the middle of its square.

    One radius, as a fraction of the square's side, serves all; it is chosen to give the best mean
    Dice on these very lesions, so no disc there does better.

    Args:
        system: whose metrics are measured.
        lesions: what is measured.
        squares: (centre (x, y), side) in each one's slice pixels.
        pseudo_mask: the truth of a lesion without a human mask.
    """

    def cases() -> Iterator[Case]:
        for lesion, square in zip(lesions, squares, strict=True):
            yield lesion.mask(truth_name(lesion, pseudo_mask)) == 1, *square

    factor, _ = best_centred_disc(cases)
    return [
        measure_one(system, lesion, _disc(lesion.shape, centre, factor * side), pseudo_mask)
        for lesion, (centre, side) in zip(lesions, squares, strict=True)
    ]


def recist_ellipse(
    system: System, lesions: Sequence[Lesion], pseudo_mask: str
) -> list[dict[str, Any]]:
    """One row a lesion for the ellipse of the true RECIST: an oracle, as it is told the answer."""
    return [
        measure_one(
            system,
            lesion,
            Prediction(
                mask=ellipse(lesion.recist, lesion.shape).astype(np.uint8), recist=lesion.recist
            ),
            pseudo_mask,
        )
        for lesion in lesions
    ]


def _disc(shape: tuple[int, int], centre: tuple[float, float], radius: float) -> Prediction:
    x, y = centre
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    mask = (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
    ends = [(x - radius, y), (x + radius, y), (x, y - radius), (x, y + radius)]
    return Prediction(mask=mask.astype(np.uint8), recist=Recist(ends))
