"""What a network must beat, or cannot: methods without any learning, measured the same way."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lesions import Lesion, Recist
from lesions.ellipse import ellipse
from lesions.metrics import best_centred_disc
from trainables.crops import lesion_box
from trainables.evaluate import measure_one, truth_name
from trainables.system import Prediction


def centred_disc(lesions: Sequence[Lesion], pseudo_mask: str) -> list[dict[str, Any]]:
    """One row a lesion for a disc in the middle of the lesion's box.

    One radius, as a fraction of the box's longer side, serves all; it is chosen to give the best
    mean Dice on these very lesions, so no disc does better.
    """
    boxes = [lesion_box(lesion) for lesion in lesions]
    truths = [lesion.mask(truth_name(lesion, pseudo_mask)) == 1 for lesion in lesions]
    factor, _ = best_centred_disc([(truth, *box) for truth, box in zip(truths, boxes, strict=True)])
    return [
        measure_one(lesion, _disc(lesion.shape, centre, factor * side), pseudo_mask)
        for lesion, (centre, side) in zip(lesions, boxes, strict=True)
    ]


def recist_ellipse(lesions: Sequence[Lesion], pseudo_mask: str) -> list[dict[str, Any]]:
    """One row a lesion for the ellipse of the true RECIST: an oracle, as it is told the answer."""
    return [
        measure_one(
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
