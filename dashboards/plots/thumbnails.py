"""A lesion as a small square picture, all of one scale, so that sizes can be compared by eye."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lesions import Lesion
from lesions.windows import windowed

PIXELS = 64
SIDE_MM = 60.0
_MARGIN = 1.3  # a lesion too large for the square gets one this many times its box
_FINER = 1.5  # pixels of the slice to one of the picture, from where it is smoothed


def thumbnail(lesion: Lesion) -> bytes:
    """60 mm about the middle of the marks in the lesion's window, or more: PNG bytes, 64 × 64."""
    corners = np.reshape(np.array(lesion.recist.bounds), (2, 2))
    mm = np.array(lesion.spacing[:2])
    side_mm = max(SIDE_MM, _MARGIN * float(((corners[1] - corners[0]) * mm).max()))
    scale = mm * PIXELS / side_mm
    shift = (PIXELS - 1) / 2 - scale * corners.mean(axis=0)
    grey = np.round(255 * windowed(lesion.slice_hu, lesion.window)).astype(np.uint8)
    matrix = np.column_stack([np.diag(scale), shift])
    picture = cv2.warpAffine(_smooth(grey, 1 / scale), matrix, (PIXELS, PIXELS))
    return cv2.imencode(".png", picture)[1].tobytes()


def _smooth(grey: NDArray[np.uint8], shrinks: NDArray[np.float64]) -> NDArray[Any]:
    """Without what the smaller picture has no pixels for, which would be seen as noise."""
    if shrinks.max() <= _FINER:
        return grey
    across, down = (0.4 * shrinks).tolist()
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), across, sigmaY=down))
