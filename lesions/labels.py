"""What the values of a mask mean: one rule for every entrance, in the same words."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesions.errors import InputError

UNCERTAIN = 255
# The same words wherever a mask comes in; each is a reason of its own in a list of what is aside.
EMPTY = "the mask is empty: no pixel is lesion"
UNCERTAIN_ALONE = "the mask holds 255 but no lesion, and 255 means uncertain: label lesions 1"
NOT_WHOLE = "the mask holds other than whole numbers: label background 0 and lesions 1"
NEGATIVE = "the mask holds negative values: label background 0 and lesions 1"
GREY = "the mask holds 255, which means uncertain, and greys beside: label lesions 1"
_GREY = 128  # no mask of ours has so many labels beside uncertain pixels; a smoothed one has this


def as_labels(mask: Any, file: Path | None = None) -> NDArray[np.uint8]:
    """A mask of any kind by the one rule: 0 background, 1 lesion, 255 uncertain.

    Any positive label is lesion, whatever its number, but 255, which means uncertain. Where 255
    occurs beside labels of 128 and more, it may be the white of a grey image: that is refused.

    Args:
        mask: of any shape, boolean or whole numbers, as which 1.0 counts.
        file: where it was read from.

    Returns:
        The same shape; the mask itself where its type and values are these already.

    Raises:
        InputError: other numbers; the words are those of `NOT_WHOLE`, `NEGATIVE` or `GREY`.
    """
    labels = np.asarray(mask)
    if labels.dtype == np.bool_:
        return labels.view(np.uint8)
    if labels.dtype.kind not in "ui":
        with np.errstate(invalid="ignore"):  # of what is no number
            whole = labels.dtype.kind == "f" and bool((labels % 1 == 0).all())
        if not whole:
            raise InputError(NOT_WHOLE, file=file)
    least, most = int(labels.min(initial=0)), int(labels.max(initial=0))
    if least < 0:
        raise InputError(NEGATIVE, file=file)
    # Most images hold 0 and 1 alone, which their range tells.
    if most <= 1:
        return labels.astype(np.uint8, copy=False)
    if most >= UNCERTAIN and (labels == UNCERTAIN).any():
        if ((labels >= _GREY) & (labels != UNCERTAIN)).any():
            raise InputError(GREY, file=file)
        return np.where(labels == UNCERTAIN, UNCERTAIN, labels > 0).astype(np.uint8)
    return (labels > 0).view(np.uint8)


def check_lesion(lesion: NDArray[np.bool_], labels: NDArray[Any], file: Path | None = None) -> None:
    """Refuse a mask in which nothing is lesion, such as one of 0 and 255.

    Args:
        lesion: what of the mask is lesion.
        labels: the mask itself, the same shape.
        file: where it was read from.

    Raises:
        InputError: nothing is; the words tell a mask with uncertain pixels from an empty one.
    """
    if not lesion.any():
        uncertain = bool((labels == UNCERTAIN).any())
        raise InputError(UNCERTAIN_ALONE if uncertain else EMPTY, file=file)
