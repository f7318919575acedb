"""Two statements of one file that do not agree: refused, or said which one counts."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from lesions import InputError, read_nifti
from lesions.readers.dicom import read_dicom
from tests.lesions.readers.dicom_files import HU, save_all, series

FIELD = ("field", "sform_qform")
SIZES = (0.8, 0.8, 2.5)


def saved(path: Path, sform: np.ndarray, qform: np.ndarray, codes: tuple[int, int]) -> Path:
    image = nibabel.Nifti1Image(HU.T, None)
    image.header.set_zooms(SIZES)
    image.set_sform(sform, codes[0])
    image.set_qform(qform, codes[1])
    nibabel.save(image, path)
    return path


def affine(*ways: int, at: tuple[float, float, float] = (0, 0, 0)) -> np.ndarray:
    found = np.diag([*(way * size for way, size in zip(ways, SIZES, strict=True)), 1.0])
    found[:3, 3] = at
    return found


def test_the_mirrored_file_is_refused_and_the_agreeing_one_read(shared_data: Path) -> None:
    folder = shared_data.joinpath(*FIELD)
    with pytest.raises(InputError, match=r"contradict each other: the axes run to RAS by the one, "
                                         r"to LAS by the other \(set the code"):  # fmt: skip
        read_nifti(folder / "ct_sform2_qform1_mirrored.nii.gz")
    assert read_nifti(folder / "ct_agreeing.nii.gz").warnings == ()


@pytest.mark.parametrize("qform", [(1, -1, 1), (1, 1, -1), (-1, -1, 1)])
def test_sides_that_differ_are_refused_unless_one_alone_counts(
    tmp_path: Path, qform: tuple[int, int, int]
) -> None:
    sform = affine(1, 1, 1)
    with pytest.raises(InputError, match="sform and qform contradict each other"):
        read_nifti(saved(tmp_path / "both.nii", sform, affine(*qform), (2, 1)))
    by_sform = read_nifti(saved(tmp_path / "s.nii", sform, affine(*qform), (2, 0)))
    by_qform = read_nifti(saved(tmp_path / "q.nii", affine(*qform), sform, (0, 1)))
    np.testing.assert_array_equal(by_sform.hu, by_qform.hu)
    assert by_sform.warnings == by_qform.warnings == ()


@pytest.mark.parametrize(("far", "said"), [(0.3, False), (5.0, True)])
def test_places_apart_are_said_and_the_sform_counts(tmp_path: Path, far: float, said: bool) -> None:
    sform = affine(1, 1, 1)
    path = saved(tmp_path / "ct.nii", sform, affine(1, 1, 1, at=(0, far, 0)), (1, 1))
    volume = read_nifti(path)
    wanted = ("sform and qform lie up to 5 mm apart: the sform is taken",) if said else ()
    assert volume.warnings == wanted
    alone = read_nifti(saved(tmp_path / "s.nii", sform, sform, (1, 0)))
    np.testing.assert_allclose(volume.affine, alone.affine)


@pytest.mark.parametrize(("apart", "said"), [("2.4", False), ("5", True), ("none", False)])
@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of what is no number
def test_positions_count_before_the_spacing_that_is_said(
    tmp_path: Path, apart: str, said: bool
) -> None:
    images = series()
    for image in images:
        image.add_new("SpacingBetweenSlices", "LO" if apart == "none" else "DS", apart)
    save_all(images, tmp_path)
    (volume,) = read_dicom(tmp_path)
    assert volume.spacing[2] == pytest.approx(2.5)
    wanted = "SpacingBetweenSlices is 5 mm, and the positions are 2.5 mm apart: the positions count"
    assert volume.warnings == ((wanted,) if said else ())
