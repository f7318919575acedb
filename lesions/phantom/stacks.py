"""Slices that know of each other: fields drawn slice by slice, made to hang together along z."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_ROUNDING = 1e-6  # what slices that are all but alike lack of independence


def along_z(fields: NDArray[np.float32], correlation: NDArray[np.float64]) -> NDArray[np.float32]:
    """Independent fields (D, H, W) of unit deviation as ones that correlate from slice to slice.

    Args:
        fields: one is left as it is.
        correlation: (D, D), of each slice with each.
    """
    if len(fields) == 1:
        return fields
    root = np.linalg.cholesky(correlation + _ROUNDING * np.eye(len(fields)))
    return np.tensordot(root.astype(np.float32), fields, axes=1)


def distances(slices: Sequence[int]) -> NDArray[np.int_]:
    """(D, D): how many slices apart each is from each."""
    at = np.asarray(slices)
    return np.asarray(np.abs(at[:, None] - at))
