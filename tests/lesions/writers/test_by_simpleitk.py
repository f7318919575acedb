"""NIfTI that we write lies where another reader, SimpleITK, puts it."""

from pathlib import Path

import numpy as np
import SimpleITK

from lesions.writers.volumes import write_nifti


def test_a_mask_lies_where_its_affine_says(tmp_path: Path) -> None:
    """SimpleITK's points are (left, back, head) in mm, as a volume's affine has them."""
    affine = np.array([[0.7, 0, 0, -100.5], [0, 0.8, 0, -120], [0, 0, 2.5, 30], [0, 0, 0, 1]])
    mask = np.zeros((5, 6, 7), np.uint8)
    mask[3, 1:3, 2:6] = 1
    write_nifti(mask, affine, tmp_path / "mask.nii.gz", b"")
    read = SimpleITK.ReadImage(str(tmp_path / "mask.nii.gz"))
    for z, y, x in np.argwhere(mask):
        there = read.TransformPhysicalPointToIndex((affine @ (x, y, z, 1))[:3].tolist())
        assert read.GetPixel(there) == 1
    assert SimpleITK.GetArrayViewFromImage(read).sum() == mask.sum()
