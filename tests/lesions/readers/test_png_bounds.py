"""PNG: what is checked is what is decoded, and no chunk beside the pixels grows."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesions import InputError
from lesions.readers.png import decode_labels, decode_slice, encode_labels, encode_slice
from lesions.sample import ROOT as SAMPLE
from tests.lesions.limits import cost
from tests.lesions.readers.fuzz.png import Chunk, chunks_of, png_of, zeros

SLICE = encode_slice(np.arange(63, dtype=np.int16).reshape(9, 7))
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
          (0, 1, 1, 2))  # fmt: skip


def by_opencv(encoded: bytes) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED))


def assert_same(path: Path) -> None:
    encoded = path.read_bytes()
    theirs = by_opencv(encoded)
    if theirs.dtype == np.uint16:
        np.testing.assert_array_equal(decode_slice(encoded), theirs.astype(np.int32) - 32768)
    else:
        np.testing.assert_array_equal(decode_labels(encoded), theirs)


def test_the_sample_decodes_as_opencv_does() -> None:
    files = sorted(SAMPLE.rglob("*.png"))
    assert len(files) > 100
    for path in files:
        assert_same(path)


def test_real_slices_decode_as_opencv_does(shared_data: Path) -> None:
    files = sorted((shared_data / "deeplesion").rglob("*.png"))
    assert files
    for path in files:
        assert_same(path)


def image(
    width: int, height: int, bits: int, interlaced: bool, chance: np.random.Generator
) -> bytes:
    """Noise, each row filtered in a way of its own."""
    raw = b""
    for x, y, dx, dy in PASSES if interlaced else ((0, 0, 1, 1),):
        columns = len(range(x, width, dx))
        for _ in range(y, height, dy):
            if columns:
                raw += bytes([chance.integers(5)]) + chance.bytes(-(-columns * bits // 8))
    header = struct.pack(">2L5B", width, height, bits, 0, 0, 0, interlaced)
    return png_of([(b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")])


@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 2, 4, 8, 16]), st.booleans(),
       st.integers(0, 999))  # fmt: skip
def test_every_greyscale_decodes_as_opencv_does(
    width: int, height: int, bits: int, interlaced: bool, seed: int
) -> None:
    encoded = image(width, height, bits, interlaced, np.random.default_rng(seed))
    theirs = by_opencv(encoded)
    if bits == 16:
        np.testing.assert_array_equal(decode_slice(encoded), theirs.astype(np.int32) - 32768)
    elif (theirs == 255).any() and ((theirs >= 128) & (theirs < 255)).any():
        with pytest.raises(InputError, match="greys beside"):
            decode_labels(encoded)
    else:
        labels = np.where(theirs == 255, 255, theirs > 0)
        np.testing.assert_array_equal(decode_labels(encoded), labels)


def with_chunk(kind: bytes, content: bytes) -> bytes:
    first, *rest = chunks_of(SLICE)
    return png_of([first, (kind, content), *rest])


GIANT = zeros(1 << 30)  # 1 MB
FRAME = struct.pack(">5L2H2B", 0, 4096, 4096, 0, 0, 1, 1, 0, 0)
BOMBS: dict[str, list[Chunk]] = {
    "zTXt": [(b"zTXt", b"a\0\0" + GIANT)],
    "iTXt": [(b"iTXt", b"a\0\1\0\0\0" + GIANT)],
    "iCCP": [(b"iCCP", b"a\0\0" + GIANT)],
    "eXIf": [(b"eXIf", b"MM\0*" + bytes(1 << 20))],
    "acTL": [(b"acTL", struct.pack(">2L", 2**31 - 1, 0)), (b"fcTL", FRAME)],
    "fdAT": [(b"acTL", struct.pack(">2L", 2, 0)), (b"fdAT", bytes(4) + GIANT)],
}


@pytest.mark.parametrize("case", BOMBS)
def test_a_chunk_beside_the_pixels_is_never_decoded(case: str) -> None:
    first, *rest = chunks_of(SLICE)
    sound = decode_slice(SLICE)
    np.testing.assert_array_equal(decode_slice(png_of([first, *BOMBS[case], *rest])), sound)
    np.testing.assert_array_equal(
        decode_slice(png_of([first, *rest[:-1], *BOMBS[case], rest[-1]])), sound
    )


def test_bombs_take_little_memory(tmp_path: Path) -> None:
    """All of them in one file, and 1 GB of pixels where the header says 63."""
    first, _, last = chunks_of(SLICE)
    extra = [chunk for chunks in BOMBS.values() for chunk in chunks]
    path = tmp_path / "one.png"
    path.write_bytes(png_of([first, *extra, (b"IDAT", GIANT), last]))
    megabytes, said = cost(
        path,
        "from lesions.readers.png import decode_slice",
        "decode_slice(open(path, 'rb').read())",
    )
    assert "holds other pixels than its header says" in said
    assert megabytes < 40


WRONG = {
    "too few pixels": (lambda raw: raw[:-1], "other pixels than its header says"),
    "too many": (lambda raw: raw + b"\0", "other pixels than its header says"),
}


@pytest.mark.parametrize("case", WRONG)
def test_pixels_are_as_many_as_the_header_says(case: str) -> None:
    change, reason = WRONG[case]
    first, (_, packed), last = chunks_of(SLICE)
    raw = change(zlib.decompress(packed))
    with pytest.raises(InputError, match=reason):
        decode_slice(png_of([first, (b"IDAT", zlib.compress(raw)), last]))


REFUSED = {
    "a kind that must be known": (with_chunk(b"ABCD", b""), "no place in it"),
    "a second header": (with_chunk(*chunks_of(SLICE)[0]), "no place in it"),
    "pixels in two places": (
        png_of([*chunks_of(SLICE)[:2], (b"tEXt", b"a\0b"), (b"IDAT", b""), (b"IEND", b"")]),
        "not in one piece",
    ),
    "a million chunks": (
        png_of([chunks_of(SLICE)[0], *[(b"tEXt", b"")] * 20_000, *chunks_of(SLICE)[1:]]),
        "more than 16384 chunks",
    ),
    "100 MB": (with_chunk(b"tEXt", bytes(100 << 20)), "bytes, more than"),
    "no pixels": (png_of([chunks_of(SLICE)[0], (b"IEND", b"")]), "other pixels"),
    "damaged pixels": (
        png_of([chunks_of(SLICE)[0], (b"IDAT", b"none"), (b"IEND", b"")]), "pixels are damaged",
    ),
    "palette": (
        png_of([(b"IHDR", struct.pack(">2L5B", 1, 1, 8, 3, 0, 0, 0)), *chunks_of(SLICE)[1:]]),
        "holds 8-bit palette, not 16-bit greyscale",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_named(case: str) -> None:
    encoded, reason = REFUSED[case]
    with pytest.raises(InputError, match=reason):
        decode_slice(encoded)


@pytest.mark.parametrize("kind", [b"tRNS", b"gAMA", b"sBIT", b"bKGD", b"PLTE", b"pHYs", b"abCd"])
def test_what_hints_at_display_changes_no_value(kind: bytes) -> None:
    content = {b"PLTE": bytes(6), b"gAMA": struct.pack(">L", 45455)}.get(kind, b"\0\1")
    np.testing.assert_array_equal(decode_slice(with_chunk(kind, content)), decode_slice(SLICE))


def test_a_mask_of_one_bit_reads() -> None:
    raw = b"\0\xa0\0\x40"
    header = struct.pack(">2L5B", 3, 2, 1, 0, 0, 0, 0)
    encoded = png_of([(b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")])
    assert decode_labels(encoded).tolist() == [[255, 0, 255], [0, 255, 0]]
    assert decode_labels(encode_labels(np.eye(2, dtype=np.uint8))).tolist() == [[1, 0], [0, 1]]
