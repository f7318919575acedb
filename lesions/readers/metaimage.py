"""MetaImage files, .mha and .mhd: their header is read here, ITK's own reader dies of damage.

Of 3,000 .mha files with damaged headers 7 ended SimpleITK by a segmentation fault (docs/dicom.md).
"""

import io
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import numpy as np
from nibabel.orientations import aff2axcodes
from numpy.typing import NDArray

from lesions.errors import InputError, shown
from lesions.readers.beside import voxels_file
from lesions.readers.bounded import open_regular
from lesions.readers.contents import HEAD, unlike
from lesions.readers.voxels import MOST_BYTES, MOST_DEFLATED, Stored, check_voxels, named

ENDINGS = (".mha", ".mhd")
_LAST, _LOCAL = "ElementDataFile", "LOCAL"
_MOST_HEADER = 1 << 16  # bytes: what is read of it takes 500
_BLOCK = 1 << 20
_KINDS = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
# One thing under several names; the first is ITK's.
_PLACE = ("Offset", "Position", "Origin")
_DIRECTIONS = ("TransformMatrix", "Rotation", "Orientation")
_MSB = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
# Fields whose every other value would make other voxels of the same bytes.
_WANTED = {
    "ObjectType": "Image", "BinaryData": "True", "ElementNumberOfChannels": "1",
    "ElementToIntensityFunctionSlope": "1", "ElementToIntensityFunctionOffset": "0",
    "DistanceUnits": "mm",
}  # fmt: skip
_CONVERT = "write it anew, as SimpleITK.WriteImage(SimpleITK.ReadImage(FILE), 'ct.mha') does"


@contextmanager
def open_metaimage(path: Path) -> Iterator[Stored]:
    """Its voxels, not read yet.

    Raises:
        InputError: no MetaImage, damaged, not three axes, beyond `MOST_VOXELS`, of a spacing that
            is not said, of several files, or with voxels outside of its folder.
    """
    with named(path, "MetaImage"), open_regular(path, MOST_BYTES) as file:
        fields = _fields(file)
        kind = _kind(fields)
        shape = _shape(fields)
        affine, warnings = _affine(fields)
        name = None if fields[_LAST].upper() == _LOCAL else fields[_LAST]
        with voxels_file(path, file, name, _CONVERT) as data:
            packed = _yes(fields, "CompressedData")
            start, size = data.tell(), data.seek(0, io.SEEK_END)
            needed = int(np.prod(shape, dtype=object)) * kind.itemsize
            if (skipped := _skipped(fields)) < 0:  # the header's size is not known: they end it
                skipped = size - start - needed
            room = (size - start) * MOST_DEFLATED if packed else size - start - skipped
            check_voxels(shape, kind, room)
            if skipped < 0 or (skipped and packed):
                raise InputError(f"its HeaderSize, {skipped}, does not fit its voxels")
            data.seek(start + skipped)
            stream = cast(IO[bytes], _Inflated(data)) if packed else data
            yield Stored(stream=stream, shape=shape, kind=kind, affine=affine, warnings=warnings)


def _fields(file: IO[bytes]) -> Mapping[str, str]:
    """The header's fields up to the last, which says where the voxels are."""
    head = file.read(HEAD)
    file.seek(0)
    if b"=" not in head[:HEAD].split(b"\n")[0]:
        raise unlike(head, "MetaImage")
    fields: dict[str, str] = {}
    while file.tell() < _MOST_HEADER and (line := file.readline(_MOST_HEADER)):
        name, equals, value = line.decode("utf-8", "replace").partition("=")
        if not equals:
            raise InputError(f"no readable MetaImage: {shown(line.decode('latin-1').strip())!r} "
                             "is no field of its header")  # fmt: skip
        name, value = name.strip(), value.strip()
        if fields.setdefault(name, value) != value:
            raise InputError(f"says {shown(name)} twice, and differently")
        if name == _LAST:
            return fields
    raise InputError(f"no readable MetaImage: its header does not end with {_LAST}")


def _shape(fields: Mapping[str, str]) -> tuple[int, ...]:
    sides = _numbers(fields, "DimSize", 3)
    if any(side != int(side) for side in sides):
        raise InputError(f"DimSize is {shown(fields['DimSize'])!r}, not whole numbers")
    return tuple(map(int, sides))


