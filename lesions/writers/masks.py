"""Masks in the geometry of the image that they are of, and with nothing else of it."""

from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

from lesions.files import replace_with
from lesions.readers.nifti import TO_LEFT_BACK_HEAD, read_nifti_header
from lesions.readers.png import encode_labels
from lesions.writers.volumes import write_packed

GEOMETRY = (
    "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y",
    "qoffset_z", "srow_x", "srow_y", "srow_z", "xyzt_units",
)  # fmt: skip

MOST_SIDE = 1 << 15  # voxels, of NIfTI-1


def write_png_mask(mask: NDArray[np.uint8], path: Path) -> None:
    """An 8-bit PNG, 1 = lesion, as prepared sets have them."""
    with replace_with(path) as file:
        file.write(encode_labels(mask))


def write_nifti_mask(mask: NDArray[np.uint8], image: Path, path: Path) -> None:
    """A compressed NIfTI file with the axes, affine and units of `image`.

    The same mask is the same bytes.

    Args:
        mask: uint8, of the image's own shape.
        image: the NIfTI file it is of; descriptions and extensions of it are not taken over.
        path: ends in .nii.gz.
    """
    stored = read_nifti_header(image)
    of_two = isinstance(stored, nibabel.Nifti2Header)  # whose sides may be longer
    kind = nibabel.Nifti2Image if of_two else nibabel.Nifti1Image
    header = kind.header_class()
    header.set_data_dtype(np.uint8)
    header.set_data_shape(mask.shape)
    header["pixdim"][: mask.ndim + 1] = stored["pixdim"][: mask.ndim + 1]
    for name in GEOMETRY:
        header[name] = stored[name]
    _write(kind(mask, None, header), mask, path)


def write_grid_mask(mask: NDArray[np.uint8], affine: NDArray[np.float64], path: Path) -> None:
    """The same, of an image of another format that is a grid of voxels.

    Args:
        mask: uint8 (I, J, K).
        affine: (4, 4), index (i, j, k, 1) → patient position (left, back, head, 1) in mm.
        path: ends in .nii.gz.
    """
    kind = nibabel.Nifti1Image if max(mask.shape) < MOST_SIDE else nibabel.Nifti2Image
    image = kind(mask, TO_LEFT_BACK_HEAD @ affine)
    image.header.set_xyzt_units("mm")
    _write(image, mask, path)


def _write(image: nibabel.Nifti1Image, mask: NDArray[np.uint8], path: Path) -> None:
    """Shown by viewers from 0 to the highest label, whatever the range of its image."""
    image.header["cal_max"] = mask.max(initial=0)
    write_packed(image, path)
