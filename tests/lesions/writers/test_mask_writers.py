"""Masks as files: the image's geometry, and nothing else that the image says."""

import gzip
import struct
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Extension

from lesions.writers.masks import write_grid_mask, write_nifti_mask, write_png_mask

SHAPES = [(5, 6, 7), (5, 6, 7, 1)]
SAID = b"MARKER"


def chatty(path: Path, shape: tuple[int, ...], codes: tuple[int, int]) -> Any:
    """An image that says what it can, beside its voxels."""
    affine = np.array([[0, 0.7, 0, 5], [-0.8, 0, 0, -7], [0, 0, 2.5, 9], [0, 0, 0, 1]])
    image = nibabel.Nifti1Image(np.zeros(shape, np.int16), affine)
    image.set_sform(affine, codes[0])
    image.set_qform(affine, codes[1])
    image.header.set_xyzt_units("mm", "sec")
    for name in ("descrip", "aux_file", "intent_name", "db_name"):
        image.header[name] = SAID
    image.header["intent_code"], image.header["cal_max"] = 1005, 98765
    image.header.extensions.append(Nifti1Extension("comment", SAID))
    nibabel.save(image, path)
    assert path.read_bytes().count(SAID) == 5
    return nibabel.load(path)


@pytest.mark.parametrize("codes", [(2, 1), (1, 0), (0, 3)])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_nifti_mask_lies_where_its_image_does(
    tmp_path: Path, shape: tuple[int, ...], codes: tuple[int, int]
) -> None:
    image = chatty(tmp_path / "ct.nii", shape, codes)
    mask = np.zeros(shape, np.uint8)
    mask[1:3, 2:5, 4] = 1
    write_nifti_mask(mask, tmp_path / "ct.nii", tmp_path / "mask.nii.gz")
    found: Any = nibabel.load(tmp_path / "mask.nii.gz")
    assert found.get_data_dtype() == np.uint8
    assert np.array_equal(np.asarray(found.dataobj), mask)
    assert found.affine == pytest.approx(image.affine)
    assert (found.header["sform_code"], found.header["qform_code"]) == codes
    assert found.header.get_zooms() == image.header.get_zooms()
    assert found.header.get_xyzt_units() == image.header.get_xyzt_units()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_nifti_mask_says_nothing_else_of_its_image(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    chatty(tmp_path / "ct.nii", shape, (2, 1))
    path = tmp_path / "Doe^Jane" / "mask.nii.gz"
    write_nifti_mask(np.ones(shape, np.uint8), tmp_path / "ct.nii", path)
    packed = path.read_bytes()
    assert SAID not in gzip.decompress(packed)
    assert packed[3:8] == bytes(5), "no name, no time"
    header: Any = nibabel.load(path).header
    assert not header.extensions
    assert header["intent_code"] == 0
    write_nifti_mask(np.ones(shape, np.uint8), tmp_path / "ct.nii", tmp_path / "again.nii.gz")
    assert (tmp_path / "again.nii.gz").read_bytes() == packed


@pytest.mark.parametrize("label", [0, 1, 3])
def test_a_nifti_mask_is_shown_from_0_to_its_highest_label(tmp_path: Path, label: int) -> None:
    mask = np.zeros(SHAPES[0], np.uint8)
    mask[0, 0] = label
    chatty(tmp_path / "ct.nii", SHAPES[0], (2, 1))
    write_nifti_mask(mask, tmp_path / "ct.nii", tmp_path / "like.nii.gz")
    write_grid_mask(mask, np.eye(4), tmp_path / "grid.nii.gz")
    for name in ("like.nii.gz", "grid.nii.gz"):
        header: Any = nibabel.load(tmp_path / name).header
        assert (header["cal_min"], header["cal_max"]) == (0, label)


def test_a_nifti_mask_is_whole_or_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chatty(tmp_path / "ct.nii", SHAPES[0], (2, 1))
    path = tmp_path / "out" / "mask.nii.gz"
    write_nifti_mask(np.ones(SHAPES[0], np.uint8), tmp_path / "ct.nii", path)
    before = path.read_bytes()

    def full(self: Any, stream: Any, **_: Any) -> None:
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(nibabel.Nifti1Image, "to_stream", full)
    with pytest.raises(OSError, match="No space"):
        write_nifti_mask(np.zeros(SHAPES[0], np.uint8), tmp_path / "ct.nii", path)
    assert path.read_bytes() == before
    assert [*path.parent.iterdir()] == [path]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_png_mask_holds_pixels_alone(tmp_path: Path) -> None:
    write_png_mask(np.eye(9, dtype=np.uint8), tmp_path / "mask.png")
    assert chunks_of(tmp_path / "mask.png") == {"IHDR", "IDAT", "IEND"}


def chunks_of(path: Path) -> set[str]:
    """The kinds of a PNG's chunks."""
    encoded, at, found = path.read_bytes(), 8, set()
    while at < len(encoded):
        length, kind = struct.unpack(">I4s", encoded[at : at + 8])
        found.add(kind.decode())
        at += 12 + length
    return found
