"""Compressed frames to arrays, through imagecodecs, once their own header fits the file's.

Decoders believe a codestream's header: a damaged one asks for gigabytes, and where the data end
early they fill the rest in silence. So size and end are checked first.

The other decoders that pydicom names were tried on mutated bytes: GDCM and pylibjpeg-rle end the
process, pylibjpeg-libjpeg is GPL. See docs/dicom.md.
"""

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid

from lesions.errors import InputError, shown
from lesions.readers.dicom.header import PixelFormat

# Start-of-frame markers: baseline, extended, lossless, JPEG-LS; DICOM has no other, and a
# progressive file of a megabyte can hold scans for minutes.
_FRAME_STARTS = (0xC0, 0xC1, 0xC3, 0xF7)
_COD, _SOT = 0xFF52, 0xFF90
_J2K_START = b"\xff\x4f\xff\x51"


class _Coded(NamedTuple):
    """What a codestream says of itself."""

    shape: tuple[int, int]
    components: int
    bits: int


def decode(frame: bytes, syntax: str, pixels: PixelFormat) -> NDArray[Any]:
    """The stored values (H, W) of one compressed frame; InputError when it does not fit."""
    if syntax == uid.RLELossless:
        return _run_lengths(frame, pixels)
    if syntax not in _DECODERS:
        raise InputError(f"the transfer syntax {shown(uid.UID(syntax).name)} is not read")
    coded = _coded(frame)
    if coded.shape != pixels.shape or coded.components != 1 or coded.bits > pixels.allocated:
        raise InputError(
            f"the codestream holds {coded.shape[0]} × {coded.shape[1]} pixels of "
            f"{coded.components} × {coded.bits} bits, the header says {pixels.shape[0]} × "
            f"{pixels.shape[1]} of {pixels.allocated}"
        )
    # DICOM pads to an even length with a zero, some writers with FF.
    if not frame.rstrip(b"\x00\xff").endswith(b"\xff\xd9"):
        raise InputError("the codestream ends early")
    try:
        values = np.asarray(_DECODERS[syntax](frame))
    except InputError:
        raise
    except Exception as error:  # every codec has its own kind
        raise InputError(f"the codestream cannot be decoded: {error}") from None
    if values.shape != pixels.shape or values.dtype.kind not in "iu":
        raise InputError(f"the codestream holds {values.dtype} of shape {values.shape}")
    if pixels.signed and values.dtype.kind == "u" and coded.bits < pixels.stored:
        raise InputError(
            f"signed values of {pixels.stored} bits in a codestream of {coded.bits} unsigned bits"
        )
    return values


def _jpeg_values(frame: bytes) -> NDArray[Any]:
    """JPEG, all of it there: libjpeg makes up what is missing, and only warns.

    Where the data end early, bytes put before the end are read as pixels and change the image.
    """
    values = np.asarray(imagecodecs.jpeg8_decode(frame))
    end = frame.rindex(b"\xff\xd9")
    longer = frame[:end] + b"\x5a\xc3\x99\x66" * 16 + frame[end:]
    if not np.array_equal(values, imagecodecs.jpeg8_decode(longer)):
        raise InputError("the codestream ends early")
    return values


def _coded(frame: bytes) -> _Coded:
    try:
        if frame[:2] == b"\xff\xd8":
            return _jpeg(frame)
        # Some writers leave the boxes of a .jp2 file around the codestream.
        if (start := frame.find(_J2K_START)) >= 0:
            return _jpeg_2000(frame[start:])
    except (IndexError, struct.error):
        pass
    raise InputError("the pixel data are no codestream of their transfer syntax")


def _jpeg(frame: bytes) -> _Coded:
    """JPEG and JPEG-LS: walk the segments to the start of frame."""
    at = 2
    while frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker in _FRAME_STARTS:
            bits, rows, columns, components = struct.unpack_from(">BHHB", frame, at + 4)
            return _Coded((rows, columns), components, bits)
        at += 1 if marker == 0xFF else 2 + struct.unpack_from(">H", frame, at + 2)[0]
    raise IndexError


def _jpeg_2000(frame: bytes) -> _Coded:
    """The SIZ segment: image area, tiles, components."""
    x1, y1, x0, y0, *tile = struct.unpack_from(">6L", frame, 8)
    components, depth = struct.unpack_from(">HB", frame, 40)
    shape = (y1 - y0, x1 - x0)
    if _packets(frame, shape, tile) > len(frame):  # each takes a byte or more
        raise InputError("the codestream ends early")
    return _Coded(shape, components, (depth & 0x7F) + 1)


def _packets(frame: bytes, shape: tuple[int, int], tile: Sequence[int]) -> int:
    """The least packets of a JPEG 2000 codestream: damaged ones ask for memory for millions."""
    at = 2
    while (marker := struct.unpack_from(">H", frame, at)[0]) not in (_COD, _SOT):
        at += 2 + struct.unpack_from(">H", frame, at + 2)[0]
    if marker == _SOT:
        raise InputError("the codestream has no coding style")
    layers: int = struct.unpack_from(">H", frame, at + 6)[0]
    levels, sized = frame[at + 9], frame[at + 4] & 1
    sizes = frame[at + 14 : at + 15 + levels] if sized else b"\xff" * (levels + 1)
    height, width = shape
    tiles = math.ceil(width / max(tile[0], 1)) * math.ceil(height / max(tile[1], 1))
    precincts = sum(
        math.ceil(width / (1 << levels - r + (size & 15)))
        * math.ceil(height / (1 << levels - r + (size >> 4)))
        for r, size in enumerate(sizes)
    )
    return layers * max(tiles * (levels + 1), precincts)


def _run_lengths(frame: bytes, pixels: PixelFormat) -> NDArray[Any]:
    """RLE: one PackBits segment a byte of the value, the highest byte first (PS3.5, Annex G)."""
    size = pixels.allocated // 8
    count, *offsets = struct.unpack_from("<16L", frame.ljust(64, b"\0"))
    if count != size:
        raise InputError(f"{count} RLE segments, not {size}")
    ends = [*offsets[1:size], len(frame)]
    try:
        planes = [
            np.frombuffer(imagecodecs.packbits_decode(frame[start:end]), np.uint8)
            for start, end in zip(offsets[:size], ends, strict=True)
        ]
    except Exception as error:
        raise InputError(f"the RLE data cannot be decoded: {error}") from None
    length = pixels.shape[0] * pixels.shape[1]
    # A segment of odd length is padded.
    if any(not length <= len(plane) <= length + 1 for plane in planes):
        raise InputError(f"RLE segments of {[len(plane) for plane in planes]} values, not {length}")
    little = np.stack([plane[:length] for plane in reversed(planes)], axis=-1)
    return little.view(f"<u{size}").reshape(pixels.shape)


_Decoder = Callable[[bytes], Any]
_DECODERS: dict[str, _Decoder] = {
    **dict.fromkeys(
        (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1),
        _jpeg_values,
    ),
    **dict.fromkeys((uid.JPEGLSLossless, uid.JPEGLSNearLossless), imagecodecs.jpegls_decode),
    **dict.fromkeys(
        (uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K),
        imagecodecs.jpeg2k_decode,
    ),
}
