"""NIfTI files, whatever their axis order."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from lesions.errors import InputError
from lesions.volume import Volume


def read_nifti(path: str | Path) -> Volume:
    """Read a NIfTI file, whatever its axis order; HU are rounded to whole numbers.

    Raises:
        InputError: no NIfTI, not three axes, or tilted by more than a degree.
    """
    path = Path(path)
    try:
        image: Any = nibabel.load(path)
        canonical: Any = nibabel.as_closest_canonical(image)
        values = np.asanyarray(canonical.dataobj)
    except FileNotFoundError:
        raise InputError("there is no such file", file=path) from None
    except Exception as error:  # nibabel raises many kinds on a damaged file
        raise InputError(f"no readable NIfTI: {error}", file=path) from None
    if values.ndim != 3:
        raise InputError(f"has {values.ndim} axes, not 3", file=path)
    directions = canonical.affine[:3, :3] / np.linalg.norm(canonical.affine[:3, :3], axis=0)
    if np.abs(np.diag(directions)).min() < np.cos(np.deg2rad(1)):
        raise InputError("the slices are tilted", file=path, remedy="resample it to axial slices")
    # Canonical is (right→left, back→front, feet→head); display order flips the first two.
    axial = values.transpose(2, 1, 0)[:, ::-1, ::-1]
    x, y, z = (float(size) for size in canonical.header.get_zooms()[:3])
    return Volume(hu=np.rint(axial).astype(np.int16), spacing=(x, y, z), source=path)
