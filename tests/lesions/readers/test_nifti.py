"""NIfTI: the same volume whatever the file's axis order; wrong things refused by name."""

import gzip
import random
import struct
from collections.abc import Callable
from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from lesions import InputError, read_volume
from lesions.readers.nifti import read_nifti
from lesions.readers.volumes import reaches

# (left, back, head) in patient axes, as display order wants them.
HU = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)  # (D, H, W)
# The same in NIfTI's order; its world points right, front, head.
XYZ = HU.transpose(2, 1, 0)
AFFINE = np.array([[-0.7, 0, 0, 10], [0, -0.8, 0, 20], [0, 0, 5, 30], [0, 0, 0, 1]])


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("flips", list(product((1, -1), repeat=3)))
def test_any_axis_order_reads_the_same(
    tmp_path: Path, order: tuple[int, ...], flips: tuple[int, ...]
) -> None:
    xyz = HU.transpose(2, 1, 0)
    # NIfTI's world axes point right, front, head: display order is minus, minus, plus.
    affine = np.diag([-0.7, -0.8, 5.0, 1.0])
    stored = np.flip(xyz.transpose(order), [i for i in range(3) if flips[i] < 0])
    mixed = np.zeros((4, 4))
    mixed[3, 3] = 1
    for axis, source in enumerate(order):
        mixed[:3, axis] = affine[:3, source] * flips[axis]
    path = tmp_path / "ct.nii.gz"
    nibabel.save(nibabel.Nifti1Image(stored, mixed), path)
    volume = read_nifti(path)
    np.testing.assert_array_equal(volume.hu, HU)
    assert volume.spacing == pytest.approx((0.7, 0.8, 5.0))


def save(path: Path, voxels: Any = XYZ, affine: Any = AFFINE, **header: Any) -> Path:
    """A NIfTI file; header fields are set after nibabel has filled them in."""
    image = nibabel.Nifti1Image(voxels, affine)
    for name, value in header.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path


def patched(path: Path, offset: int, content: bytes) -> Path:
    """The same file with bytes of its header replaced, as no library writes them."""
    whole = bytearray(path.read_bytes())
    whole[offset : offset + len(content)] = content
    path.write_bytes(whole)
    return path


def test_the_affine_leads_to_the_patient(tmp_path: Path) -> None:
    volume = read_nifti(save(tmp_path / "ct.nii"))
    assert volume.affine is not None
    # The first voxel of display order is the rightmost, foremost, lowest of the file.
    np.testing.assert_allclose(volume.affine @ [0, 0, 0, 1], [-10, -20, 30, 1], atol=1e-5)
    np.testing.assert_allclose(volume.affine @ [3, 2, 1, 1], [-7.9, -18.4, 35, 1], atol=1e-5)


def test_a_time_axis_of_one_is_dropped(tmp_path: Path) -> None:
    volume = read_nifti(save(tmp_path / "ct.nii", XYZ[..., None]))
    np.testing.assert_array_equal(volume.hu, HU)


def test_scaled_values_are_rounded(tmp_path: Path) -> None:
    path = save(tmp_path / "ct.nii")
    # scl_slope and scl_inter.
    patched(path, 112, struct.pack("<2f", 2.5, -1000))
    np.testing.assert_array_equal(read_nifti(path).hu, np.rint(HU * 2.5 - 1000))


def test_labels_read_as_they_are(tmp_path: Path) -> None:
    labels = np.array([[[0, 1, 2, 255]]], np.uint8)
    volume = read_nifti(save(tmp_path / "labels.nii.gz", labels.T))
    np.testing.assert_array_equal(volume.hu, labels)


def test_tilted_slices_are_refused(tmp_path: Path) -> None:
    turn = np.deg2rad(10)
    affine = np.eye(4)
    affine[1:3, 1:3] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    with pytest.raises(InputError, match=r"tilted by 10\.0°"):
        read_nifti(save(tmp_path / "ct.nii", affine=affine))


