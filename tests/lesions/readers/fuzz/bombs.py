"""DICOM files of a few kB that ask for gigabytes or minutes, and codestreams of other sizes."""

import struct
from functools import cache
from random import Random

import cv2
import imagecodecs
import numpy as np
from pydicom import uid
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from tests.lesions.readers.dicom_files import ENCODERS, HU, compress, ct, enhanced, item
from tests.lesions.readers.fuzz.png import zeros
from tests.lesions.readers.fuzz.saving import bytes_of

_SIDE = 64


def damage(_images: list[bytes], chance: Random) -> bytes:
    kind = chance.choice((
        _deflated, _progressive, _precincts, _precincts, _enlarged, _hidden_box, _hidden_jpeg,
        _frames, _elements,
    ))  # fmt: skip
    return kind(chance)


def _deflated(chance: Random) -> bytes:
    how = chance.choice((deflated, deflated_elsewhere, deflated_without_mark))
    return how(chance.choice((1, 30, 100, 1000, 4000)))


def deflated(megabytes: int) -> bytes:
    """Zeros: a tag of eight bytes, again and again."""
    return _deflated_head() + zeros(megabytes << 20)[2:-4]


def deflated_without_mark(megabytes: int) -> bytes:
    """The same without preamble, as old files are."""
    return deflated(megabytes)[132:]


def deflated_elsewhere(megabytes: int) -> bytes:
    """The same behind a command element, which pydicom reads over, and which inflates to little."""
    stored = b"\0\0\x01\xff\xfe" + bytes(256) + b"\x03\0"  # (0000,FF01), 510 bytes
    element = stored[:5] + b"\x01\0\0" + stored[8:].ljust(510, b"\0")
    return _deflated_head() + element + zeros(megabytes << 20)[2:-4]


@cache
def _deflated_head() -> bytes:
    image = ct(SOPInstanceUID="1.2.3")
    image.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    whole = bytes_of(image)
    (length,) = struct.unpack_from("<L", whole, 140)
    return whole[: 144 + length]


def _progressive(chance: Random) -> bytes:
    side = chance.choice((_SIDE, 512, 4096))
    frame = progressive(side, chance.choice((0, 1, 100, 30_000)), chance.choice((0, 1)))
    return _file(frame, uid.JPEGBaseline8Bit, side, bits=8)


def progressive(side: int, scans: int, is_progressive: int = 1) -> bytes:
    """A JPEG whose last scan comes again and again."""
    pixels = np.arange(_SIDE * _SIDE).reshape(_SIDE, _SIDE).astype(np.uint8)
    done, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_PROGRESSIVE, is_progressive])
    assert done
    frame = encoded.tobytes()
    scan, end = frame.rindex(b"\xff\xda"), frame.rindex(b"\xff\xd9")
    return resized(frame[:end] + frame[scan : scan + 20] * scans + frame[end:], side, side)


def hidden_box(side: int) -> bytes:
    """JPEG 2000 of `side`, and a smaller codestream in a box that nobody reads."""
    frame = jp2()
    hidden = jpeg_2000()
    free = struct.pack(">L4s", 8 + len(hidden), b"free") + hidden
    start = frame.index(b"jp2h") - 4
    header = frame.index(b"ihdr") + 4
    frame = frame[:header] + struct.pack(">2L", side, side) + frame[header + 8 :]
    return frame[:start] + free + resized(frame[start:], side, side)


def _hidden_box(chance: Random) -> bytes:
    side = chance.choice((_SIDE, 512, 8192))
    return _file(hidden_box(side), uid.JPEG2000Lossless, chance.choice((_SIDE, side)))


def hidden_jpeg(frame: bytes, start: int, bits: int, side: int) -> bytes:
    """A JPEG codestream behind a marker without parameters.

    Who takes what follows it for a length finds another frame header, of `side`, in a comment.
    """
    header = struct.pack(">BBHBHHB", 0xFF, start, 11, bits, side, side, 1)
    comments = b"\xff\xfe" + struct.pack(">H", 60_000) + bytes(59_998)
    comments += b"\xff\xfe" + struct.pack(">H", 10_000) + bytes(5528) + header
    return b"\xff\xd8\xff\xd0" + comments.ljust(70_004, b"\0") + frame[2:]


def _hidden_jpeg(chance: Random) -> bytes:
    if chance.random() < 0.5:
        side = chance.choice((_SIDE, 512, 4096))
        frame = hidden_jpeg(progressive(side, chance.choice((1, 30_000))), 0xC0, 8, side)
        return _file(frame, uid.JPEGBaseline8Bit, side, bits=8)
    syntax, encode, _ = ENCODERS["JPEG lossless"]
    pixels = np.arange(_SIDE * _SIDE).reshape(_SIDE, _SIDE).astype(np.uint16)
    large = resized(encode(pixels), 20_000, 20_000)
    return _file(hidden_jpeg(large, 0xC3, 16, _SIDE), syntax, _SIDE)


