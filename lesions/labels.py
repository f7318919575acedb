"""What the values of a mask mean, and the one rule of masks in which nothing is lesion."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesions.errors import InputError

UNCERTAIN = 255
# The same words wherever a mask comes in; each is a reason of its own in a list of what is aside.
EMPTY = "the mask is empty: no pixel is lesion"
UNCERTAIN_ALONE = "the mask holds 255 but no lesion, and 255 means uncertain: label lesions 1"


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