def test_a_small_tilt_is_kept_in_the_affine(tmp_path: Path) -> None:
    turn = np.deg2rad(0.5)
    affine = np.eye(4)
    affine[1:3, 1:3] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    volume = read_nifti(save(tmp_path / "ct.nii", affine=affine))
    assert volume.spacing == pytest.approx((1, 1, 1))
    assert volume.affine is not None
    assert volume.affine[1, 2] == pytest.approx(np.sin(turn), abs=1e-6)


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "two axes": (lambda p: save(p, XYZ[0]), "has 2 axes, not 3"),
    "time": (lambda p: save(p, np.stack([XYZ, XYZ], axis=-1)), "has 4 axes, not 3"),
    "NaN": (lambda p: save(p, np.where(XYZ == 5, np.nan, XYZ)), "1 voxels are not finite"),
    "too large": (lambda p: save(p, XYZ.astype(np.int32) * 9999), "from 0 to 229977 do not fit"),
    "infinite": (lambda p: save(p, np.full((2, 2, 2), np.inf)), "8 voxels are not finite"),
    "complex": (lambda p: save(p, XYZ.astype(np.complex64)), "the voxels are complex64"),
    "colours": (
        lambda p: save(p, np.zeros((2, 2, 2), [(c, np.uint8) for c in "RGB"])),
        "not numbers",
    ),
    "no orientation": (
        lambda p: patched(save(p), 252, bytes(4)),
        "no orientation: sform_code and qform_code are 0",
    ),
    "metres": (lambda p: save(p, xyzt_units=1), "lengths are in meter, not mm"),
    "two sizes": (
        lambda p: save(p, pixdim=[1, 1.4, 0.8, 5, 1, 1, 1, 1]),
        r"1\.4, 0\.8, 5 mm by the header, 0\.7, 0\.8, 5 mm by the orientation",
    ),
    "no size": (lambda p: patched(save(p), 80, bytes(4)), "voxel size is 0, 0.8, 5 mm"),
    "negative size": (
        lambda p: patched(save(p), 80, struct.pack("<f", -0.7)),
        r"voxel size is -0\.7, 0\.8, 5 mm",
    ),
    "flat axis": (
        lambda p: patched(save(p), 280, bytes(16)),
        "an axis has no direction|by the orientation",
    ),
    "huge": (
        lambda p: patched(save(p), 42, struct.pack("<3h", 32767, 32767, 32767)),
        "too short for 32767 × 32767 × 32767 voxels",
    ),
    "short": (lambda p: p.write_bytes(save(p).read_bytes()[:-2]), "too short for 4 × 3 × 2"),
    "header only": (lambda p: p.write_bytes(save(p).read_bytes()[:200]), "no readable NIfTI"),
    "words": (lambda p: p.write_bytes(b"no NIfTI"), "no readable NIfTI"),
    "empty": (lambda p: p.touch(), "no readable NIfTI"),
    "folder": (lambda p: p.mkdir(), "a folder, not a NIfTI file"),
    "absent": (lambda p: None, "no such file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_named(tmp_path: Path, case: str) -> None:
    write, reason = REFUSED[case]
    path = tmp_path / "ct.nii"
    write(path)
    with pytest.raises(InputError, match=reason) as error:
        read_nifti(path)
    assert error.value.file == path


def test_a_truncated_gzip_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "ct.nii.gz")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError, match="no readable NIfTI"):
        read_nifti(path)


def test_other_formats_that_nibabel_reads_are_refused(tmp_path: Path) -> None:
    nibabel.save(nibabel.MGHImage(XYZ.astype(np.int32), AFFINE), tmp_path / "ct.mgz")
    with pytest.raises(InputError, match=r"does not end in \.nii or \.nii\.gz"):
        read_nifti(tmp_path / "ct.mgz")


def test_mutated_headers_are_read_or_refused_by_name(tmp_path: Path) -> None:
    whole = save(tmp_path / "ct.nii").read_bytes()
    chance, outcomes = random.Random(0), set()
    for _ in range(300):
        mutated = bytearray(whole)
        for _ in range(chance.choice((1, 2, 8))):
            mutated[chance.randrange(352)] = chance.randrange(256)
        path = tmp_path / "mutated.nii"
        path.write_bytes(mutated)
        try:
            outcomes.add(read_nifti(path).hu.dtype.name)
        except InputError:
            outcomes.add("InputError")
    assert outcomes == {"int16", "InputError"}


