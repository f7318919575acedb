"""How well a mask agrees with another."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lesions.metrics.distance import directed_distances
from lesions.metrics.labels import Mask, counted


def segmentation(
    pred: NDArray[Any], truth: NDArray[Any], spacing: ArrayLike | None = None
) -> dict[str, float]:
    """Pixel-wise agreement of two masks; `lesions.labels.as_labels` says what their values mean.

    A pixel that is 255 (uncertain) in either image counts nowhere. Of the pixels that count:
    both images empty: the distance is 0 and everything else 1; one of them empty: there is no
    distance, NaN, and everything else is 0. When no pixel counts at all, everything is NaN; so it
    is where `pred` is uncertain about all of the lesion. A truth of 0 and 255 is refused: nothing
    of it is lesion, so that whatever lies within its 255 would have a Dice of 1.

    Args:
        pred: (H, W), (D, H, W) or any other shape.
        truth: the same shape.
        spacing: (x, y, z) mm per pixel, for `avd` in mm; without it `avd` is in pixels.

    Returns:
        precision TP / (TP + FP), recall TP / (TP + FN), dice 2TP / (2TP + FP + FN), vs, the
        volumetric similarity 1 − |FN − FP| / (2TP + FP + FN), and avd, `average_hausdorff`.

    Raises:
        InputError: the truth holds 255 but no lesion; or see `as_labels`.
        ValueError: the shapes differ, or a bad spacing.
    """
    found, there, counts = counted(pred, truth)
    distances = directed_distances(found, there, counts, spacing)
    return overlap(found, there, counts) | {"avd": sum(distances) / 2}


def overlap(found: Mask, there: Mask, counts: Mask) -> dict[str, float]:
    """Precision, recall, dice and vs of two masks, of which only `counts` counts."""
    ours, theirs = int(np.count_nonzero(found)), int(np.count_nonzero(there))
    if ours == 0 or theirs == 0:
        value = float(ours == theirs) if counts.any() else float("nan")
        return dict.fromkeys(("precision", "recall", "dice", "vs"), value)
    both = int(np.count_nonzero(found & there))
    return {
        "precision": both / ours,
        "recall": both / theirs,
        "dice": 2 * both / (ours + theirs),
        "vs": 1 - abs(theirs - ours) / (ours + theirs),
    }
