"""Which pixels of two label images count, and which of those are lesion."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesions.labels import UNCERTAIN, check_lesion

Mask = NDArray[np.bool_]


def counted(pred: NDArray[Any], truth: NDArray[Any]) -> tuple[Mask, Mask, Mask]:
    """The lesion of either image without the pixels that are uncertain (255) in one of them.

    Where `pred` is uncertain about all that is lesion, and finds none, no pixel counts.

    Args:
        pred: label image of any shape: 1 or True is lesion.
        truth: the same shape.

    Returns:
        bool, that shape: lesion of `pred`, lesion of `truth`, and the pixels that count.

    Raises:
        InputError: the truth holds 255 but no lesion.
        ValueError: the shapes differ, or a value is no label (0, 1, 255).
    """
    ours, theirs = label_image(pred), label_image(truth)
    if ours.shape != theirs.shape:
        raise ValueError(f"masks of different shapes: {ours.shape} and {theirs.shape}")
    lesion, uncertain = theirs == 1, theirs == UNCERTAIN
    if uncertain.any():
        check_lesion(lesion, theirs)
    counts = (ours != UNCERTAIN) & ~uncertain
    found, there = (ours == 1) & counts, lesion & counts
    if lesion.any() and not (found.any() or there.any()):
        counts = np.zeros_like(counts)
    return found, there, counts


def label_image(image: NDArray[Any]) -> NDArray[Any]:
    """The image as an array of integers.

    Raises:
        ValueError: a value is no label (0, 1, 255).
    """
    labels = np.asarray(image)
    if labels.dtype == np.bool_:
        return labels.view(np.uint8)
    strange = labels.dtype.kind not in "ui"
    # Most images hold 0 and 1 alone, which their range tells.
    if not strange and not 0 <= labels.min(initial=0) <= labels.max(initial=0) <= 1:
        strange = bool(((labels != UNCERTAIN) & ((labels > 1) | (labels < 0))).any())
    if strange:
        raise ValueError("a label image holds 0, 1 and 255 (uncertain) only")
    return labels
