"""The parts of a segmentation."""

import cv2
import numpy as np
from numpy.typing import NDArray


def part_at(segmentation: NDArray[np.bool_], point: tuple[float, float]) -> NDArray[np.bool_]:
    """The 8-connected part that holds a point or is nearest to it; empty for none.

    Args:
        segmentation: bool (H, W).
        point: (x, y) pixels.

    Returns:
        bool (H, W).
    """
    rows, columns = np.nonzero(segmentation)
    if not len(rows):
        return segmentation
    nearest = int(np.argmin(np.hypot(columns - point[0], rows - point[1])))
    _, labels = cv2.connectedComponents(segmentation.astype(np.uint8), connectivity=8)
    return np.asarray(labels == labels[rows[nearest], columns[nearest]])
