"""What a JPEG 2000 codestream says of itself, as OpenJPEG reads it, or refused."""

import math
import struct
from collections.abc import Iterator, Sequence

from lesions.errors import InputError
from lesions.readers.dicom.jpeg import Coded

_START, _END = b"\xff\x4f\xff\x51", b"\xff\xd9"
_BOXES = b"\0\0\0\x0cjP  \r\n\x87\n"
_SIZE, _STYLE, _COMPONENT_STYLE, _TILE_PART, _DATA = 0xFF51, 0xFF52, 0xFF53, 0xFF90, 0xFF93
_TILE_BYTES = 14  # of a tile part's header
# Quantisation, region of interest, order, packets' lengths and headers, registration, comment.
_ANYWHERE = {_STYLE, _COMPONENT_STYLE, 0xFF5C, 0xFF5D, 0xFF5E, 0xFF5F, 0xFF64}
_IN_MAIN = _ANYWHERE | {0xFF50, 0xFF55, 0xFF57, 0xFF59, 0xFF60, 0xFF63}
_IN_TILES = _ANYWHERE | {0xFF58, 0xFF61}


def jpeg_2000(frame: bytes) -> tuple[bytes, Coded]:
    """The codestream of a frame, out of its boxes, and what its SIZ segment says."""
    stream = _codestream(frame)
    if not stream.startswith(_START):
        raise IndexError
    length, x1, y1, x0, y0, *tile = struct.unpack_from(">H2x6L", stream, 4)
    components, depth, *subsampling = struct.unpack_from(">H3B", stream, 40)
    shape = (y1 - y0, x1 - x0)
    if components == 1 and (length != 41 or subsampling != [1, 1]):
        raise InputError("the codestream is subsampled")
    if _least_bytes(stream, list(_styles(stream)), shape, tile) > len(stream):
        raise InputError("the codestream ends early")
    return stream, Coded(shape, components, (depth & 0x7F) + 1)


def _codestream(frame: bytes) -> bytes:
    """The one codestream; some writers leave the boxes of a .jp2 file around it."""
    if not frame.startswith(_BOXES):
        return frame
    boxes = list(_boxes(frame, 0, len(frame)))
    streams = [frame[start:end] for kind, start, end in boxes if kind == b"jp2c"]
    inner = [box for kind, *inside in boxes if kind == b"jp2h" for box in _boxes(frame, *inside)]
    if len(streams) != 1 or any(kind in (b"pclr", b"cmap") for kind, *_ in inner):
        raise InputError(f"boxes with {len(streams)} codestreams or a palette are not read")
    return streams[0]


def _boxes(frame: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the contents of each box from `start` to `end`."""
    while end - start >= 8:
        length, kind = struct.unpack_from(">L4s", frame, start)
        head = 8
        if length == 1:
            head, (length,) = 16, struct.unpack_from(">Q", frame, start + 8)
        length = length or end - start
        if length < head or start + length > end:
            raise InputError("the codestream ends early")
        yield kind, start + head, start + length
        start += length


def _segments(stream: bytes, at: int, end: int, known: set[int]) -> Iterator[tuple[int, int]]:
    """Marker and place of each segment up to the marker `end`, which is the last."""
    while (marker := struct.unpack_from(">H", stream, at)[0]) != end:
        (length,) = struct.unpack_from(">H", stream, at + 2)
        # Over a marker that it does not know OpenJPEG looks for the next, wherever that is.
        if marker not in known or length < 2:
            raise InputError(f"the codestream has a segment {marker:04X}, which is not read")
        yield marker, at
        at += 2 + length
    yield marker, at


def _styles(stream: bytes) -> Iterator[tuple[int, int]]:
    """Marker and place of every coding style, in the main header and those of tile parts."""
    (length,) = struct.unpack_from(">H", stream, 4)
    for marker, at in _segments(stream, 4 + length, _TILE_PART, _IN_MAIN):
        if marker in (_STYLE, _COMPONENT_STYLE):
            yield marker, at
    while stream[at : at + 2] != _END:
        head, head_length, part = struct.unpack_from(">2H2xL", stream, at)
        if head != _TILE_PART or head_length != 10 or 0 < part < 14:
            raise IndexError
        for marker, place in _segments(stream, at + 12, _DATA, _IN_TILES):
            if marker in (_STYLE, _COMPONENT_STYLE):
                yield marker, place
        if part == 0:  # the last, up to the end
            return
        at += part
        if not place < at <= len(stream) - 2:
            raise InputError("the codestream ends early")


def _least_bytes(
    stream: bytes, styles: Sequence[tuple[int, int]], shape: tuple[int, int], tile: Sequence[int]
) -> int:
    """One for each packet, and a header for each tile: damaged ones ask for memory for millions."""
    height, width = shape
    tiles = math.ceil(width / max(tile[0], 1)) * math.ceil(height / max(tile[1], 1))
    most_layers, most = 0, 0
    for marker, at in styles:
        if marker == _STYLE:
            most_layers = max(most_layers, struct.unpack_from(">H", stream, at + 6)[0])
            sized, levels, sizes_at = stream[at + 4] & 1, stream[at + 9], at + 14
        else:
            sized, levels, sizes_at = stream[at + 5] & 1, stream[at + 6], at + 11
        sizes = stream[sizes_at : sizes_at + 1 + levels] if sized else b"\xff" * (levels + 1)
        precincts = sum(
            math.ceil(width / (1 << levels - r + (size & 15)))
            * math.ceil(height / (1 << levels - r + (size >> 4)))
            for r, size in enumerate(sizes)
        )
        most = max(most, tiles * (levels + 1), precincts)
    if most_layers == 0:
        raise InputError("the codestream has no coding style")
    return most_layers * most + _TILE_BYTES * tiles
