"""A torso of our own: skin, fat, muscle, two lungs, a spine and a wide organ, with noise."""

from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

SIDE, SLICES = 192, 6
SPACING = (2.0, 2.0, 4.0)  # mm


def torso(seed: int = 0, slices: int = SLICES) -> NDArray[np.int16]:
    """(slices, SIDE, SIDE) HU; the upper half of the slices has lungs, the lower one a liver."""
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2

    def ellipse(dx: float, dy: float, rx: float, ry: float) -> NDArray[np.bool_]:
        return ((x - dx) / rx) ** 2 + ((y - dy) / ry) ** 2 <= 1

    volume = np.full((slices, SIDE, SIDE), -1000.0)
    for at, one in enumerate(volume):
        one[ellipse(0, 0, 85, 62)] = -100
        one[ellipse(0, 0, 72, 50)] = 32
        if at >= slices // 2:
            one[ellipse(-36, -5, 26, 34)] = one[ellipse(36, -5, 26, 34)] = -850
        else:
            one[ellipse(-24, -4, 38, 34)] = 100
        one[ellipse(0, 38, 8, 8)] = 500
    body = volume > -1000
    noise = np.random.default_rng(seed).normal(0, 10, volume.shape)
    return np.asarray(np.rint(volume + body * noise), np.int16)


def write_torso(path: Path, seed: int = 0, slices: int = SLICES) -> Path:
    """As a NIfTI file whose axes run right to left, back to front, feet to head."""
    affine = np.diag([-SPACING[0], -SPACING[1], SPACING[2], 1.0])
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.Nifti1Image(torso(seed, slices).T, affine).to_filename(path)
    return path
