"""Stored values to HU."""

import os
import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from lesions.errors import InputError
from lesions.readers.dicom.archives import MOST_BYTES
from lesions.readers.dicom.codestreams import decode
from lesions.readers.dicom.header import PixelFormat, Slice
from lesions.readers.dicom.opening import Bounded, open_dicom
from lesions.readers.dicom.tags import whole

MOST_HU = 3071  # of 12 bits: whole slices of denser matter are none
_NATIVE = (
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
)


def read_hu(slices: Sequence[Slice], hu: NDArray[np.int16]) -> int:
    """Put the HU of slices, in their order, into `hu` (D, H, W); each file is opened once.

    Returns:
        In how many slices bits above the value were left out; see `stored_values`.

    Raises:
        InputError: pixels that are absent, damaged, or beyond what HU can be here.
    """
    places: dict[Path, dict[int, int]] = defaultdict(dict)
    for index, one in enumerate(slices):
        places[one.file][one.frame] = index
    trimmed = 0
    for own in places.values():
        ordered = [index for _, index in sorted(own.items())]
        frames = hu_of([slices[i] for i in ordered])
        for index, (image, cut) in zip(ordered, frames, strict=True):
            hu[index] = image
            trimmed += cut
    return trimmed


def hu_of(frames: Sequence[Slice]) -> Iterator[tuple[NDArray[np.int16], bool]]:
    """The HU (H, W) of all frames of one file, one after the other, and whether bits were left out.

    Raises as `read_hu`.
    """
    pixels = frames[0].format
    with open_dicom(frames[0].file, ("NumberOfFrames",)) as (dataset, stream):
        count = whole(dataset, "NumberOfFrames", default=1)
        if count != len(frames):
            raise InputError("the file has changed while it was read")
        for one, raw in zip(frames, _frames(dataset, stream, count, pixels), strict=True):
            values, cut = stored_values(raw, pixels, one.rescale)
            yield to_hu(values, one.rescale), cut


def _frames(
    dataset: Dataset, stream: BinaryIO, count: int, pixels: PixelFormat
) -> Iterator[NDArray[Any]]:
    """The frames of a file as stored, (H, W) each; InputError unless the data are all there."""
    length = pixel_length(dataset, stream)
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
    if syntax and syntax not in _NATIVE:
        return _compressed(stream, count, syntax, pixels)
    if length is None:
        raise InputError("compressed pixels without a transfer syntax that says how")
    return _native(stream, length, count, pixels, little=_is_little(dataset))


def _is_little(dataset: Dataset) -> bool:
    _, little = dataset.original_encoding
    return little is not False


def pixel_length(dataset: Dataset, stream: BinaryIO) -> int | None:
    """The bytes of the pixel data that the stream is led to; None where they are fragments."""
    order = "<" if _is_little(dataset) else ">"
    head = stream.read(12)
    if len(head) < 12 or struct.unpack_from(f"{order}2H", head) != (0x7FE0, 0x0010):
        raise InputError("the file has no pixel data")
    # Without a VR the length comes at once; it is even, and O and U are odd.
    if head[4:6] in (b"OB", b"OW", b"UN"):
        (length,) = struct.unpack_from(f"{order}L", head, 8)
    else:
        (length,) = struct.unpack_from(f"{order}L", head, 4)
        stream.seek(-4, os.SEEK_CUR)
    if length == 0:
        raise InputError("the file has no pixel data")
    return None if length == 0xFFFFFFFF else int(length)


def read_exactly(stream: BinaryIO, count: int) -> bytes:
    """So many bytes; InputError where the file ends before."""
    data = stream.read(count)
    if len(data) < count:
        raise InputError("the file ends early")
    return data


def _compressed(
    stream: BinaryIO, count: int, syntax: str, pixels: PixelFormat
) -> Iterator[NDArray[Any]]:
    (offsets,) = struct.unpack_from("<4xL", stream.read(8))
    if offsets > 4 * count:
        raise InputError(f"{offsets // 4} offsets of frames, NumberOfFrames says {count}")
    stream.seek(-8, os.SEEK_CUR)
    bounded, found = Bounded(stream, "the pixel data", MOST_BYTES), 0
    for frame in generate_frames(bounded.stream, number_of_frames=count):
        found += 1
        if found <= count:
            yield decode(frame, syntax, pixels)
    if found != count:
        raise InputError(f"{found} compressed frames, NumberOfFrames says {count}")


def _native(
    stream: BinaryIO, length: int, count: int, pixels: PixelFormat, *, little: bool
) -> Iterator[NDArray[Any]]:
    size = pixels.allocated // 8
    needed = count * pixels.shape[0] * pixels.shape[1] * size
    # DICOM pads to an even length.
    if length != needed + needed % 2:
        raise InputError(f"the pixel data have {length} bytes, {count} frames of "
                         f"{pixels.shape[0]} × {pixels.shape[1]} need {needed}")  # fmt: skip
    if size == 1 and not little:
        raise InputError("8-bit values in big-endian words are not read")
    for _ in range(count):
        frame = np.frombuffer(
            read_exactly(stream, needed // count), f"{'<' if little else '>'}u{size}"
        )
        yield frame.reshape(pixels.shape)


def stored_values(
    raw: NDArray[Any], pixels: PixelFormat, rescale: tuple[float, float]
) -> tuple[NDArray[np.int32], bool]:
    """Values (H, W) of `stored` bits, with their sign, from the `allocated` bits that hold them.

    Bits above them that say nothing are left out: the same in every pixel, and with them no pixel
    would be what CT measures.

    Returns:
        The values, and whether such bits were left out.

    Raises:
        InputError: the bits above the value are neither that, nor zero, nor its sign: an overlay,
            or values that do not fit.
    """
    if not pixels.signed and raw.min() < 0:
        raise InputError("PixelRepresentation says unsigned, the codestream holds negative values")
    held = raw.astype(np.int32) & ((1 << pixels.allocated) - 1)
    value = held & ((1 << pixels.stored) - 1)
    zeros = value == held
    if pixels.signed:
        value = value - ((value >> (pixels.stored - 1)) << pixels.stored)
        zeros |= (value & ((1 << pixels.allocated) - 1)) == held
    if zeros.all():
        return value, False
    above = held >> pixels.stored
    with_them = (held * rescale[0] + rescale[1]).min()
    if zeros.any() or above.min() < above.max() or with_them <= MOST_HU:
        raise InputError(
            f"BitsStored is {pixels.stored}, {np.count_nonzero(~zeros)} values have more",
            remedy="store it with as many bits as its values have, and overlays apart from them",
        )
    return value, True


def to_hu(values: NDArray[np.int32], rescale: tuple[float, float]) -> NDArray[np.int16]:
    """HU rounded to whole numbers; InputError when one is beyond 16 bits."""
    slope, intercept = rescale
    hu = np.multiply(values, slope, dtype=np.float64)
    hu += intercept
    np.rint(hu, out=hu)
    low, high = float(hu.min()), float(hu.max())
    if low < -32768 or high > 32767:
        raise InputError(f"HU from {low:g} to {high:g} do not fit 16 bits")
    return hu.astype(np.int16)
