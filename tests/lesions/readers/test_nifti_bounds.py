"""NIfTI read box by box: the same bits as at once, in little more memory than the volume's own."""

import gzip
import os
import struct
from collections.abc import Callable
from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nibabel.orientations import apply_orientation, io_orientation

from lesions import InputError
from lesions.readers import voxels
from lesions.readers.nifti import TO_LEFT_BACK_HEAD, read_nifti, read_nifti_header
from tests.lesions.limits import cost
from tests.lesions.readers.fuzz.png import zeros

READ = ("from lesions.readers.nifti import read_nifti", "read_nifti(path)")
TYPES = ("u1", "i1", "<i2", ">i2", "<u2", "<i4", "<u4", "<i8", "<f4", ">f4", "<f8")


def at_once(path: Path) -> np.ndarray:
    """The whole volume by nibabel, turned and rounded."""
    image: Any = nibabel.load(path)  # type: ignore[attr-defined]
    voxels = np.asanyarray(image.dataobj)
    orientation = io_orientation(TO_LEFT_BACK_HEAD @ image.affine)
    axial = apply_orientation(voxels, orientation).transpose(2, 1, 0)
    return np.ascontiguousarray(np.rint(axial), dtype=np.int16)


@given(
    order=st.sampled_from(list(permutations(range(3)))),
    flips=st.sampled_from(list(product((1, -1), repeat=3))),
    kind=st.sampled_from(TYPES),
    scaling=st.sampled_from([None, (1, 0), (1, -1000), (0.37, 11.5), (-2, 3), (0, 5)]),
    shape=st.tuples(*[st.integers(1, 5)] * 3),
    many=st.integers(1, 130),
    packed=st.booleans(),
)
def test_box_by_box_is_at_once(
    tmp_path_factory: pytest.TempPathFactory, order: tuple[int, ...], flips: tuple[int, ...],
    kind: str, scaling: tuple[float, float] | None, shape: tuple[int, ...], many: int, packed: bool,
) -> None:  # fmt: skip
    affine = np.eye(4)
    affine[:3, :3] = np.diag([0.7, 0.8, 5.0])[:, order] * flips
    chance = np.random.default_rng(many)
    values = chance.integers(0, 127, shape).astype(kind)
    if kind[-2] == "f":
        values += chance.random(shape).astype(kind)
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.dtype(kind))
    header.set_data_shape(shape)
    header.set_sform(affine, 1)
    header["pixdim"][1:4] = np.linalg.norm(affine[:3, :3], axis=0)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    if scaling is not None:
        header["scl_slope"], header["scl_inter"] = scaling
    if kind[0] == ">":
        header = header.as_byteswapped(">")
    whole = header.binaryblock + bytes(4) + values.tobytes(order="F")
    path = tmp_path_factory.mktemp("one") / ("ct.nii.gz" if packed else "ct.nii")
    path.write_bytes(gzip.compress(whole, 1) if packed else whole)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(voxels, "_AT_ONCE", many)
        read = read_nifti(path).hu
    np.testing.assert_array_equal(read, at_once(path))
    assert read.dtype == np.int16
    assert read.flags.c_contiguous


@given(st.tuples(*[st.integers(1, 6)] * 3), st.integers(1, 250))
def test_boxes_follow_the_file(shape: tuple[int, ...], most: int) -> None:
    stored = np.arange(np.prod(shape)).reshape(shape, order="F")
    boxes = [stored[box].ravel(order="F") for box in voxels._boxes(shape, most)]
    assert max(map(len, boxes)) <= most
    np.testing.assert_array_equal(np.concatenate(boxes), np.arange(np.prod(shape)))


def header(shape: tuple[int, ...], **fields: Any) -> bytes:
    """352 bytes, uint8."""
    made = nibabel.Nifti1Header()
    made.set_data_dtype(np.uint8)
    made.set_data_shape(shape)
    made.set_sform(np.diag([0.7, 0.7, 2.0, 1.0]), 1)
    made["pixdim"][1:4] = 0.7, 0.7, 2
    for name, value in ({"vox_offset": 352, "magic": b"n+1"} | fields).items():
        made[name] = value
    return bytes(made.binaryblock) + bytes(4)


def zipped(front: bytes, count: int) -> bytes:
    """A header and `count` zeros, as a gzip file of a thousandth of their size."""
    return gzip.compress(front) + b"\x1f\x8b\x08" + bytes(7) + zeros(count)[2:-4] + bytes(8)


def test_a_scaled_volume_takes_its_own_size(tmp_path: Path) -> None:
    """64 M voxels of a 65 kB file: 128 MB as int16, 512 MB as float64."""
    path = tmp_path / "ct.nii.gz"
    path.write_bytes(zipped(header((512, 512, 256), scl_slope=0.5, scl_inter=1), 1 << 26))
    assert path.stat().st_size < 70_000
    megabytes, said = cost(path, *READ)
    assert said == ""
    assert 120 < megabytes < 150


def test_a_flipped_and_turned_volume_takes_its_own_size(tmp_path: Path) -> None:
    path = tmp_path / "ct.nii.gz"
    turned = {"srow_x": [0, 0, 0.7, 0], "srow_y": [0, 0.7, 0, 0], "srow_z": [2, 0, 0, 0],
              "pixdim": [1, 2, 0.7, 0.7, 0, 0, 0, 0]}  # fmt: skip
    path.write_bytes(zipped(header((256, 512, 256), **turned), 1 << 25))
    megabytes, said = cost(path, *READ)
    assert said == ""
    assert 60 < megabytes < 85


GIANT = b"\1\0\0\0" + struct.pack("<2i", 1 << 30, 6)  # an extension
BOMBS: dict[str, tuple[bytes, str]] = {
    "1 MB of a billion voxels": (header((1024, 1024, 1024)), "more than 536870912"),
    "a header of 1 GB": (header((2, 2, 2), vox_offset=1 << 30), "header has 1073741824 bytes"),
    "an extension of 1 GB": (header((2, 2, 2), vox_offset=416)[:-4] + GIANT, "no readable NIfTI"),
    "extensions to the end": (header((9, 9, 9), vox_offset=0)[:-4] + GIANT, ""),
}


@pytest.mark.parametrize("case", BOMBS)
def test_a_bomb_is_refused_in_little_memory(tmp_path: Path, case: str) -> None:
    front, reason = BOMBS[case]
    path = tmp_path / "ct.nii.gz"
    path.write_bytes(zipped(front, 1 << 30))
    megabytes, said = cost(path, *READ)
    assert reason in said
    assert megabytes < 40


SPECIAL: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "100 GB": lambda path: (path.touch(), os.truncate(path, 100 << 30)),
}


@pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz"])
@pytest.mark.parametrize("case", SPECIAL)
@pytest.mark.timeout(20)
def test_a_special_file_is_refused(tmp_path: Path, case: str, name: str) -> None:
    SPECIAL[case](tmp_path / name)
    for read in (read_nifti, read_nifti_header):
        with pytest.raises(InputError, match=r"not a regular file|bytes, more than") as error:
            read(tmp_path / name)
        assert error.value.file == tmp_path / name
