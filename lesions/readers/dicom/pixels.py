"""Stored values to HU."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from lesions.errors import InputError
from lesions.readers.dicom.codestreams import decode
from lesions.readers.dicom.header import PixelFormat, Slice
from lesions.readers.dicom.tags import named_errors, open_dicom, whole

_NATIVE = (
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
)


def read_hu(slices: Sequence[Slice]) -> NDArray[np.int16]:
    """HU (D, H, W) of slices of one size, in their order; each file is opened once.

    Raises:
        InputError: pixels that are absent, damaged, or beyond what HU can be here.
    """
    volume: NDArray[np.int16] | None = None
    place = {(one.file, one.frame): index for index, one in enumerate(slices)}
    for file, pixels in {one.file: one.format for one in slices}.items():
        with named_errors(file):
            for frame, raw in enumerate(_frames(file, pixels)):
                index = place[file, frame]
                hu = to_hu(stored_values(raw, pixels), slices[index].rescale)
                if volume is None:  # the first frame has proved that the size is no damage
                    volume = np.empty((len(slices), *hu.shape), np.int16)
                volume[index] = hu
    assert volume is not None
    return volume


def _frames(file: Path, pixels: PixelFormat) -> Iterator[NDArray[Any]]:
    """The frames of a file as stored, (H, W) each; InputError unless the data are all there."""
    dataset = open_dicom(file)
    data = dataset.get("PixelData")
    if not data:
        raise InputError("the file has no pixel data")
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
    count = whole(dataset, "NumberOfFrames", default=1)
    if syntax and syntax not in _NATIVE:
        frames = list(generate_frames(data, number_of_frames=count))
        if len(frames) != count:
            raise InputError(f"{len(frames)} compressed frames, NumberOfFrames says {count}")
        return (decode(frame, syntax, pixels) for frame in frames)
    if dataset["PixelData"].is_undefined_length:
        raise InputError("compressed pixels without a transfer syntax that says how")
    return iter(_native(data, count, pixels, dataset))


def _native(data: bytes, count: int, pixels: PixelFormat, dataset: Dataset) -> NDArray[Any]:
    """Uncompressed frames (count, H, W)."""
    size = pixels.allocated // 8
    needed = count * pixels.shape[0] * pixels.shape[1] * size
    # DICOM pads to an even length.
    if len(data) != needed + needed % 2:
        raise InputError(f"the pixel data have {len(data)} bytes, {count} frames of "
                         f"{pixels.shape[0]} × {pixels.shape[1]} need {needed}")  # fmt: skip
    _, little = dataset.original_encoding
    if size == 1 and not little:
        raise InputError("8-bit values in big-endian words are not read")
    stored = np.frombuffer(data, f"{'<' if little else '>'}u{size}", needed // size)
    return stored.reshape(count, *pixels.shape)


def stored_values(raw: NDArray[Any], pixels: PixelFormat) -> NDArray[np.int32]:
    """Values (H, W) of `stored` bits, with their sign, from the `allocated` bits that hold them.

    Raises:
        InputError: the bits above the value are neither zero nor its sign: an overlay, or a
            padding value that does not fit.
    """
    if not pixels.signed and raw.min() < 0:
        raise InputError("PixelRepresentation says unsigned, the codestream holds negative values")
    held = raw.astype(np.int32) & ((1 << pixels.allocated) - 1)
    value = held & ((1 << pixels.stored) - 1)
    zeros = value == held
    if pixels.signed:
        value = value - ((value >> (pixels.stored - 1)) << pixels.stored)
        zeros |= (value & ((1 << pixels.allocated) - 1)) == held
    if not zeros.all():
        raise InputError(
            f"BitsStored is {pixels.stored}, {np.count_nonzero(~zeros)} values have more"
        )
    return value


def to_hu(values: NDArray[np.int32], rescale: tuple[float, float]) -> NDArray[np.int16]:
    """HU rounded to whole numbers; InputError when one is beyond 16 bits."""
    slope, intercept = rescale
    hu: NDArray[np.float64] = np.rint(values * slope + intercept)
    low, high = float(hu.min()), float(hu.max())
    if low < -32768 or high > 32767:
        raise InputError(f"HU from {low:g} to {high:g} do not fit 16 bits")
    return hu.astype(np.int16)
