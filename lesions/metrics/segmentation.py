"""How well a mask agrees with another."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

UNCERTAIN = 255


def segmentation(pred: NDArray[Any], truth: NDArray[Any]) -> dict[str, float]:
    """Pixel-wise agreement of two label images: 1 or True is lesion.

    A pixel that is 255 (uncertain) in either image counts nowhere. Of the pixels that count:
    both images empty: everything is 1; one of them empty: everything is 0. When no pixel counts
    at all, everything is NaN.

    Args:
        pred: (H, W) or any shape.
        truth: the same shape.

    Returns:
        precision TP / (TP + FP), recall TP / (TP + FN), dice 2TP / (2TP + FP + FN), and vs, the
        volumetric similarity 1 − |FN − FP| / (2TP + FP + FN).

    Raises:
        ValueError: the shapes differ, or a value is no label (0, 1, 255).
    """
    pred, truth = _labels(pred), _labels(truth)
    if pred.shape != truth.shape:
        raise ValueError(f"masks of different shapes: {pred.shape} and {truth.shape}")
    counts = (pred != UNCERTAIN) & (truth != UNCERTAIN)
    if not counts.any():
        return dict.fromkeys(("precision", "recall", "dice", "vs"), float("nan"))
    found = int(np.count_nonzero((pred == 1) & counts))
    there = int(np.count_nonzero((truth == 1) & counts))
    both = int(np.count_nonzero((pred == 1) & (truth == 1)))
    if found == 0 or there == 0:
        return dict.fromkeys(("precision", "recall", "dice", "vs"), float(found == there))
    return {
        "precision": both / found,
        "recall": both / there,
        "dice": 2 * both / (found + there),
        "vs": 1 - abs(there - found) / (found + there),
    }


def _labels(image: NDArray[Any]) -> NDArray[Any]:
    labels = np.asarray(image)
    # Three comparisons cost a tenth of np.isin.
    strange = (labels != 0) & (labels != 1) & (labels != UNCERTAIN)
    if labels.dtype.kind not in "bui" or strange.any():
        raise ValueError("a label image holds 0, 1 and 255 (uncertain) only")
    return labels
