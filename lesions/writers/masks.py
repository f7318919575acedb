"""Masks in the geometry of the image that they are of."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from lesions.files import replace_with
from lesions.readers.png import encode_labels


def write_png_mask(mask: NDArray[np.uint8], path: Path) -> None:
    """An 8-bit PNG, 1 = lesion, as prepared sets have them."""
    with replace_with(path) as file:
        file.write(encode_labels(mask))


def write_nifti_mask(mask: NDArray[np.uint8], image: Path, path: Path) -> None:
    """A NIfTI file with the axes, affine and units of `image`.

    Args:
        mask: uint8, of the image's own shape.
        image: the NIfTI file it is of.
        path: ends in .nii.gz.
    """
    stored: Any = nibabel.load(image)
    header = stored.header.copy()
    header.set_data_dtype(np.uint8)
    header.set_slope_inter(1, 0)
    encoded = nibabel.Nifti1Image(mask, stored.affine, header)
    partial = path.with_name(f"partial-{path.name}")  # nibabel goes by the name's end
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(encoded, partial)
    partial.replace(path)
