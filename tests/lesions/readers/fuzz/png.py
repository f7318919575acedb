"""PNG files damaged from outside, and from inside with checksums that hold."""

import struct
import zlib
from functools import cache
from pathlib import Path
from random import Random

from lesions.readers.deeplesion import TABLE
from lesions.sample import ROOT
from tests.lesions.readers.fuzz import rows
from tests.lesions.readers.fuzz.mutations import INTEGERS, mutate

SIGNATURE = b"\x89PNG\r\n\x1a\n"
Chunk = tuple[bytes, bytes]
_SIDES = (0, 1, 2, 100, 4096, 4097, 20_000, 32_768, 65_535, 1_000_000, 2**31 - 1, 2**32 - 1)
_EXTRA = (
    b"tRNS", b"PLTE", b"gAMA", b"sBIT", b"bKGD", b"iCCP", b"zTXt", b"eXIf", b"acTL", b"fcTL",
    b"fdAT", b"cHRM", b"pHYs", b"tIME", b"IHDR", b"IDAT", b"IEND", b"ABCD",
)  # fmt: skip


def write_slice(chance: Random, folder: Path) -> None:
    _write(chance, folder, "Images_png", "{}.png")


def write_mask(chance: Random, folder: Path) -> None:
    _write(chance, folder, "Masks_png", "{}_1.png")


def _write(chance: Random, folder: Path, damaged: str, name: str) -> None:
    """A data set of one row; its slice or its human mask is damaged."""
    columns, table = rows.table()
    row, other = chance.sample(table, 2)
    (folder / TABLE).write_bytes(rows.text_of([columns, row]))
    for kind, pattern in (("Images_png", "{}.png"), ("Masks_png", "{}_1.png")):
        path = _path(row, kind, pattern)
        whole = (ROOT / path).read_bytes()
        if kind == damaged:
            whole = damage(whole, (ROOT / _path(other, kind, pattern)).read_bytes(), chance)
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_bytes(whole)


def _path(row: list[str], kind: str, pattern: str) -> Path:
    series, index = row[0].removesuffix(".png").rsplit("_", 1)
    return Path(kind, series, pattern.format(index))


def damage(whole: bytes, other: bytes, chance: Random) -> bytes:
    if chance.random() < 0.25:
        return mutate(whole, chance, others=[other], front=64)
    mutated = whole
    while mutated == whole:
        chunks = chunks_of(whole)
        for _ in range(chance.choice((1, 1, 2))):
            inside = (_header, _header, _pixels, _pixels, _deflated, _order, _extra, _bomb, _chunk)
            chunks = chance.choice(inside)(chunks, chance)
        mutated = png_of(chunks)
    return mutated


def chunks_of(whole: bytes) -> list[Chunk]:
    chunks, at = [], 8
    while at < len(whole):
        length, kind = struct.unpack_from(">I4s", whole, at)
        chunks.append((kind, whole[at + 8 : at + 8 + length]))
        at += 12 + length
    return chunks


def png_of(chunks: list[Chunk]) -> bytes:
    return SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _replaced(chunks: list[Chunk], kind: bytes, data: bytes) -> list[Chunk]:
    """All chunks of a kind become one."""
    first = next((i for i, one in enumerate(chunks) if one[0] == kind), len(chunks))
    rest = [one for one in chunks if one[0] != kind]
    return [*rest[:first], (kind, data), *rest[first:]]


def _data(chunks: list[Chunk], kind: bytes) -> bytes:
    return b"".join(data for name, data in chunks if name == kind)


def _header(chunks: list[Chunk], chance: Random) -> list[Chunk]:
    header = bytearray(_data(chunks, b"IHDR")[:13].ljust(13, b"\0"))
    field = chance.randrange(7)
    if field < 2:
        side = chance.choice(_SIDES)
        header[4 * field : 4 * field + 4] = struct.pack(">I", side)
        if chance.random() < 0.5:
            header[:8] = struct.pack(">II", side, side)
    else:
        header[6 + field] = chance.choice((0, 1, 2, 3, 4, 6, 8, 16, 32, 255))
    return _replaced(chunks, b"IHDR", bytes(header))


def _pixels(chunks: list[Chunk], chance: Random) -> list[Chunk]:
    """Filter types and values change, the stream around them is sound."""
    try:
        raw = bytearray(zlib.decompressobj().decompress(_data(chunks, b"IDAT"), 1 << 20))
    except zlib.error:
        return chunks
    for _ in range(chance.choice((1, 8, 64))):
        at = chance.randrange(len(raw) or 1)
        raw[at : at + 1] = bytes([chance.choice((0, 0, 1, 255, 254, 2, 4, 5))])
    if chance.random() < 0.2:
        raw = bytearray(mutate(bytes(raw), chance))
    return _replaced(chunks, b"IDAT", zlib.compress(bytes(raw), chance.choice((0, 1, 9))))


def _deflated(chunks: list[Chunk], chance: Random) -> list[Chunk]:
    stream = _data(chunks, b"IDAT") or b"\0"
    return _replaced(chunks, b"IDAT", mutate(stream, chance, front=32))


def _order(chunks: list[Chunk], chance: Random) -> list[Chunk]:
    at, other = chance.randrange(len(chunks)), chance.randrange(len(chunks))
    moved = list(chunks)
    how = chance.choice(("swap", "drop", "repeat", "split"))
    if how == "swap":
        moved[at], moved[other] = moved[other], moved[at]
    elif how == "drop":
        del moved[at]
    elif how == "repeat":
        moved.insert(other, moved[at])
    else:
        kind, data = moved[at]
        cut = chance.randrange(len(data) + 1)
        moved[at : at + 1] = [(kind, data[:cut]), (kind, data[cut:])]
    return moved or chunks


def _extra(chunks: list[Chunk], chance: Random) -> list[Chunk]:
    text = b"a\0\0" + zeros(chance.choice((1 << 20, 1 << 30)))
    data = chance.choice((
        b"", bytes(4), chance.randbytes(6), chance.randbytes(26), text,
        struct.pack(">II", 1, 0), struct.pack(">IIIIIHHBB", 0, 9, 9, 0, 0, 1, 1, 0, 0),
    ))  # fmt: skip
    at = chance.randrange(1, len(chunks) + 1)
    return [*chunks[:at], (chance.choice(_EXTRA), data), *chunks[at:]]


def _bomb(chunks: list[Chunk], chance: Random) -> list[Chunk]:
    """Pixels that are all there, but fill the memory."""
    width, height = chance.choice(((4096, 4097), (20_000, 10_000), (30_000, 30_000), (1, 900_000)))
    header = struct.pack(">II", width, height) + _data(chunks, b"IHDR")[8:13]
    raw = zeros(height * (1 + 2 * width))
    return _replaced(_replaced(chunks, b"IHDR", header), b"IDAT", raw)


def _chunk(chunks: list[Chunk], chance: Random) -> list[Chunk]:
    at = chance.randrange(len(chunks))
    kind, data = chunks[at]
    number = struct.pack(">Q", chance.choice(INTEGERS))[-4:]
    data = mutate(data, chance, front=16) if data else number
    return [*chunks[:at], (kind, data), *chunks[at + 1 :]]


@cache
def zeros(count: int) -> bytes:
    """About `count` zeros in zlib's format, without compressing them one by one."""
    size = 1 << 20
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(bytes(size)) + packer.flush(zlib.Z_FULL_FLUSH)
    blocks = -(-count // size)
    checksum = (blocks * size % 65521) << 16 | 1
    return b"\x78\x9c" + block * blocks + b"\x03\x00" + struct.pack(">I", checksum)


read = rows.read