def _frames(chance: Random) -> bytes:
    """Blank frames that take no bytes, or a header that asks for them without having any."""
    side, count = chance.choice((512, 4096)), chance.choice((1, 20, 1000, 20_000))
    return multi_frame(count, side, blank(side) if chance.random() < 0.5 else b"\0\0")


@cache
def blank(side: int) -> bytes:
    """A frame of zeros in JPEG-LS: some ten bytes."""
    frame: bytes = imagecodecs.jpegls_encode(np.zeros((side, side), np.uint16))
    return frame


@cache
def blank_file(number: int) -> bytes:
    """A series of one blank slice: 2 MB in 1.3 kB."""
    image = ct(Rows=1024, Columns=1024, SOPInstanceUID=f"1.2.6.{number}", RescaleIntercept=0)
    image.SeriesInstanceUID = f"1.2.7.{number}"
    return bytes_of(compress(image, uid.JPEGLSLossless, [blank(1024)]))


def multi_frame(count: int, side: int, frame: bytes | None) -> bytes:
    """An enhanced file of one JPEG-LS frame, at most 5,000 times, that says it has `count`.

    Without a frame: of uncompressed zeros, all there.
    """
    image = enhanced(HU[:1], SOPInstanceUID="1.2.3")
    image.Rows, image.Columns, image.NumberOfFrames = side, side, count
    if frame is None:
        image.PixelData = bytes(2 * count * side * side)
    else:
        compress(image, uid.JPEGLSLossless, [frame] * min(count, 5000))
    places = [
        _element(0x0020_9113, "SQ", _item(_element(0x0020_0032, "DS", b"0\\0\\%d" % number)))
        for number in range(count)
    ]
    scale = item(RescaleSlope=1, RescaleIntercept=0, RescaleType="HU")
    image.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence = [scale]
    return with_frames(bytes_of(image), b"".join(map(_item, places)))


def with_frames(whole: bytes, items: bytes) -> bytes:
    """An enhanced file with these items in place of what it says of its frames."""
    at = whole.index(b"\0\x52\x30\x92SQ")
    (length,) = struct.unpack_from("<L", whole, at + 8)
    return whole[:at] + _element(0x5200_9230, "SQ", items) + whole[at + 12 + length :]


def _element(tag: int, vr: str, value: bytes) -> bytes:
    value += b" " * (len(value) % 2)
    head = struct.pack("<2H2s", tag >> 16, tag & 0xFFFF, vr.encode())
    return head + struct.pack("<2xL" if vr == "SQ" else "<H", len(value)) + value


def _item(value: bytes = b"") -> bytes:
    return b"\xfe\xff\0\xe0" + struct.pack("<L", len(value)) + value


def _elements(chance: Random) -> bytes:
    """More items or values than any header has, or nested deeper."""
    count = chance.choice((1000, 30_000, 100_000, 2_000_000))
    image = enhanced(HU[:1], SOPInstanceUID="1.2.3")
    how = chance.choice(("items", "no items", "nested", "values", "character sets"))
    if how == "nested":
        return nested(count)
    if how == "values":
        tag = Tag("ImageType")
        value = b"1\\" * min(count, 32_000)
        image[tag] = RawDataElement(tag, "CS", len(value), value, 0, False, True, True)
        return bytes_of(image)
    items = {
        "items": _item() * count,
        "no items": bytes(8) * count,
        "character sets": _item(_element(0x0008_0005, "CS", b"A\\" * 32)) * (count // 10),
    }
    return with_frames(bytes_of(image), items[how])


def nested(depth: int) -> bytes:
    """Sequences in sequences, none of them with an end."""
    whole = bytes_of(ct(SOPInstanceUID="1.2.3", PixelData=None))
    start = b"\x40\0\x75\x02SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\xff\xff\xff\xff"
    return whole + start * depth


def _precincts(chance: Random) -> bytes:
    """JPEG 2000 of many layers and tiles, and of precincts down to a pixel."""
    side, levels = chance.choice((_SIDE, 512, 4096)), chance.choice((0, 1, 5, 32))
    frame = resized(jpeg_2000(), side, side)
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
def jpeg_2000() -> bytes:
    """64 × 64 values."""
    pixels = np.random.default_rng(0).integers(0, 2000, (_SIDE, _SIDE)).astype(np.uint16)
    frame: bytes = imagecodecs.jpeg2k_encode(pixels, codecformat="j2k", reversible=True, level=0)
    return frame


@cache
def jp2() -> bytes:
    """The same in the boxes of a .jp2 file."""
    pixels = np.random.default_rng(0).integers(0, 2000, (_SIDE, _SIDE)).astype(np.uint16)
    frame: bytes = imagecodecs.jpeg2k_encode(pixels, codecformat="jp2", reversible=True, level=0)
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
