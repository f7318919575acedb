"""Display order: one way to look at a patient, whatever way the voxels were stored."""

import numpy as np
from nibabel.orientations import inv_ornt_aff, io_orientation
from numpy.typing import NDArray

from lesions.errors import InputError

MOST_MM = 1e6  # further off numbers no longer tell a voxel from the next
TOO_FAR = "its voxels' size or place is beyond a kilometre"
MOST_TILT = 1.0  # degrees between a stored axis and the patient's


def empty_in_display_order(
    shape: tuple[int, ...], affine: NDArray[np.float64], most_tilt: float = MOST_TILT
) -> tuple[NDArray[np.int16], NDArray[np.int16], NDArray[np.float64]]:
    """Room for a volume in display order, to be filled in the order in which it is stored.

    Nothing is interpolated: axes are flipped and transposed.

    Args:
        shape: (I, J, K), axes in any order and direction.
        affine: (4, 4), index (i, j, k, 1) → patient position (left, back, head, 1) in mm.
        most_tilt: degrees that its axes may lie off the patient's.

    Returns:
        The volume (D, H, W), contiguous; a view of it (I, J, K), to be written; and the affine
        (4, 4) of the volume's index (x, y, z, 1).

    Raises:
        InputError: no such map, its axes lie further off the patient's, or too large
            for the memory.
    """
    orientation, turned = _orientation(shape, affine, most_tilt)
    axes, ways = orientation.astype(int).T
    try:
        volume = np.empty([shape[stored] for stored in np.argsort(axes)[::-1]], np.int16)
    except MemoryError:
        raise InputError(f"{np.prod(shape)} voxels do not fit the memory") from None
    stored = volume.transpose(2, 1, 0).transpose(axes)
    return volume, stored[tuple(slice(None, None, way) for way in ways)], turned


def _orientation(
    shape: tuple[int, ...], affine: NDArray[np.float64], most_tilt: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(3, 2), each stored axis' place and direction in (x, y, z); and the affine of display."""
    if np.isfinite(affine).all() and np.abs(affine).max() > MOST_MM:
        raise InputError(TOO_FAR)
    if not np.isfinite(affine).all() or not np.linalg.norm(affine[:3, :3], axis=0).all():
        raise InputError("the orientation is degenerate: an axis has no direction")
    orientation = io_orientation(affine)
    turned = affine @ inv_ornt_aff(orientation, shape)
    along = np.diag(turned)[:3] / np.linalg.norm(turned[:3, :3], axis=0)
    tilt = float(np.rad2deg(np.arccos(np.clip(along.min(), -1, 1))))
    if not tilt <= most_tilt:
        raise InputError(
            f"the slices are tilted by {tilt:.1f}°", remedy="resample it to axial slices"
        )
    return orientation, turned


def spacing_of(affine: NDArray[np.float64]) -> tuple[float, float, float]:
    """(x, y, z) mm per voxel."""
    x, y, z = np.linalg.norm(affine[:3, :3], axis=0).tolist()
    return x, y, z
