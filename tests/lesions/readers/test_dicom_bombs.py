"""DICOM files that ask for more than they hold cost themselves alone, and little."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from pydicom import uid

from lesions import InputError
from lesions.readers.dicom import header, opening, read_dicom, read_dicom_folder, reading
from tests.lesions.readers.dicom_files import (
    ENCODERS,
    HU,
    compress,
    ct,
    enhanced,
    save,
    save_all,
    series,
)
from tests.lesions.readers.fuzz import bombs
from tests.lesions.readers.fuzz.saving import bytes_of

ROOT = Path(__file__).resolve().parents[3]
MOST_MEGABYTES, MOST_SECONDS = 250, 10

# Reads folders; what came of each, the most memory that it took, and the CPU time.
CHILD = f"""
import json, resource, signal, sys, time
from pathlib import Path
from lesions.readers.dicom import read_dicom_folder

resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

def memory(line):
    found = [one for one in Path("/proc/self/status").read_text().splitlines() if line in one]
    return int(found[0].split()[1]) >> 10

for folder in sys.argv[1:]:
    Path("/proc/self/clear_refs").write_text("5")
    before, started = memory("VmRSS"), time.process_time()
    signal.setitimer(signal.ITIMER_PROF, {MOST_SECONDS})
    volumes, rejected = read_dicom_folder(folder)
    signal.setitimer(signal.ITIMER_PROF, 0)
    print(json.dumps([
        folder, [one.reason for one in rejected], [one.hu.nbytes >> 20 for one in volumes],
        memory("VmHWM") - before, time.process_time() - started,
    ]), flush=True)
    del volumes
