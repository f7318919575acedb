"""NIfTI: the same volume whatever the file's axis order; wrong things refused by name."""

from itertools import permutations, product
from pathlib import Path

import nibabel
import numpy as np
import pytest

from lesions import InputError
from lesions.readers.nifti import read_nifti

# (left, back, head) in patient axes, as display order wants them.
HU = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)  # (D, H, W)


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


def test_tilted_slices_are_refused(tmp_path: Path) -> None:
    turn = np.deg2rad(10)
    affine = np.eye(4)
    affine[1:3, 1:3] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    nibabel.save(nibabel.Nifti1Image(HU, affine), tmp_path / "ct.nii")
    with pytest.raises(InputError, match="tilted"):
        read_nifti(tmp_path / "ct.nii")


def test_no_volume_is_refused(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(HU[0], np.eye(4)), tmp_path / "flat.nii")
    with pytest.raises(InputError, match="has 2 axes"):
        read_nifti(tmp_path / "flat.nii")
    (tmp_path / "no.nii").write_bytes(b"no NIfTI")
    with pytest.raises(InputError, match="no readable NIfTI"):
        read_nifti(tmp_path / "no.nii")
    with pytest.raises(InputError, match="no such file"):
        read_nifti(tmp_path / "absent.nii")
