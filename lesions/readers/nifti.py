"""NIfTI files, whatever their axis order."""

import gzip
import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from nibabel import Nifti1Header, Nifti2Header
from nibabel.imageglobals import LoggingOutputSuppressor
from nibabel.orientations import aff2axcodes
from nibabel.volumeutils import apply_read_scaling
from numpy.typing import NDArray

from lesions.errors import InputError, shown
from lesions.readers.bounded import open_regular
from lesions.readers.display import empty_in_display_order, spacing_of
from lesions.volume import MOST_VOXELS, Volume

# NIfTI's world points right, front, head; DICOM's and ours left, back, head.
TO_LEFT_BACK_HEAD = np.diag([-1.0, -1.0, 1.0, 1.0])
PHANTOM_NOTE = b"phantom: lesions are made ones"  # in a header's free text
MOST_APART = 0.5  # voxels: how far sform and qform may lie from each other unsaid
_MOST_DEFLATED = 1032  # gzip shrinks nothing further
_MOST_FRONT = 1 << 22  # bytes of the header and its extensions
_MOST_BYTES = 8 * MOST_VOXELS + _MOST_FRONT
_AT_ONCE = 1 << 18  # voxels, as float64 they fit a cache
_CIFTI = range(3000, 3100)  # intents: surfaces, which nibabel reads in another way


def is_nifti(path: Path) -> bool:
    """Whether the name of a file says so."""
    return path.name.lower().endswith((".nii", ".nii.gz")) and not path.is_dir()


def read_nifti(path: str | Path) -> Volume:
    """Read a NIfTI file, whatever its axis order; HU are rounded to whole numbers.

    A file that names no unit of length is taken to be in mm, as nearly all are. Where sform and
    qform both say where voxels lie the sform counts; the volume's warnings tell if they lie apart.
    Little more memory is taken than the volume's own.

    Raises:
        InputError: no NIfTI, damaged, not three axes, beyond `MOST_VOXELS`, without orientation,
            sform and qform that name other sides of the patient, tilted by more than a degree, not
            in mm, or with values that are not whole numbers of 16 bits once rounded.
    """
    path = Path(path)
    with _opened(path) as (stream, header):
        affine = TO_LEFT_BACK_HEAD @ header.get_best_affine()
        hu, stored, affine = empty_in_display_order(header.get_data_shape()[:3], affine)
        _fill(stored, stream, header)
        apart = _apart(header)
    warned = () if apart < MOST_APART * min(spacing_of(affine)) else (
        f"sform and qform lie up to {apart:.3g} mm apart: the sform is taken",
    )  # fmt: skip
    return Volume(
        hu=hu, spacing=spacing_of(affine), source=path, affine=affine, warnings=warned
    )  # fmt: skip


def read_nifti_header(path: str | Path) -> Any:
    """Its nibabel header, of at most a few MB; InputError for all that it tells `read_nifti`."""
    with _opened(Path(path)) as (_, header):
        return header


def is_phantom_volume(path: str | Path) -> bool:
    """Whether a file's header says that lesions in it are made ones; InputError as `read_nifti`."""
    return bytes(read_nifti_header(path)["descrip"].item()).startswith(PHANTOM_NOTE)


def reaches(path: str | Path, low: float, high: float) -> bool:
    """Whether some voxel lies below `low` and another above `high`.

    No more is read than tells it: of a CT mostly one slice, of labels of 8 bits nothing. What is
    damaged further on is told by `read_nifti`.

    Raises:
        InputError: for all that the header tells `read_nifti`, and what is damaged so far.
    """
    with _opened(Path(path)) as (stream, header):
        shape = header.get_data_shape()[:3]
        # Room that nobody fills takes no memory; this says whether the slices are axial.
        empty_in_display_order(shape, TO_LEFT_BACK_HEAD @ header.get_best_affine())
        kind = header.get_data_dtype()
        if kind.kind == "u" and header.get_slope_inter() == (None, None) and low <= 0:
            return False
        below = above = False
        for _, found in _stored(shape, stream, header):
            below, above = below or found.min() < low, above or found.max() > high
            if below and above:
                return True
    return False


@contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[bytes], Any]]:
    """The inflated bytes from the first voxel on, and the header; errors name the file."""
    if path.is_dir():
        raise InputError("a folder, not a NIfTI file", file=path)
    if not path.exists():
        raise InputError("there is no such file", file=path)
    if not is_nifti(path):
        raise InputError("the name does not end in .nii or .nii.gz", file=path)
    try:
        with LoggingOutputSuppressor(), open_regular(path, _MOST_BYTES) as file:
            packed = path.name.lower().endswith(".gz")
            stream: Any = gzip.GzipFile(fileobj=file) if packed else file
            header = _read_header(stream)
            _check_voxels(header, path.stat().st_size * (_MOST_DEFLATED if packed else 1))
            stream.seek(header.get_data_offset())
            yield stream, header
    except InputError as error:
        raise InputError(error.reason, file=path, remedy=error.remedy) from None
    except Exception as error:  # nibabel raises many kinds on a damaged file
        raise InputError(f"no readable NIfTI: {shown(str(error))}", file=path) from None


