"""Volumes as NIfTI files, where they lie in the patient; the same voxels are the same bytes."""

import gzip
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from lesions.files import replace_with
from lesions.readers.nifti import TO_LEFT_BACK_HEAD


def write_nifti(voxels: NDArray[Any], affine: NDArray[np.float64], path: Path, note: bytes) -> None:
    """A compressed NIfTI file of a volume in display order.

    `lesions.readers.nifti.read_nifti` reads the same voxels with the same affine.

    Args:
        voxels: (D, H, W), HU as int16 or labels as uint8.
        affine: (4, 4), voxel index (x, y, z, 1) → patient position (left, back, head, 1) in mm.
        path: ends in .nii.gz.
        note: free text of the header, 79 bytes at most.
    """
    image = nibabel.Nifti1Image(voxels.T, TO_LEFT_BACK_HEAD @ affine)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = note
    write_packed(image, path)


def write_packed(image: Any, path: Path) -> None:
    """A nibabel image, compressed fast, whole or not at all."""
    with (
        replace_with(path) as file,
        # nibabel itself would note the name and the time.
        gzip.GzipFile(fileobj=file, filename="", mode="wb", compresslevel=1, mtime=0) as packed,
    ):
        image.to_stream(packed)
