"""Which pixels of two label images count, and which of those are lesion."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesions.labels import UNCERTAIN, as_labels, check_lesion

Mask = NDArray[np.bool_]


def counted(pred: NDArray[Any], truth: NDArray[Any]) -> tuple[Mask, Mask, Mask]:
    """The lesion of either image without the pixels that are uncertain (255) in one of them.

    Where `pred` is uncertain about all that is lesion, and finds none, no pixel counts.

    Args:
        pred: a mask of any shape; `lesions.labels.as_labels` says what its values mean.
        truth: the same shape.

    Returns:
        bool, that shape: lesion of `pred`, lesion of `truth`, and the pixels that count.

    Raises:
        InputError: the truth holds 255 but no lesion; or see `as_labels`.
        ValueError: the shapes differ.
    """
    ours, theirs = as_labels(pred), as_labels(truth)
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