def _read_header(stream: IO[bytes]) -> Any:
    """The header with its extensions, checked but for its shape."""
    start = stream.read(Nifti2Header.sizeof_hdr)
    kind = next((k for k in (Nifti1Header, Nifti2Header) if k.may_contain_header(start)), None)
    if kind is None:
        raise InputError("no readable NIfTI: it has no such header")
    offset = kind(start[: kind.sizeof_hdr]).get_data_offset()
    if offset > _MOST_FRONT:
        raise InputError(f"no readable NIfTI: its header has {offset} bytes")
    stream.seek(0)
    # An extension's own size leads anywhere: nibabel is given no more than the header's bytes.
    header = kind.from_fileobj(io.BytesIO(stream.read(max(offset, kind.sizeof_hdr + 4))))
    _check_orientation(header, kind(start[: kind.sizeof_hdr], check=False)["pixdim"][1:4])
    return header


def _check_orientation(header: Any, zooms: NDArray[Any]) -> None:
    """`zooms`: the voxel sizes as written; nibabel mends them in silence."""
    if header["sform_code"] == 0 and header["qform_code"] == 0:
        raise InputError("no orientation: sform_code and qform_code are 0")
    unit = header.get_xyzt_units()[0]
    if unit not in ("mm", "unknown"):
        raise InputError(f"lengths are in {unit}, not mm")
    sizes = np.linalg.norm(header.get_best_affine()[:3, :3], axis=0)
    if not np.allclose(zooms, sizes, rtol=0.01):
        raise InputError(f"the voxel size is {_list(zooms)} mm by the header, {_list(sizes)} mm "
                         "by the orientation")  # fmt: skip
    if header["sform_code"] > 0 and header["qform_code"] > 0:
        ways = [_ways(header.get_sform()), _ways(header.get_qform())]
        if ways[0] != ways[1]:
            raise InputError(
                f"sform and qform contradict each other: the axes run to {ways[0]} by the one, to "
                f"{ways[1]} by the other", remedy="set the code of the wrong one to 0",
            )  # fmt: skip


def _ways(affine: NDArray[np.float64]) -> str:
    """Where the stored axes run to, as viewers say it: RAS is right, front, head."""
    return "".join(way or "?" for way in aff2axcodes(affine))


def _apart(header: Any) -> float:
    """mm, the most that a corner lies from itself by sform and qform; 0 where one alone counts."""
    if header["sform_code"] <= 0 or header["qform_code"] <= 0:
        return 0.0
    last = np.array(header.get_data_shape()[:3]) - 1
    corners = np.array([(*corner, 1) for corner in np.ndindex(2, 2, 2)]) * (*last, 1)
    off = corners @ (header.get_sform() - header.get_qform()).T
    return float(np.linalg.norm(off[:, :3], axis=1).max())


def _check_voxels(header: Any, most_bytes: int) -> None:
    shape, kind = header.get_data_shape(), header.get_data_dtype()
    if header["intent_code"] in _CIFTI:
        raise InputError("no readable NIfTI: it is a CIFTI file")
    if len(shape) != 3 and not (len(shape) == 4 and shape[3] == 1):
        raise InputError(f"has {len(shape)} axes, not 3")
    if min(shape) < 1:
        raise InputError(f"has no voxels: its shape is {shape}")
    if kind.kind not in "iuf":
        raise InputError(f"the voxels are {kind}, not numbers")
    voxels = math.prod(shape)
    said = f"{shape[0]} × {shape[1]} × {shape[2]} voxels"
    if header.get_data_offset() + voxels * kind.itemsize > most_bytes:
        raise InputError(f"too short for {said}")
    if voxels > MOST_VOXELS:
        raise InputError(f"has {said}, more than {MOST_VOXELS}")


def _fill(stored: NDArray[np.int16], stream: IO[bytes], header: Any) -> None:
    """Read, scale and round the voxels box by box: a whole volume as float64 is four of them."""
    lost, low, high = 0, math.inf, -math.inf
    for box, found in _stored(stored.shape, stream, header):
        into = stored[box]
        least, most = np.rint(found.min()), np.rint(found.max())
        if not np.isfinite([least, most]).all():
            lost += int(np.count_nonzero(~np.isfinite(found)))
            continue
        low, high = min(low, least), max(high, most)
        if low >= -32768 and high <= 32767:
            into[...] = np.rint(found) if found.dtype.kind == "f" else found
    if lost:
        raise InputError(f"{lost} voxels are not finite")
    if low < -32768 or high > 32767:
        raise InputError(f"values from {low:g} to {high:g} do not fit 16 bits")


def _stored(
    shape: tuple[int, ...], stream: IO[bytes], header: Any
) -> Iterator[tuple[tuple[slice, ...], NDArray[Any]]]:
    """Box by box, in the order in which they are stored: the scaled voxels."""
    kind = header.get_data_dtype()
    scaling = [None if given is None else np.float64(given) for given in header.get_slope_inter()]
    for box in _boxes(shape, _AT_ONCE):
        sides = tuple(len(range(*one.indices(side))) for one, side in zip(box, shape, strict=True))
        packed = stream.read(math.prod(sides) * kind.itemsize)
        if len(packed) < math.prod(sides) * kind.itemsize:
            raise InputError("no readable NIfTI: it ends before its last voxel")
        found = np.frombuffer(packed, kind).reshape(sides, order="F")
        yield box, apply_read_scaling(found, *scaling)


def _boxes(shape: tuple[int, ...], most: int) -> Iterator[tuple[slice, ...]]:
    """Boxes of at most `most` voxels, one after the other as NIfTI stores them: x fastest."""
    *inner, last = shape
    step = most // math.prod(inner)
    for at in range(0, last, max(step, 1)):
        if step:
            yield *(slice(None) for _ in inner), slice(at, at + step)
        else:
            yield from ((*box, slice(at, at + 1)) for box in _boxes(tuple(inner), most))


def _list(sizes: NDArray[Any]) -> str:
    return ", ".join(f"{size:.4g}" for size in sizes)
