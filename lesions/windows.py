"""Intensity windowing: HU to the grey values that a radiologist sees."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def windowed(hu: NDArray[Any], window: tuple[float, float]) -> NDArray[np.float64]:
    """HU as 0 at the window's low end and below, 1 at its high end and above.

    Raises:
        ValueError: the window is not low, high.
    """
    low, high = window
    if not low < high:
        raise ValueError(f"the window is not low, high: {window}")
    return np.clip((hu.astype(np.float64) - low) / (high - low), 0, 1)
