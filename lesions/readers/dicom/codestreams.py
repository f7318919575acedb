"""Compressed frames to arrays, through imagecodecs, once their own header fits the file's.

Decoders believe a codestream's header: a damaged one asks for gigabytes, and where the data end
early they fill the rest in silence. So size and end are checked first, and just the bytes that
were checked are decoded.

The other decoders that pydicom names were tried on mutated bytes: GDCM and pylibjpeg-rle end the
process, pylibjpeg-libjpeg is GPL. See docs/dicom.md.
"""

import struct
from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import uid

from lesions.errors import InputError, shown
from lesions.readers.dicom.header import PixelFormat
from lesions.readers.dicom.jpeg import Coded, jpeg, jpeg_ls
from lesions.readers.dicom.jpeg_2000 import jpeg_2000


def decode(frame: bytes, syntax: str, pixels: PixelFormat) -> NDArray[Any]:
    """The stored values (H, W) of one compressed frame; InputError when it does not fit."""
    if syntax == uid.RLELossless:
        return _run_lengths(frame, pixels)
    if syntax not in _DECODERS:
        raise InputError(f"the transfer syntax {shown(uid.UID(syntax).name)} is not read")
    stream, coded = _header(frame, syntax)
    if coded.shape != pixels.shape or coded.components != 1 or coded.bits > pixels.allocated:
        raise InputError(
            f"the codestream holds {coded.shape[0]} × {coded.shape[1]} pixels of "
            f"{coded.components} × {coded.bits} bits, the header says {pixels.shape[0]} × "
            f"{pixels.shape[1]} of {pixels.allocated}"
        )
    # DICOM pads to an even length with a zero, some writers with FF.
    if not stream.rstrip(b"\x00\xff").endswith(b"\xff\xd9"):
        raise InputError("the codestream ends early")
    try:
        values = np.asarray(_DECODERS[syntax](stream))
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


def _header(frame: bytes, syntax: str) -> tuple[bytes, Coded]:
    """The codestream, and what it says of itself; the transfer syntax says who reads it."""
    try:
        return _READERS[syntax](frame)
    except (IndexError, struct.error):
        raise InputError("the pixel data are no codestream of their transfer syntax") from None


def _run_lengths(frame: bytes, pixels: PixelFormat) -> NDArray[Any]:
    """RLE: one PackBits segment a byte of the value, the highest byte first (PS3.5, Annex G)."""
    size = pixels.allocated // 8
    count, *offsets = struct.unpack_from("<16L", frame.ljust(64, b"\0"))
    if count != size:
        raise InputError(f"{count} RLE segments, not {size}")
    ends = [*offsets[1:size], len(frame)]
    length = pixels.shape[0] * pixels.shape[1]
    try:
        planes = [  # a segment of odd length is padded
            np.frombuffer(imagecodecs.packbits_decode(frame[start:end], out=length + 1), np.uint8)
            for start, end in zip(offsets[:size], ends, strict=True)
        ]
    except Exception as error:
        raise InputError(f"RLE segments that do not hold {length} values: {error}") from None
    if any(not length <= len(plane) <= length + 1 for plane in planes):
        raise InputError(f"RLE segments of {[len(plane) for plane in planes]} values, not {length}")
    little = np.stack([plane[:length] for plane in reversed(planes)], axis=-1)
    return little.view(f"<u{size}").reshape(pixels.shape)


_JPEG = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1)
_JPEG_LS = (uid.JPEGLSLossless, uid.JPEGLSNearLossless)
_JPEG_2000 = (
    uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K,
)  # fmt: skip
_READERS: dict[str, Callable[[bytes], tuple[bytes, Coded]]] = {
    **dict.fromkeys(_JPEG, jpeg),
    **dict.fromkeys(_JPEG_LS, jpeg_ls),
    **dict.fromkeys(_JPEG_2000, jpeg_2000),
}
_DECODERS: dict[str, Callable[[bytes], Any]] = {
    **dict.fromkeys(_JPEG, _jpeg_values),
    **dict.fromkeys(_JPEG_LS, imagecodecs.jpegls_decode),
    **dict.fromkeys(_JPEG_2000, imagecodecs.jpeg2k_decode),
}
