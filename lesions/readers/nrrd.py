"""NRRD files, .nrrd and .nhdr: pynrrd parses the header, the voxels are read as of any volume."""

import bz2
import gzip
import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from lesions.errors import InputError, shown
from lesions.readers.beside import voxels_file
from lesions.readers.bounded import open_regular
from lesions.readers.contents import HEAD, unlike
from lesions.readers.display import MOST_MM, TOO_FAR
from lesions.readers.voxels import (
    MOST_BYTES,
    MOST_DEFLATED,
    MOST_FRONT,
    Stored,
    check_voxels,
    named,
)

ENDINGS = (".nrrd", ".nhdr")
_MOST_HEADER = 1 << 20  # bytes: what is read of it takes 500, scanners' own notes some 10 kB
_MOST_LINES = 4096
# The patient's axes by what a header calls its space, as signs of (left, back, head).
_SPACES = {
    "left-posterior-superior": (1, 1, 1), "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1), "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1), "las": (1, -1, 1),
}  # fmt: skip
_PACKED: Mapping[str, tuple[Any, float]] = {
    "raw": (None, 1), "gzip": (gzip.open, MOST_DEFLATED), "gz": (gzip.open, MOST_DEFLATED),
    "bzip2": (bz2.open, np.inf), "bz2": (bz2.open, np.inf),
}  # fmt: skip
_ONE_NAME = {"datafile": "data file", "lineskip": "line skip", "byteskip": "byte skip"}
_CONVERT_ONE = "store one volume or one layer of labels a file"
_CONVERT = "write it anew, as SimpleITK.WriteImage(SimpleITK.ReadImage(FILE), 'ct.nrrd') does"


@contextmanager
def open_nrrd(path: Path) -> Iterator[Stored]:
    """Its voxels, not read yet.

    Raises:
        InputError: no NRRD, damaged, not three axes, beyond `MOST_VOXELS`, without an orientation
            in the patient, not in mm, as text, of several files, or with voxels outside of its
            folder.
    """
    with named(path, "NRRD"), open_regular(path, MOST_BYTES) as file:
        header = _header(file)
        shape, kind, affine = _shape(header), _kind(header), _affine(header)
        encoding = str(header.get("encoding")).lower()
        if encoding not in _PACKED:
            raise InputError(f"its encoding is {shown(encoding)!r}", remedy=_CONVERT)
        name = str(header.get("data file", ""))
        with voxels_file(path, file, name or None, _CONVERT) as data:
            unpack, ratio = _PACKED[encoding]
            _skip_lines(data, _count(header, "line skip", 0, _MOST_LINES))
            start, size = data.tell(), data.seek(0, io.SEEK_END)
            data.seek(start)
            stream = data if unpack is None else unpack(data)
            skipped = _count(header, "byte skip", -1, MOST_FRONT if unpack else MOST_BYTES)
            if skipped < 0 and unpack is None:  # they are the file's last
                skipped = size - start - int(np.prod(shape, dtype=object)) * kind.itemsize
            check_voxels(shape, kind, (size - start) * ratio - max(skipped, 0))
            if not 0 <= skipped <= MOST_BYTES:
                raise InputError(f"its byte skip is {skipped}", remedy=_CONVERT)
            stream.seek(skipped if unpack else start + skipped)
            yield Stored(stream=cast(IO[bytes], stream), shape=shape, kind=kind, affine=affine)


def _header(file: IO[bytes]) -> Mapping[str, Any]:
    """The fields by name, parsed; the file stands where the header ends."""
    head = file.read(HEAD)
    file.seek(0)
    if not head.startswith(b"NRRD000"):
        raise unlike(head, "NRRD")
    lines = [file.readline(_MOST_HEADER).decode("ascii", "ignore")]
    while line := file.readline(_MOST_HEADER):
        if not line.strip():
            break
        if file.tell() > _MOST_HEADER or len(lines) > _MOST_LINES:
            raise InputError(
                f"its header has more than {_MOST_HEADER} bytes or {_MOST_LINES} lines"
            )
        if b":" not in line and not line.startswith(b"#"):
            raise InputError(f"no readable NRRD: {shown(line.decode('latin-1').strip())!r} is no "
                             "field of its header")  # fmt: skip
        # Notes of others have names of their own, which must not be taken for fields.
        if b":=" not in line:
            lines.append(line.decode("ascii", "ignore"))
    from nrrd import read_header  # when first asked for: few are

    with warnings.catch_warnings(action="ignore"):
        header: Mapping[str, Any] = read_header(lines)
    return {_ONE_NAME.get(name.lower(), name.lower()): value for name, value in header.items()}


def _shape(header: Mapping[str, Any]) -> tuple[int, ...]:
    sizes = tuple(int(side) for side in header.get("sizes", ()))
    if header.get("dimension") != len(sizes):
        raise InputError(f"its dimension is {header.get('dimension')}, its sizes are {len(sizes)}")
    if len(sizes) != 3:
        raise InputError(f"has {len(sizes)} axes, not 3", remedy=_CONVERT_ONE)
    return sizes


def _kind(header: Mapping[str, Any]) -> np.dtype[Any]:
    """Of one voxel."""
    from nrrd.reader import _TYPEMAP_NRRD2NUMPY, _determine_datatype

    if str(header.get("type")) not in _TYPEMAP_NRRD2NUMPY:
        raise InputError(f"its type is {shown(str(header.get('type', 'missing')))!r}")
    if header.get("endian", "little") not in ("little", "big"):
        raise InputError(f"its endian is {shown(str(header['endian']))!r}, not little or big")
    return cast("np.dtype[Any]", _determine_datatype({"encoding": "raw", **header}))


def _affine(header: Mapping[str, Any]) -> NDArray[np.float64]:
    """(4, 4), index → patient (left, back, head) in mm."""
    space = str(header.get("space", "")).lower()
    if space not in _SPACES:
        said = f"its space is {shown(space)}" if space else "it names no space"
        raise InputError(f"no orientation: {said}, which says nothing of the patient's sides",
                         remedy="say space: left-posterior-superior, if that is so")  # fmt: skip
    if (units := [*header.get("space units", ())]) and set(units) - {"mm", "millimeter"}:
        raise InputError(f"lengths are in {shown(' '.join(units))}, not mm")
    directions = np.asarray(header.get("space directions", ()), np.float64)
    if directions.shape != (3, 3) or not np.isfinite(directions).all():
        raise InputError("no orientation: it has not three space directions of three numbers")
    spacings = np.asarray(header.get("spacings", ()), np.float64)
    if np.abs(directions).max() > MOST_MM:
        raise InputError(TOO_FAR)
    lengths = np.linalg.norm(directions, axis=1)
    if spacings.size and (spacings.shape != (3,) or not np.allclose(spacings, lengths, rtol=0.01)):
        raise InputError("its spacings and its space directions contradict each other")
    affine = np.eye(4)
    affine[:3, :3] = directions.T
    affine[:3, 3] = np.asarray(header.get("space origin", (0, 0, 0)), np.float64)
    if not np.isfinite(affine).all():
        raise InputError("its space origin is not finite")
    signs = np.array(_SPACES[space])
    affine[:3] *= signs[:, None]
    return affine


def _count(header: Mapping[str, Any], name: str, least: int, most: int) -> int:
    count = int(header.get(name, 0))
    if not least <= count <= most:
        raise InputError(f"its {name} is {count}")
    return count


def _skip_lines(file: IO[bytes], lines: int) -> None:
    for _ in range(lines):
        if not file.readline(_MOST_HEADER).endswith(b"\n"):
            raise InputError("it has no such lines as its line skip leaves out")
