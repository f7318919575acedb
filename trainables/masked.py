"""What systems that look at one square of a slice answer."""

import numpy as np
from numpy.typing import NDArray

from trainables.crops import Crop
from trainables.system import Prediction


def mask_in(crop: Crop, probability: NDArray[np.float32], shape: tuple[int, int]) -> Prediction:
    """The mask of a view's probability (S, S), in a slice of `shape` (H, W)."""
    in_slice = crop.back(probability, shape)
    mask = (in_slice >= 0.5).astype(np.uint8)
    found = bool(mask.any())
    return Prediction(
        mask=mask,
        probability=in_slice,
        square=(crop.centre, crop.side),
        found=found,
        doubt="" if found else "no pixel in the box is more likely lesion than not",
    )