def _kind(fields: Mapping[str, str]) -> np.dtype[np.generic]:
    """Of one voxel; InputError for what would be read otherwise than it is meant."""
    for name, wanted in _WANTED.items():
        said = fields.get(name, wanted)
        if said.lower() != wanted.lower() and _number(said) != _number(wanted):
            raise InputError(f"{name} is {shown(said) or 'empty'}, not {wanted}", remedy=_CONVERT)
    if fields.get("NDims") != "3":
        raise InputError(f"has {shown(fields.get('NDims', '')) or 'unknown'} axes, not 3")
    if (kind := fields.get("ElementType", "")) not in _KINDS:
        raise InputError(f"ElementType is {shown(kind) or 'missing'}: the voxels are not numbers")
    order = {_yes(fields, name) for name in _MSB if name in fields}
    if len(order) > 1:
        raise InputError(f"{' and '.join(_MSB)} contradict each other")
    return np.dtype(_KINDS[kind]).newbyteorder(">" if True in order else "<")


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _yes(fields: Mapping[str, str], name: str) -> bool:
    word = fields.get(name, "False").lower()
    if word not in ("true", "false", "1", "0"):
        raise InputError(f"{name} is {shown(word) or 'empty'}, not True or False")
    return word in ("true", "1")


def _numbers(fields: Mapping[str, str], name: str, count: int) -> list[float]:
    try:
        numbers = [float(part) for part in fields[name].split()]
    except KeyError:
        raise InputError(f"{name} is missing") from None
    except ValueError:
        numbers = []
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise InputError(f"{name} is {shown(fields[name])!r}, not {count} numbers")
    return numbers


def _affine(fields: Mapping[str, str]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """(4, 4), index → patient (left, back, head), ITK's own axes; and what was chosen."""
    warnings: list[str] = []
    if "ElementSpacing" not in fields:
        raise InputError("does not say its voxels' size: ElementSpacing is missing")
    spacing = _numbers(fields, "ElementSpacing", 3)
    if min(spacing) <= 0:
        raise InputError(f"ElementSpacing is not positive: {fields['ElementSpacing']}")
    if "ElementSize" in fields:
        size = _numbers(fields, "ElementSize", 3)
        if not np.allclose(size, spacing, rtol=0.01):
            warnings.append("ElementSize is not ElementSpacing: the spacing counts")
    affine = np.eye(4)
    if directions := _one_of(fields, _DIRECTIONS):
        affine[:3, :3] = np.reshape(_numbers(fields, directions, 9), (3, 3)).T
        lengths = np.linalg.norm(np.clip(affine[:3, :3], -2, 2), axis=0)
        if not np.allclose(lengths, 1, rtol=0.01):
            raise InputError(f"the rows of {directions} are no directions: they are not one long")
    else:
        warnings.append("TransformMatrix is missing: the axes are taken to run left, back and head")
    if said := _other_sides(fields, affine):
        warnings.append(said)
    affine[:3, :3] *= spacing
    if place := _one_of(fields, _PLACE):
        affine[:3, 3] = _numbers(fields, place, 3)
    return affine, tuple(warnings)


def _one_of(fields: Mapping[str, str], names: tuple[str, ...]) -> str:
    """The name that a header uses for what may be called by several; "" for none."""
    found = [name for name in names if name in fields]
    for other in found[1:]:
        if fields[other].split() != fields[found[0]].split():
            raise InputError(f"{found[0]} and {other} contradict each other")
    return found[0] if found else ""


def _other_sides(fields: Mapping[str, str], directions: NDArray[np.float64]) -> str:
    """What AnatomicalOrientation says that the directions do not; "" where they agree."""
    said = fields.get("AnatomicalOrientation", "")
    # It names the side that an axis comes from: RAI runs to the left, back and head.
    own = "".join(str(way) for way in aff2axcodes(directions, (("L", "R"), ("P", "A"), ("S", "I"))))
    if said == own or not _names_sides(said):
        return ""
    return f"AnatomicalOrientation is {said}, the directions are {own}: the directions count"


def _names_sides(said: str) -> bool:
    """Whether three letters name a side of each of the patient's axes."""
    return sorted("LRAPSI".find(side) // 2 for side in said) == [0, 1, 2]


def _skipped(fields: Mapping[str, str]) -> int:
    """Bytes before the voxels; -1 where they are the file's last."""
    (size,) = _numbers(fields, "HeaderSize", 1) if "HeaderSize" in fields else (0.0,)
    most = 0 if fields[_LAST].upper() == _LOCAL else MOST_BYTES
    if size != int(size) or not -1 <= size <= most:
        raise InputError(f"HeaderSize is {shown(fields['HeaderSize'])}")
    return int(size)


class _Inflated:
    """What zlib's data, or gzip's, inflate to: no more than is asked for."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._inflater = file, zlib.decompressobj(zlib.MAX_WBITS | 32)

    def read(self, size: int) -> bytes:
        """So many bytes, or what there is."""
        found = bytearray()
        while len(found) < size and not self._inflater.eof:
            packed = self._inflater.unconsumed_tail or self._file.read(_BLOCK)
            more = self._inflater.decompress(packed, size - len(found))
            if not packed and not more:
                raise EOFError
            found += more
        return bytes(found)
