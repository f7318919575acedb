"""DICOM files of a few kB that ask for gigabytes or minutes, and codestreams of other sizes."""

import struct
from functools import cache
from random import Random

import cv2
import imagecodecs
import numpy as np
from pydicom import uid

from tests.lesions.readers.dicom_files import ENCODERS, compress, ct
from tests.lesions.readers.fuzz.png import zeros
from tests.lesions.readers.fuzz.saving import bytes_of

_SIDE = 64


def damage(_images: list[bytes], chance: Random) -> bytes:
    kind = chance.choice((_deflated, _progressive, _precincts, _precincts, _enlarged))
    return kind(chance)


def _deflated(chance: Random) -> bytes:
    """Zeros: a tag of eight bytes, again and again."""
    return _deflated_head() + zeros(chance.choice((1, 30, 100, 1000, 4000)) << 20)[2:-4]


@cache
def _deflated_head() -> bytes:
    image = ct(SOPInstanceUID="1.2.3")
    image.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    whole = bytes_of(image)
    (length,) = struct.unpack_from("<L", whole, 140)
    return whole[: 144 + length]


def _progressive(chance: Random) -> bytes:
    """A JPEG whose last scan comes again and again."""
    pixels = np.arange(_SIDE * _SIDE).reshape(_SIDE, _SIDE).astype(np.uint8)
    done, encoded = cv2.imencode(
        ".jpg", pixels, [cv2.IMWRITE_JPEG_PROGRESSIVE, chance.choice((0, 1))]
    )
    assert done
    frame, side = encoded.tobytes(), chance.choice((_SIDE, 512, 4096))
    scan, end = frame.rindex(b"\xff\xda"), frame.rindex(b"\xff\xd9")
    frame = frame[:end] + frame[scan : scan + 20] * chance.choice((0, 1, 100, 30_000)) + frame[end:]
    return _file(resized(frame, side, side), uid.JPEGBaseline8Bit, side, bits=8)


def _precincts(chance: Random) -> bytes:
    """JPEG 2000 of many layers and tiles, and of precincts down to a pixel."""
    side, levels = chance.choice((_SIDE, 512, 4096)), chance.choice((0, 1, 5, 32))
    frame = resized(_jpeg_2000(), side, side)
    tile = chance.choice((side, side, 17, 1))
    frame = frame[:24] + struct.pack(">2L", tile, tile) + frame[32:]
    start = frame.index(b"\xff\x52")
    end = start + 2 + struct.unpack_from(">H", frame, start + 2)[0]
    style = bytearray(frame[start : start + 14])
    struct.pack_into(">H", style, 6, chance.choice((1, 1, 2, 65535)))
    style[9] = levels
    if (size := chance.choice((None, 0x00, 0x11, 0x22, 0x44, 0x88, 0xFF))) is not None:
        style[4] |= 1
        style += bytes([size]) * (levels + 1)
    struct.pack_into(">H", style, 2, len(style) - 2)
    return _file(frame[:start] + bytes(style) + frame[end:], uid.JPEG2000Lossless, side)


@cache
def _jpeg_2000() -> bytes:
    pixels = np.random.default_rng(0).integers(0, 2000, (_SIDE, _SIDE)).astype(np.uint16)
    frame: bytes = imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", reversible=True, level=0)
    return frame


def _enlarged(chance: Random) -> bytes:
    """Any codestream whose header, and the file's, say that it holds more."""
    syntax, encode, _ = ENCODERS[chance.choice(list(ENCODERS))]
    pixels = np.arange(_SIDE * _SIDE).reshape(_SIDE, _SIDE).astype(np.uint16)
    side = chance.choice((_SIDE, _SIDE + 1, 128, 1024, 4096))
    return _file(resized(encode(pixels), side, side), syntax, side)


def _file(frame: bytes, syntax: str, side: int, bits: int = 16) -> bytes:
    size = {"Rows": side, "Columns": side}
    depth = {"BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1}
    image = ct(SOPInstanceUID="1.2.3", **size, **depth)
    return bytes_of(compress(image, syntax, [frame]))


def resized(frame: bytes, rows: int, columns: int) -> bytes:
    """The same codestream, its header saying that it holds more or fewer pixels."""
    sized = bytearray(frame)
    if (start := frame.find(b"\xff\x4f\xff\x51")) >= 0:
        struct.pack_into(">2L", sized, start + 8, columns, rows)
        struct.pack_into(">2L", sized, start + 24, columns, rows)
    elif frame[:2] == b"\xff\xd8":
        at = 2
        while at + 9 < len(frame) and frame[at + 1] not in (0xC0, 0xC1, 0xC2, 0xC3, 0xF7):
            at += 2 + struct.unpack_from(">H", frame, at + 2)[0]
        if at + 9 < len(frame):
            struct.pack_into(">2H", sized, at + 5, rows, columns)
    return bytes(sized)
