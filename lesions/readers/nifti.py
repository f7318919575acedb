"""NIfTI files, whatever their axis order."""

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from nibabel import Nifti1Header, Nifti2Header
from nibabel.imageglobals import logger
from nibabel.orientations import aff2axcodes
from numpy.typing import NDArray

from lesions.errors import InputError
from lesions.readers.bounded import open_regular
from lesions.readers.contents import HEAD, unlike
from lesions.readers.display import spacing_of
from lesions.readers.voxels import (
    AGAIN,
    MOST_BYTES,
    MOST_DEFLATED,
    MOST_FRONT,
    Stored,
    check_voxels,
    named,
    volume_of,
)
from lesions.volume import Volume

# NIfTI's world points right, front, head; DICOM's and ours left, back, head.
TO_LEFT_BACK_HEAD = np.diag([-1.0, -1.0, 1.0, 1.0])
PHANTOM_NOTE = b"phantom: lesions are made ones"  # in a header's free text
MOST_APART = 0.5  # voxels: how far sform and qform may lie from each other unsaid
ENDINGS = (".nii", ".nii.gz")
_PAIR = b"ni1\0"  # the magic of a header whose voxels lie in an .img
_CIFTI = range(3000, 3100)  # intents: surfaces, which nibabel reads in another way


def is_nifti(path: Path) -> bool:
    """Whether the name of a file says so."""
    return path.name.lower().endswith(ENDINGS) and not path.is_dir()


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
    with open_nifti(path) as stored:
        return volume_of(stored, path)


@contextmanager
def open_nifti(path: Path) -> Iterator[Stored]:
    """Its voxels, not read yet; InputError for all that the header tells `read_nifti`."""
    with _opened(path) as (stream, header):
        affine = TO_LEFT_BACK_HEAD @ header.get_best_affine()
        yield Stored(
            stream=stream, shape=header.get_data_shape(), kind=header.get_data_dtype(),
            affine=affine, scaling=header.get_slope_inter(), warnings=_warnings(header, affine),
        )  # fmt: skip


def read_nifti_header(path: str | Path) -> Any:
    """Its nibabel header, of at most a few MB; InputError for all that it tells `read_nifti`."""
    with _opened(Path(path)) as (_, header):
        return header


def is_phantom_volume(path: str | Path) -> bool:
    """Whether a file's header says that lesions in it are made ones; InputError as `read_nifti`."""
    return bytes(read_nifti_header(path)["descrip"].item()).startswith(PHANTOM_NOTE)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[bytes], Any]]:
    """The inflated bytes from the first voxel on, and the header; errors name the file."""
    if path.is_dir():
        raise InputError("a folder, not a NIfTI file", file=path)
    if not path.exists():
        raise InputError("there is no such file", file=path)
    if not is_nifti(path):
        raise InputError("the name does not end in .nii or .nii.gz", file=path,
                         remedy="read_volume reads other kinds")  # fmt: skip
    packed = path.name.lower().endswith(".gz")
    with named(path, "NIfTI"), _quietly(), open_regular(path, MOST_BYTES) as file:
        _check_name(file.read(HEAD), packed)
        file.seek(0)
        stream: Any = gzip.GzipFile(fileobj=file) if packed else file
        header = _read_header(stream)
        room = path.stat().st_size * (MOST_DEFLATED if packed else 1) - header.get_data_offset()
        if header["intent_code"] in _CIFTI:
            raise InputError("no readable NIfTI: it is a CIFTI file")
        check_voxels(header.get_data_shape(), header.get_data_dtype(), room)
        stream.seek(header.get_data_offset())
        yield stream, header


@contextmanager
def _quietly() -> Iterator[None]:
    """Without nibabel's words on what it mends: to a terminal they come without the file."""
    was, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = was


def _check_name(head: bytes, packed: bool) -> None:
    """InputError where the first bytes are not of what the name says, compressed or not."""
    if packed and not head.startswith(b"\x1f\x8b"):
        raise unlike(head, "NIfTI")
    if not packed and head.startswith(b"\x1f\x8b"):
        raise InputError("no readable NIfTI: it is compressed by gzip, which its name does not say",
                         remedy="name it .nii.gz")  # fmt: skip


def _read_header(stream: IO[bytes]) -> Any:
    """The header with its extensions, checked but for its shape."""
    start = stream.read(Nifti2Header.sizeof_hdr)
    kind = next((k for k in (Nifti1Header, Nifti2Header) if k.may_contain_header(start)), None)
    sizes = [k.sizeof_hdr.to_bytes(4, "little") for k in (Nifti1Header, Nifti2Header)]
    if len(start) < Nifti1Header.sizeof_hdr and start[:4] in sizes:
        raise InputError(
            "no readable NIfTI: it is cut off, it ends within its header", remedy=AGAIN
        )
    if kind is None or _PAIR in (start[344:348], start[4:8].replace(b"2", b"1")):
        raise unlike(start, "NIfTI")
    offset = kind(start[: kind.sizeof_hdr]).get_data_offset()
    if offset > MOST_FRONT:
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
    try:
        unit = header.get_xyzt_units()[0]
    except KeyError:
        raise InputError("lengths or times are in a unit that nobody knows",
                         remedy="set xyzt_units to 2, for mm") from None  # fmt: skip
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


def _warnings(header: Any, affine: NDArray[np.float64]) -> tuple[str, ...]:
    apart = _apart(header)
    if apart < MOST_APART * min(spacing_of(affine)):
        return ()
    return (f"sform and qform lie up to {apart:.3g} mm apart: the sform is taken",)


def _list(sizes: NDArray[Any]) -> str:
    return ", ".join(f"{size:.4g}" for size in sizes)