"""


def in_child(*folders: Path) -> dict[str, tuple[list[str], list[int], int, float]]:
    """By folder: reasons, megabytes of HU, megabytes taken, seconds; until one ends the process."""
    child = subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, folders)], cwd=ROOT, check=False, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE,
    )  # fmt: skip
    answers = [json.loads(line) for line in child.stdout.splitlines()]
    return {Path(folder).name: tuple(rest) for folder, *rest in answers}


def jpeg(frame: bytes, side: int, bits: int = 8, syntax: str = uid.JPEGBaseline8Bit) -> bytes:
    size = {"Rows": side, "Columns": side}
    depth = {"BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1}
    return bytes_of(compress(ct(**size, **depth), syntax, [frame]))


def enlarged(name: str, side: int) -> bytes:
    _, encode, _ = ENCODERS[name]
    return bombs.resized(encode(np.arange(64 * 64).reshape(64, 64).astype(np.uint16)), side, side)


def styled_in_a_tile() -> bytes:
    """JPEG 2000 whose tile, not its main header, asks for 65,535 layers."""
    frame = imagecodecs.jpeg2k_encode(
        np.zeros((64, 64), np.uint16), codecformat="j2k", reversible=True, level=0
    )
    start = frame.index(b"\xff\x52")
    style = bytearray(
        frame[start : start + 2 + int.from_bytes(frame[start + 2 : start + 4], "big")]
    )
    style[6:8] = b"\xff\xff"
    tile = frame.index(b"\xff\x90")
    part = int.from_bytes(frame[tile + 6 : tile + 10], "big") + len(style)
    frame = frame[: tile + 6] + part.to_bytes(4, "big") + frame[tile + 10 :]
    return frame[: tile + 12] + bytes(style) + frame[tile + 12 :]


def palette() -> bytes:
    """The boxes of a .jp2 file that maps values to others."""
    frame = bombs.jp2()
    at = frame.index(b"jp2h") - 4
    length = int.from_bytes(frame[at : at + 4], "big")
    extra = b"\0\0\0\x0cpclr\0\1\1\x0f"
    head = (length + len(extra)).to_bytes(4, "big") + frame[at + 4 : at + length] + extra
    return frame[:at] + head + frame[at + length :]


BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "deflated": (lambda: bombs.deflated(1000), "a deflated file of more than 64 MB"),
    "deflated, no mark": (
        lambda: bombs.deflated_without_mark(1000),
        "a deflated file of more than 64 MB",
    ),
    "deflated elsewhere": (
        lambda: bombs.deflated_elsewhere(1000),
        "a deflated file of more than 64 MB",
    ),
    "a box nobody reads": (
        lambda: jpeg(bombs.hidden_box(8192), 64, 16, uid.JPEG2000Lossless),
        "the codestream holds 8192 × 8192 pixels",
    ),
    "a palette": (lambda: jpeg(palette(), 64, 16, uid.JPEG2000Lossless), "a palette"),
    "layers of a tile": (
        lambda: jpeg(styled_in_a_tile(), 64, 16, uid.JPEG2000Lossless),
        "ends early",
    ),
    "a header in a comment": (
        lambda: jpeg(
            bombs.hidden_jpeg(enlarged("JPEG lossless", 20_000), 0xC3, 16, 64),
            64, 16, uid.JPEGLosslessSV1,
        ),
        "the codestream has a segment FFD0, which is not read",
    ),
    "progressive, hidden": (
        lambda: jpeg(bombs.hidden_jpeg(bombs.progressive(4096, 30_000), 0xC0, 8, 4096), 4096),
        "the codestream has a segment FFD0, which is not read",
    ),
    "progressive": (
        lambda: jpeg(bombs.progressive(4096, 30_000), 4096),
        "the codestream has a segment FFC2, which is not read",
    ),
    "JPEG as JPEG-LS": (
        lambda: jpeg(enlarged("JPEG lossless", 64), 64, 16, uid.JPEGLSLossless),
        "the codestream has a segment FFC4|FFC3, which is not read",
    ),
    "blank frames": (
        lambda: bombs.multi_frame(20, 4096, bombs.blank(4096)),
        "bytes of files hold 20 slices of 4096 × 4096, more than 256 times as many",
    ),
    "frames without end": (
        lambda: bombs.multi_frame(5000, 4096, bombs.blank(4096)),
        "5000 slices of 4096 × 4096 are more than",
    ),
    "deep": (lambda: bombs.nested(100_000), "its sequences are nested too deep"),
}  # fmt: skip


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple]:
    root = tmp_path_factory.mktemp("bombs")
    for name, (write, _) in BOMBS.items():
        (root / name).mkdir()
        (root / name / "image").write_bytes(write())
    (root / "long").mkdir()
    (root / "long" / "image").write_bytes(prone(bombs.multi_frame(128, 512, None)))
    return in_child(*(root / name for name in (*BOMBS, "long")))


def prone(whole: bytes) -> bytes:
    """Its slices turned by half a turn: all voxels have to be put elsewhere."""
    assert whole.count(b"1.0\\0.0\\0.0\\0.0\\1.0\\0.0") == 1
    return whole.replace(b"1.0\\0.0\\0.0\\0.0\\1.0\\0.0", b"-1.\\0.0\\0.0\\0.0\\-1.\\0.0")


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_for_little(answers: dict[str, tuple], name: str) -> None:
    (reason,), volumes, megabytes, _ = answers[name]
    assert re.search(BOMBS[name][1], reason), reason
    assert volumes == []
    assert megabytes < MOST_MEGABYTES


def test_reading_takes_little_more_than_the_volume(answers: dict[str, tuple]) -> None:
    reasons, volumes, megabytes, _ = answers["long"]
    assert (reasons, volumes) == ([], [64])
    assert megabytes < 1.5 * 64


@pytest.mark.parametrize(
    "items",
    [
        b"\xfe\xff\0\xe0\0\0\0\0" * 2000,
        bytes(8) * 2000,
        # Sets that pydicom does not know, in every item.
        (b"\xfe\xff\0\xe0\x48\0\0\0\x08\0\x05\0CS\x40\0" + b"A\\" * 32) * 20,
    ],
)
def test_headers_of_too_many_elements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, items: bytes
) -> None:
    monkeypatch.setattr(opening, "MOST_READS", 4000)
    path = tmp_path / "image"
    path.write_bytes(bombs.with_frames(bytes_of(enhanced(HU[:1])), items))
    with pytest.raises(InputError, match="its header has more than 16 MB or 1333 elements"):
        read_dicom(path)


def test_fragments_and_offsets_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = compress(ct(np.zeros((8, 8))), uid.JPEGLSLossless, [bombs.blank(8)])
    whole, start = image.PixelData, image.PixelData.index(b"\xfe\xff\0\xe0", 8)
    image.PixelData = b"\xfe\xff\0\xe0\x10\0\0\0" + bytes(16) + whole[start:]
    with pytest.raises(InputError, match="4 offsets of frames, NumberOfFrames says 1"):
        read_dicom(save(image, tmp_path / "offsets"))
    image.PixelData = whole[:start] + b"\xfe\xff\0\xe0\0\0\0\0" * 1000 + whole[start:]
    assert (read_dicom(save(image, tmp_path / "fragments"))[0].hu == -1024).all()
    monkeypatch.setattr(opening, "MOST_READS", 2000)
    with pytest.raises(InputError, match="the pixel data has more than 1088 MB or 666 elements"):
        read_dicom(tmp_path / "fragments")


def test_headers_of_too_many_bytes(tmp_path: Path) -> None:
    path = tmp_path / "image"
    text = b"\x10\0\x20\0\xff\xff\xff\x01" + bytes(33 << 20)  # PatientID, without a VR
    image = ct(PatientID=None)
    image.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian
    whole = bytes_of(image)
    at = whole.index(b"\x18\0\x50\0")
    path.write_bytes(whole[:at] + text + whole[at:])
    with pytest.raises(InputError, match="its header has more than 16 MB"):
        read_dicom(path)


def test_values_of_too_many_bytes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="PixelSpacing has 20000 bytes"):
        read_dicom(save(ct(PixelSpacing=["1"] * 10_000), tmp_path / "image"))


def test_more_slices_than_a_volume_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header, "MOST_SLICES", 4)
    monkeypatch.setattr(opening, "MOST_SLICES", 4)
    save_all(series(), tmp_path / "series")
    save(enhanced(), tmp_path / "multi")
    _, rejected = read_dicom_folder(tmp_path)
    assert len(rejected) == 6
    assert {one.reason for one in rejected} == {
        "5 slices of 6 × 7 are more than 4 slices or 536870912 voxels",
        "describes 5 slices, more than 4",
    }


def test_blank_slices_are_read_within_what_is_spare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(folder: str, side: int, count: int) -> None:
        for index in range(count):
            image = ct(Rows=side, Columns=side, SeriesInstanceUID=folder, RescaleIntercept=0)
            image.ImagePositionPatient = [0, 0, index]
            compress(image, uid.JPEGLSLossless, [bombs.blank(side)])
            save(image, tmp_path / folder / f"{index}")

    write("1.2.1", 512, 50)
    assert [one.hu.shape for one in read_dicom(tmp_path)] == [(50, 512, 512)]
    monkeypatch.setattr(reading, "SPARE_BYTES", 15 << 20)
    write("1.2.2", 1024, 1)
    write("1.2.3", 1024, 1)  # too much for what the others have left
    volumes, rejected = read_dicom_folder(tmp_path)
    assert [one.series for one in volumes] == ["1.2.1", "1.2.2"]
    assert not any(one.hu.any() for one in volumes)
    assert [one.file.parent.name for one in rejected] == ["1.2.3"]
    assert "bytes of files hold 1 slices of 1024 × 1024" in rejected[0].reason


def test_what_is_no_regular_file_of_bounded_size_is_set_aside(tmp_path: Path) -> None:
    save_all(series(), tmp_path)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "linked pipe").symlink_to(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(tmp_path / "socket"))
    with save(ct(), tmp_path / "sparse").open("r+b") as file:
        file.truncate(1 << 40)
    (volume,), rejected = read_dicom_folder(tmp_path)
    np.testing.assert_array_equal(volume.hu, HU)
    reasons = {one.file.name: one.reason for one in rejected}
    assert reasons.pop("sparse") == "has 1099511627776 bytes, more than 1140850688"
    assert reasons.pop("socket").startswith("cannot be read: No such device")
    assert reasons == dict.fromkeys(("pipe", "device", "linked pipe"), "not a regular file")
    for one in rejected:
        with pytest.raises(InputError, match=one.reason) as error:
            read_dicom(one.file)
        assert error.value.file == one.file
