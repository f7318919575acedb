"""PNG bytes to arrays and back: DeepLesion's 16-bit slices, and 8-bit label images."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lesions.errors import InputError
from lesions.labels import as_labels

HU_OFFSET = 32768  # DeepLesion stores HU + 32768 as uint16.
LARGEST_SIDE = 4096  # pixels; a few kB of PNG can ask for gigabytes
_MOST_BYTES = 4 * LARGEST_SIDE**2  # twice the pixels of the largest
_MOST_CHUNKS = 1 << 14  # 8 kB each of the largest are 4096
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOURS = {
    0: "greyscale",
    2: "colour",
    3: "palette",
    4: "greyscale and alpha",
    6: "colour and alpha",
}
# Where the passes of an interlaced image begin, and their steps: x, y, dx, dy.
_PASSES = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
    (0, 1, 1, 2),
)  # fmt: skip


def decode_slice(encoded: bytes) -> NDArray[np.int16]:
    """HU (H, W) of a 16-bit greyscale PNG; InputError when it is anything else."""
    header = read_header(encoded)
    if (header.bits, header.colour) != (16, 0):
        raise InputError(
            f"the PNG holds {header.kind}, not 16-bit greyscale",
            remedy="DeepLesion's slices are 16-bit PNG with HU + 32768",
        )
    # uint16 minus 32768 wraps around; with its highest bit flipped it is that number as int16.
    return (_decode(encoded, header) ^ np.uint16(HU_OFFSET)).view(np.int16)


def encode_slice(slice_hu: NDArray[np.integer[Any]], effort: int = 9) -> bytes:
    """16-bit PNG bytes of HU (H, W); ValueError when a value does not fit.

    Args:
        slice_hu: (H, W).
        effort: of compression; 1 takes a tenth of the time of 9, and 5 % more space.
    """
    shifted = np.asarray(slice_hu, dtype=np.int64) + HU_OFFSET
    if shifted.min(initial=0) < 0 or shifted.max(initial=0) > 65535:
        raise ValueError("HU outside -32768…32767 does not fit 16 bits")
    return _encode(shifted.astype(np.uint16), effort)


def decode_labels(encoded: bytes) -> NDArray[np.uint8]:
    """A label image (H, W): 0 background, 1 lesion, 255 uncertain; see `as_labels`."""
    header = read_header(encoded)
    if header.bits > 8 or header.colour != 0:
        raise InputError(f"the mask PNG holds {header.kind}, not 8-bit greyscale")
    return as_labels(_decode(encoded, header))


def encode_labels(labels: NDArray[np.uint8]) -> bytes:
    """8-bit PNG bytes of a label image (H, W)."""
    return _encode(np.ascontiguousarray(labels, dtype=np.uint8))


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a PNG says of itself.

    Attributes:
        shape: (H, W).
        bits: of a sample.
        colour: PNG's number of a kind of pixels, 0 = greyscale.
        interlaced: whether in seven passes.
    """

    shape: tuple[int, int]
    bits: int
    colour: int
    interlaced: bool

    @property
    def kind(self) -> str:
        """Depth and colour in words."""
        return f"{self.bits}-bit {_COLOURS.get(self.colour, 'of no known kind')}"

    @property
    def bytes(self) -> int:
        """What greyscale pixels inflate to: in each row a byte says how it is filtered."""
        height, width = self.shape
        passes = _PASSES if self.interlaced else ((0, 0, 1, 1),)
        sizes = [(len(range(y, height, dy)), len(range(x, width, dx))) for x, y, dx, dy in passes]
        return sum(rows * (1 + -(-columns * self.bits // 8)) for rows, columns in sizes if columns)


def read_header(encoded: bytes) -> Header:
    """The header of a PNG; InputError when there is none, or its sides are beyond LARGEST_SIDE."""
    if encoded[:16] != _SIGNATURE + b"\0\0\0\rIHDR" or len(encoded) < 33:
        raise _truncated()
    width, height, bits, colour, _, _, interlaced = struct.unpack(">2L5B", encoded[16:29])
    if not 1 <= min(width, height) <= max(width, height) <= LARGEST_SIDE:
        raise InputError(f"the PNG is {width} × {height}, beyond {LARGEST_SIDE}")
    return Header(shape=(height, width), bits=bits, colour=colour, interlaced=interlaced != 0)


def _decode(encoded: bytes, header: Header) -> NDArray[Any]:
    """Greyscale pixels (H, W).

    OpenCV is given header and pixels alone: text, profiles and frames, which may inflate to
    anything, never reach it, and the pixels are inflated once, here.
    """
    packed = zlib.compress(_inflated(encoded, header.bytes), level=0)
    plain = (encoded[8:33], _chunk(b"IDAT", packed), _chunk(b"IEND", b""))
    pixels = cv2.imdecode(np.frombuffer(_SIGNATURE + b"".join(plain), np.uint8),
                          cv2.IMREAD_UNCHANGED)  # fmt: skip
    if pixels is None or pixels.shape != header.shape:
        raise InputError("the PNG cannot be decoded", remedy="copy or download it again")
    return np.asarray(pixels)


def _inflated(encoded: bytes, size: int) -> bytes:
    """The filtered pixels, `size` bytes."""
    stream = zlib.decompressobj()
    try:
        raw = stream.decompress(b"".join(_pixel_chunks(encoded)), size + 1)
        raw += stream.decompress(stream.unconsumed_tail, 1)
    except zlib.error as error:
        raise InputError(f"the PNG's pixels are damaged: {error}",
                         remedy="copy or download it again") from None  # fmt: skip
    if len(raw) != size or not stream.eof:
        raise InputError("the PNG holds other pixels than its header says",
                         remedy="copy or download it again")  # fmt: skip
    return raw


def _pixel_chunks(encoded: bytes) -> Iterator[memoryview]:
    """The contents of each IDAT, in a row, of a PNG whose every chunk is whole."""
    before = b""
    for kind, content in _chunks(encoded):
        if kind == b"IDAT":
            if before not in (b"", b"IDAT"):
                raise InputError("the PNG's pixels are not in one piece")
            yield content
        # Of the kinds with a capital a decoder must know each; a palette of greyscale is a hint.
        elif kind[:1].isupper() and kind not in (b"PLTE", b"IEND"):
            raise InputError("the PNG holds a critical chunk that has no place in it")
        before = kind if before or kind == b"IDAT" else b""


def _chunks(encoded: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Kind and content of each chunk after the header; decoders fill gaps with zeros in silence."""
    if len(encoded) > _MOST_BYTES:
        raise InputError(f"the PNG has {len(encoded)} bytes, more than {_MOST_BYTES}")
    whole, at = memoryview(encoded), 8
    for _ in range(_MOST_CHUNKS):
        length, kind = struct.unpack(">L4s", encoded[at : at + 8].ljust(8, b"\0"))
        end = at + 12 + length
        checksum = encoded[end - 4 : end].ljust(4, b"\0")
        if end > len(encoded) or zlib.crc32(whole[at + 4 : end - 4]) != int.from_bytes(checksum):
            raise _truncated()
        if at > 8:
            yield kind, whole[at + 8 : end - 4]
        if kind == b"IEND":
            return
        at = end
    raise InputError(f"the PNG has more than {_MOST_CHUNKS} chunks")


def _truncated() -> InputError:
    return InputError("the PNG is truncated or no PNG", remedy="copy or download it again")


def _chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">L", len(content)) + body + struct.pack(">L", zlib.crc32(body))


def _encode(pixels: NDArray[Any], effort: int = 9) -> bytes:
    done, encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, effort])
    if not done:
        raise ValueError(f"cannot encode {pixels.dtype} of shape {pixels.shape} as PNG")
    return encoded.tobytes()
