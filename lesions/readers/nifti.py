"""NIfTI files, whatever their axis order."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.imageglobals import LoggingOutputSuppressor
from nibabel.openers import Opener
from numpy.typing import NDArray

from lesions.errors import InputError, shown
from lesions.readers.display import display_order, spacing_of
from lesions.volume import Volume

# NIfTI's world points right, front, head; DICOM's and ours left, back, head.
TO_LEFT_BACK_HEAD = np.diag([-1.0, -1.0, 1.0, 1.0])
_MOST_DEFLATED = 1032  # gzip shrinks nothing further


def is_nifti(path: Path) -> bool:
    """Whether the name of a file says so."""
    return path.name.lower().endswith((".nii", ".nii.gz")) and not path.is_dir()


def read_nifti(path: str | Path) -> Volume:
    """Read a NIfTI file, whatever its axis order; HU are rounded to whole numbers.

    A file that names no unit of length is taken to be in mm, as nearly all are.

    Raises:
        InputError: no NIfTI, damaged, not three axes, without orientation, tilted by more than a
            degree, not in mm, or with values that are no HU.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError("a folder, not a NIfTI file", file=path)
    if not path.exists():
        raise InputError("there is no such file", file=path)
    try:
        with LoggingOutputSuppressor():
            return _read(path)
    except InputError as error:
        raise InputError(error.reason, file=path, remedy=error.remedy) from None
    except Exception as error:  # nibabel raises many kinds on a damaged file
        raise InputError(f"no readable NIfTI: {shown(str(error))}", file=path) from None


def _read(path: Path) -> Volume:
    image: Any = nibabel.load(path)
    if not isinstance(image, nibabel.Nifti1Image):
        raise InputError(f"no readable NIfTI: nibabel takes it for {type(image).__name__}")
    _check_header(path, image)
    voxels = np.asanyarray(image.dataobj)
    if voxels.ndim == 4 and voxels.shape[3] == 1:
        voxels = voxels[..., 0]
    axial, affine = display_order(voxels, TO_LEFT_BACK_HEAD @ image.affine)
    return Volume(hu=_whole(axial), spacing=spacing_of(affine), source=path, affine=affine)


def _check_header(path: Path, image: Any) -> None:
    header = image.header
    shape = header.get_data_shape()
    if len(shape) != 3 and not (len(shape) == 4 and shape[3] == 1):
        raise InputError(f"has {len(shape)} axes, not 3")
    if min(shape) < 1:
        raise InputError(f"has no voxels: its shape is {shape}")
    if header["sform_code"] == 0 and header["qform_code"] == 0:
        raise InputError("no orientation: sform_code and qform_code are 0")
    unit = header.get_xyzt_units()[0]
    if unit not in ("mm", "unknown"):
        raise InputError(f"lengths are in {unit}, not mm")
    with Opener(path) as file:  # nibabel mends sizes in silence: ask the file itself
        zooms = type(header).from_fileobj(file, check=False)["pixdim"][1:4]
    sizes = np.linalg.norm(image.affine[:3, :3], axis=0)
    if not np.allclose(zooms, sizes, rtol=0.01):
        raise InputError(f"the voxel size is {_list(zooms)} mm by the header, {_list(sizes)} mm "
                         "by the orientation")  # fmt: skip
    needed = int(np.prod(shape, dtype=object)) * header.get_data_dtype().itemsize
    if needed > _MOST_DEFLATED * path.stat().st_size:
        raise InputError(f"too short for {shape[0]} × {shape[1]} × {shape[2]} voxels")


def _whole(voxels: NDArray[Any]) -> NDArray[np.int16]:
    """int16, contiguous."""
    if voxels.dtype.kind not in "biuf":
        raise InputError(f"the voxels are {voxels.dtype}, not numbers")
    if voxels.dtype.kind == "f":
        if not np.isfinite(voxels).all():
            raise InputError(f"{np.count_nonzero(~np.isfinite(voxels))} voxels are not finite")
        voxels = np.rint(voxels)
    low, high = voxels.min(), voxels.max()
    if low < -32768 or high > 32767:
        raise InputError(f"values from {low:g} to {high:g} do not fit 16 bits")
    return np.ascontiguousarray(voxels, dtype=np.int16)


def _list(sizes: NDArray[Any]) -> str:
    return ", ".join(f"{size:.4g}" for size in sizes)
