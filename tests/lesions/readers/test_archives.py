"""DICOM packed as .zip or .gz: the same volumes, nothing unpacked to disk, bombs refused."""

import gzip
import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lesions import Click, InputError, read_dicom, read_dicom_folder, read_volume
from lesions.judging.pairs import read_mask
from lesions.readers.dicom import archives
from lesions.readers.prompted import read_prompted
from lesions.writers.source_image import source_image
from tests.lesions.limits import cost
from tests.lesions.readers.dicom_files import ct, series
from tests.lesions.readers.fuzz.png import zeros
from tests.lesions.readers.fuzz.saving import bytes_of
from tests.lesions.readers.seg_files import seg_of
from tests.lesions.readers.test_grids import HU, same

CLICK = Click(at=(1, 1))
SLICES = [bytes_of(one) for one in series(HU)]
ONE = {"1.dcm": bytes_of(ct(HU[0], SOPInstanceUID="1.2.3"))}
FILES = {"a/1.dcm": SLICES[0], "a/2": SLICES[1], "notes.txt": b"of the export", "b/scan.zip": b"PK"}


def packed(path: Path, files: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", how) as archive:
        archive.mkdir("a")
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("how", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_a_zip_is_read_as_its_folder(tmp_path: Path, how: int) -> None:
    for name, content in FILES.items():
        (tmp_path / "export" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "export" / name).write_bytes(content)
    path = packed(tmp_path / "Export.ZIP", FILES, how)
    before = sorted(tmp_path.rglob("*"))
    (volume,), rejected = read_dicom_folder(path)
    (wanted,), others = read_dicom_folder(tmp_path / "export")
    same(volume, wanted)
    assert [one.reason for one in rejected] == [one.reason for one in others]
    assert [one.file for one in rejected] == [path / "b/scan.zip", path / "notes.txt"]
    assert volume.source == path / "a"
    assert source_image(volume.slices[0]).dataset.SOPInstanceUID == wanted.slices[0].instance
    assert sorted(tmp_path.rglob("*")) == before


def test_a_gzipped_file_is_read_as_itself(tmp_path: Path) -> None:
    path = tmp_path / "slice.dcm.gz"
    path.write_bytes(gzip.compress(SLICES[0]))
    np.testing.assert_array_equal(read_volume(path).hu, HU[:1])
    seen = read_prompted(path, CLICK, None, None)
    assert (seen.kind, seen.origin is not None) == ("dicom", True)


def test_a_zip_is_asked_as_its_series(tmp_path: Path) -> None:
    path = packed(tmp_path / "ct.zip", {f"{at}.dcm": one for at, one in enumerate(SLICES)})
    seen = read_prompted(path, CLICK, 1, None)
    np.testing.assert_array_equal(seen.hu, HU[1])
    other = ct(HU[0], SOPInstanceUID="1.2.9", SeriesInstanceUID="1.2.99", FrameOfReferenceUID="1.9")
    packed(path, {"a/1": SLICES[0], "a/2": SLICES[1], "b/1": bytes_of(other)})
    with pytest.raises(
        InputError, match=r"holds 2 CT series, not one \(unpack it, and take one of"
    ):
        read_prompted(path, CLICK, 1, None)


def test_a_mask_alone_in_a_zip(tmp_path: Path) -> None:
    volume = read_volume(packed(tmp_path / "ct.zip", {"1": SLICES[0], "2": SLICES[1]}))
    made = bytes_of(seg_of(series(HU), (HU > 100).astype(np.uint8)))
    (tmp_path / "seg.dcm.gz").write_bytes(gzip.compress(made))
    for path in (packed(tmp_path / "seg.zip", {"seg.dcm": made}), tmp_path / "seg.dcm.gz"):
        np.testing.assert_array_equal(read_mask(path, volume).hu, HU > 100)
    with pytest.raises(InputError, match="holds 2 files, not one mask"):
        read_mask(tmp_path / "ct.zip", volume)


def changed(at: int, content: bytes) -> bytes:
    """A zip with bytes of its directory's first entry replaced."""
    whole = listed(ONE)
    start = whole.index(b"PK\1\2") + at
    return whole[:start] + content + whole[start + len(content) :]


def listed(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


REFUSED: dict[str, tuple[bytes, str]] = {
    "a name above": (listed({"../../1.dcm": SLICES[0]}), "leads out of it"),
    "no name": (changed(28, b"\0\0"), "no readable .zip|leads out of it"),
    "a name of the root": (listed({"/etc/passwd": SLICES[0]}), "leads out of it"),
    "a name twice": (listed({"a/1": SLICES[0], "a//1": SLICES[1]}), "leads out of it or that it"),
    "cut off": (listed(ONE)[:-30], "no readable .zip"),
    "words": (b"no zip at all", "no readable .zip"),
    "nothing": (listed({}), "the folder is empty"),
    "no DICOM": (listed({"ct.nii": b"n+1"}), "1 × no DICOM file"),
    "encrypted": (changed(8, b"\1\0"), "is encrypted"),
    "another method": (changed(10, b"\x0e\0"), "otherwise than by deflate"),
    "a size that lies": (changed(24, struct.pack("<L", 9)), "not what its"),
    "a checksum that lies": (changed(16, bytes(4)), "not what its .zip says"),
    "a bomb": (changed(20, struct.pack("<2L", 10, 65 << 20)), "64 MB and 256 bytes for one"),
    "gigabytes": (changed(24, b"\xfe\xff\xff\xff"), "files, or 1088 MB"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_named(tmp_path: Path, case: str) -> None:
    content, reason = REFUSED[case]
    path = tmp_path / "ct.zip"
    path.write_bytes(content)
    with pytest.raises(InputError, match=reason):
        read_dicom(path)


def test_a_directory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed(tmp_path / "ct.zip", {f"{at:03}": b"" for at in range(100)})
    monkeypatch.setattr(archives, "MOST_MEMBERS", 99)
    with pytest.raises(InputError, match="holds more than 99 files"):
        read_dicom(path)
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    monkeypatch.setattr(archives, "_MOST_DIRECTORY", 1000)
    monkeypatch.setattr(archives, "MOST_MEMBERS", 100)
    archives._read_directory.cache_clear()
    with pytest.raises(InputError, match="its directory has 4"):
        read_dicom(path)


def test_a_bomb_is_refused_in_little_memory(tmp_path: Path) -> None:
    """A gzip file of DICOM's mark and then zeros, to gigabytes."""
    head = zeros(4 << 30)
    path = tmp_path / "bomb.dcm.gz"
    start = SLICES[0][: len(SLICES[0]) // 2 * 2]
    path.write_bytes(gzip.compress(start) + b"\x1f\x8b\x08" + bytes(7) + head[2:-4] + bytes(8))
    took, said = cost(path, "from lesions import read_dicom", "read_dicom(path)")
    assert "holds more than 64 MB" in said
    assert took < 300
