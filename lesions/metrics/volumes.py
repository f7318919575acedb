"""How well a lesion is segmented through its slices, and followed over time."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lesions.labels import as_labels
from lesions.metrics.distance import per_axis
from lesions.metrics.labels import counted
from lesions.metrics.segmentation import overlap


def dice_by_offset(pred: NDArray[Any], truth: NDArray[Any], key: int) -> dict[int, float]:
    """Dice of each axial slice by its distance from the key slice, in slices (WSSS, Fig. 4).

    A slice where neither image has lesion pixels that count is left out: it would score 1 for
    nothing. One where only one of them has some scores 0. `summary` of many lesions' results
    gives the mean of every offset.

    Args:
        pred: a mask (D, H, W); see `lesions.labels.as_labels`.
        truth: the same shape.
        key: index of the key slice.

    Returns:
        Dice by slice − key, ascending.

    Raises:
        InputError: the truth holds 255 but no lesion.
        ValueError: not (D, H, W), different shapes, no label, or no slice `key`.
    """
    found, there, counts = counted(pred, truth)
    if found.ndim != 3:
        raise ValueError(f"a volume has the shape (D, H, W), not {found.shape}")
    if not 0 <= key < len(found):
        raise ValueError(f"there is no slice {key} among {len(found)}")
    return {
        level - key: overlap(found[level], there[level], counts[level])["dice"]
        for level in np.flatnonzero((found | there).any(axis=(1, 2))).tolist()
    }


def mask_volume(mask: NDArray[Any], spacing: ArrayLike) -> float:
    """mm³ of a mask's lesion: its voxels, each as large as the spacing is.

    Args:
        mask: (D, H, W); see `lesions.labels.as_labels`. What is uncertain (255) is no lesion.
        spacing: (x, y, z) mm, z from slice to slice.

    Raises:
        InputError: see `as_labels`.
        ValueError: not (D, H, W), or a bad spacing.
    """
    labels = as_labels(mask)
    if labels.ndim != 3:
        raise ValueError(f"a volume has the shape (D, H, W), not {labels.shape}")
    return float(np.count_nonzero(labels == 1) * np.prod(per_axis(spacing, 3)))


def ellipsoid_volume(long: float, short: float) -> float:
    """mm³ of an ellipsoid with two axes as long as the short diameter: π · long · short² / 6.

    Args:
        long: the long diameter, mm.
        short: the short diameter, mm.
    """
    return float(np.pi * long * short**2 / 6)


def volume_change_r2(measured: ArrayLike, truth: ArrayLike) -> float:
    """R² of the straight line of measured on true volume changes (WSSS, Fig. 7).

    The squared correlation: a measurement that is always half of the truth has 1.

    Args:
        measured: (N, 2), a lesion's volume at two points in time, mm³.
        truth: (N, 2), likewise.

    Returns:
        0 to 1; NaN where all measured or all true changes are the same.

    Raises:
        ValueError: another shape, or fewer than two lesions.
    """
    ours, theirs = np.asarray(measured, np.float64), np.asarray(truth, np.float64)
    if ours.shape != theirs.shape or ours.ndim != 2 or ours.shape[1] != 2 or len(ours) < 2:
        raise ValueError(f"volumes at two times are (N, 2), N ≥ 2: {ours.shape}, {theirs.shape}")
    ours, theirs = np.diff(ours).ravel(), np.diff(theirs).ravel()
    if np.ptp(ours) == 0 or np.ptp(theirs) == 0:
        return float("nan")
    return float(np.corrcoef(ours, theirs)[0, 1] ** 2)