def test_how_far_values_reach_is_told_by_as_little_as_tells_it(tmp_path: Path) -> None:
    voxels = np.random.default_rng(0).integers(0, 300, (300, 300, 8), np.int16)
    voxels[0, 0, 0], voxels[0, 1, 0] = -900, 700
    path = save(tmp_path / "ct.nii", voxels)
    assert reaches(path, -500, 300)
    assert not reaches(path, -900, 300)
    assert not reaches(path, -500, 700)
    cut = path.read_bytes()[: 352 + 2 * 300 * 300 * 4]
    path.write_bytes(cut)
    with pytest.raises(InputError, match="too short"):  # what the header promises is checked
        reaches(path, -500, 300)
    packed = tmp_path / "ct.nii.gz"
    packed.write_bytes(gzip.compress(cut))
    assert reaches(packed, -500, 300)
    with pytest.raises(InputError, match="ends before its last voxel"):
        reaches(packed, -500, 800)
    labels = save(tmp_path / "labels.nii", np.full((4, 4, 4), 255, np.uint8))
    assert not reaches(labels, -500, 300)
    scaled = save(tmp_path / "scaled.nii", np.array([[[0, 255]]], np.uint8))
    assert reaches(patched(scaled, 112, struct.pack("<ff", 8.0, -1024.0)), -500, 300)


def dicom_start(_: bytes) -> bytes:
    return bytes(128) + b"DICM" + bytes(900)


MISNAMED: dict[str, tuple[str, Callable[[bytes], bytes], str, str]] = {
    "packed, and not called so": ("ct.nii", gzip.compress, "compressed by gzip", "name it .nii.gz"),
    "called packed, and not": ("ct.nii.gz", bytes, "a NIfTI file", "ends in .nii"),
    "DICOM": ("ct.nii", dicom_start, "it is a DICOM file", "ends in .dcm"),
    "packed DICOM": ("ct.nii.gz", lambda one: gzip.compress(dicom_start(one)), "a DICOM file", ""),
    "a page of an error": ("ct.nii.gz", lambda _: b"<!DOCTYPE html>", "a web page", "download"),
    "a pointer": ("ct.nii", lambda _: b"version https://git-lfs.x", "a pointer of Git LFS", "lfs"),
    "a pair": ("ct.nii", lambda one: one[:344] + b"ni1\0", "of a NIfTI pair", ".img"),
    "cut off": ("ct.nii", lambda one: one[:-9], "cut off: too short for", "download it again"),
    "cut off, packed": ("ct.nii.gz", lambda one: gzip.compress(one)[:-30], "cut off", "download"),
    "within its header": ("ct.nii", lambda one: one[:300], "within its header", "download"),
    "empty": ("ct.nii", lambda _: b"", "it is empty", "download"),
    "no DICOM": ("ct.dcm", bytes, "no readable DICOM: it is a NIfTI file", "ends in .nii"),
    "a picture": ("ct.jpg", lambda _: b"\xff\xd8\xff\xe0", "a JPEG picture", "WriteImage("),
    "numbers": ("ct.npy", lambda _: b"\x93NUMPY", "no voxel size", "read are NIfTI (.nii,"),
    "anything": ("ct.img", lambda _: b"\1\2", "nothing that is known", "3D Slicer"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISNAMED)
def test_misnamed_and_cut_off_files_in_plain_words(tmp_path: Path, case: str) -> None:
    name, change, reason, remedy = MISNAMED[case]
    (tmp_path / name).write_bytes(change(save(tmp_path / "good.nii").read_bytes()))
    with pytest.raises(InputError) as error:
        read_volume(tmp_path / name)
    assert reason in error.value.reason
    assert remedy in (error.value.remedy or "")
    assert error.value.file == tmp_path / name


def test_what_nibabel_mends_is_not_told_to_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = patched(save(tmp_path / "ct.nii"), 254, struct.pack("<h", 256))  # an sform_code
    with pytest.raises(InputError, match="no orientation"):
        read_nifti(patched(path, 252, bytes(2)))
    assert capfd.readouterr().err == ""
