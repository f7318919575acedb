"""Codestreams: what is checked is what their decoder reads, or they are refused."""

import io
import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import uid

from lesions import InputError
from lesions.readers.dicom import read_dicom
from tests.lesions.readers.dicom_files import ENCODERS, compress, ct, save
from tests.lesions.readers.fuzz import bombs

PIXELS = np.arange(64 * 64).reshape(64, 64).astype(np.uint16)


def read(folder: Path, syntax: str, frame: bytes) -> NDArray[np.int16]:
    image = compress(ct(PIXELS, RescaleIntercept=0), syntax, [frame])
    (volume,) = read_dicom(save(image, folder / "image"))
    return volume.hu[0]


# Before the scan of a lossless JPEG of 64 × 64.
SEGMENTS = {
    "another frame header": b"\xff\xc3\0\x0b\x10\1\0\1\0\1\1\x11\0",
    "a progressive one": b"\xff\xc2\0\x0b\x10\1\0\1\0\1\1\x11\0",
    "an arithmetic one": b"\xff\xcb\0\x0b\x10\1\0\1\0\1\1\x11\0",
    "a hierarchical one": b"\xff\xc7\0\x0b\x10\1\0\1\0\1\1\x11\0",
    "a number of lines": b"\xff\xdc\0\4\1\0",
    "arithmetic conditions": b"\xff\xcc\0\4\0\0",
    "a restart": b"\xff\xd7",
    "TEM": b"\xff\1",
    "a second start": b"\xff\xd8",
    "an early end": b"\xff\xd9",
    "a stuffed byte": b"\xff\0",
    "an extension": b"\xff\xf0\0\2",
    "no length": b"\xff\xfe\0\1",
}


@pytest.mark.parametrize("where", ["first", "last"])
@pytest.mark.parametrize("name", SEGMENTS)
def test_jpeg_segments_that_are_not_read(tmp_path: Path, name: str, where: str) -> None:
    syntax, encode, _ = ENCODERS["JPEG lossless"]
    frame = encode(PIXELS)
    at = 2 if where == "first" else frame.index(b"\xff\xda")
    with pytest.raises(InputError, match=r"a segment FF.., which is not read|no codestream"):
        read(tmp_path, syntax, frame[:at] + SEGMENTS[name] + frame[at:])


def test_bytes_between_jpeg_segments_are_refused(tmp_path: Path) -> None:
    syntax, encode, _ = ENCODERS["JPEG lossless"]
    frame = encode(PIXELS)
    with pytest.raises(InputError, match="no codestream"):
        read(tmp_path, syntax, frame[:2] + b"\0" + frame[2:])


@pytest.mark.parametrize(
    "segment",
    [
        b"\xff\x51" + bombs.jpeg_2000()[4:45],  # another size
        b"\xff\x30\xff\x52",  # unknown: OpenJPEG finds the next marker in its length
        b"\xff\x74\0\4\0\0",  # a transform of components
        b"\xff\x64\0\1",
    ],
)
@pytest.mark.parametrize("where", ["main", "tile"])
def test_jpeg_2000_segments_that_are_not_read(tmp_path: Path, segment: bytes, where: str) -> None:
    frame = bombs.jpeg_2000()
    at = frame.index(b"\xff\x52" if where == "main" else b"\xff\x93")
    with pytest.raises(InputError, match=r"a segment FF.., which is not read"):
        read(tmp_path, uid.JPEG2000Lossless, frame[:at] + segment + frame[at:])


def test_subsampled_jpeg_2000_is_refused(tmp_path: Path) -> None:
    frame = bytearray(bombs.jpeg_2000())
    struct.pack_into(">2B", frame, 43, 2, 2)
    with pytest.raises(InputError, match="subsampled"):
        read(tmp_path, uid.JPEG2000Lossless, bytes(frame))


def test_tile_parts_follow_one_another(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "JPEG2000", tile_size=(16, 16), no_jp2=True)
    tiled = file.getvalue()
    pixels = imagecodecs.jpeg2k_decode(tiled)
    assert tiled.count(b"\xff\x90\0\x0a") == 16
    np.testing.assert_array_equal(read(tmp_path, uid.JPEG2000Lossless, tiled), pixels)
    last = bytearray(tiled)
    struct.pack_into(">L", last, tiled.rindex(b"\xff\x90\0\x0a") + 6, 0)  # up to the end
    np.testing.assert_array_equal(read(tmp_path, uid.JPEG2000Lossless, bytes(last)), pixels)
    first = bytearray(tiled)
    at = tiled.index(b"\xff\x90\0\x0a") + 6
    struct.pack_into(">L", first, at, struct.unpack_from(">L", tiled, at)[0] - 2)
    with pytest.raises(InputError, match="no codestream"):
        read(tmp_path, uid.JPEG2000Lossless, bytes(first))


def test_run_lengths_of_more_values_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    many = b"\x81\0" * 100_000
    frame = struct.pack("<16L", 2, 64, 64 + len(many), *[0] * 13) + many + many
    with pytest.raises(InputError, match="RLE segments that do not hold 4096 values"):
        read(tmp_path, uid.RLELossless, frame)


@pytest.mark.parametrize("fill", [0, 1, 5])
@pytest.mark.parametrize("name", ["JPEG lossless", "JPEG 12 bits", "JPEG-LS"])
def test_markers_may_be_filled_up(tmp_path: Path, name: str, fill: int) -> None:
    syntax, encode, most = ENCODERS[name]
    frame = encode(PIXELS)
    hu = read(tmp_path, syntax, frame[:2] + b"\xff" * fill + frame[2:])
    assert np.abs(hu - PIXELS.astype(int)).max() <= most


def test_one_codestream_of_several_boxes_is_read(tmp_path: Path) -> None:
    """What lies in other boxes beside it does not matter."""
    pixels = imagecodecs.jpeg2k_decode(bombs.jp2())
    for frame in (bombs.hidden_box(64), bombs.jp2() + b"\0\0\0\x09free\0"):
        image = compress(ct(pixels, RescaleIntercept=0), uid.JPEG2000Lossless, [frame])
        (volume,) = read_dicom(save(image, tmp_path / "image"))
        np.testing.assert_array_equal(volume.hu[0], pixels)
    start = bombs.jp2().index(b"jp2c") - 4
    twice = bombs.jp2() + bombs.jp2()[start:]
    image = compress(ct(pixels), uid.JPEG2000Lossless, [twice])
    with pytest.raises(InputError, match="2 codestreams"):
        read_dicom(save(image, tmp_path / "image"))


def test_parameters_of_another_size_are_refused(tmp_path: Path) -> None:
    """JPEG-LS may say a size beside its frame header: in a segment of the fourth kind."""
    frame = bombs.blank(64)
    frame = frame[:2] + b"\xff\xf8\x00\x08\x04\x02\x40\x00\x40\x00" + frame[2:]
    image = compress(ct(np.zeros((64, 64))), uid.JPEGLSLossless, [frame])
    with pytest.raises(InputError, match="a segment FFF8, which is not read"):
        read_dicom(save(image, tmp_path / "image"))
