"""A tilted gantry: slices are read as acquired, each where it was, and it is said."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from lesions import Click, InputError, lesions_from_mask, read_dicom
from lesions.readers.dicom.segmentation import read_segmentation
from lesions.readers.prompted import read_prompted
from tests.lesions.readers.dicom_files import HU, ORIGIN, SPACING, ct, save, save_all, series
from tests.lesions.writers.test_dicom_writer import written

FEED = np.array([0.0, 0.0, SPACING[2]])
BACK = np.array([0.0, 1.0, 0.0])
WITHIN = "lengths within a slice are right, the stack leans"


def leaning(
    degrees: float, *, row: tuple[int, ...] = (1, 0, 0), step: np.ndarray = FEED, **tags: object
) -> list[Dataset]:
    """Slices tilted about the patient's x axis, each a step beside the one before."""
    angle = np.deg2rad(degrees)
    datasets = series(**tags)
    for k, dataset in enumerate(datasets):
        dataset.ImageOrientationPatient = [*row, 0, np.cos(angle), np.sin(angle)]
        dataset.ImagePositionPatient = np.round(np.array(ORIGIN) + k * step, 9).tolist()
    return datasets


def across(degrees: float) -> np.ndarray:
    """A step from slice to slice at right angles to slices so tilted."""
    angle = np.deg2rad(degrees)
    return SPACING[2] * np.array([0.0, -np.sin(angle), np.cos(angle)])


@pytest.mark.parametrize("degrees", [-20.0, 15.0])
def test_acquired_slices_keep_their_pixels_their_lengths_and_their_places(
    tmp_path: Path, degrees: float
) -> None:
    datasets = leaning(degrees)
    save_all(datasets, tmp_path)
    (volume,) = read_dicom(tmp_path)
    np.testing.assert_array_equal(volume.hu, HU)
    apart = SPACING[2] * np.cos(np.deg2rad(degrees))
    assert volume.spacing == pytest.approx((*SPACING[:2], apart))
    assert volume.warnings == (f"the gantry is tilted by {abs(degrees):.1f}°: {WITHIN}",)
    for k, dataset in enumerate(datasets):
        corner = volume.affine @ (0, 0, k, 1)
        np.testing.assert_allclose(corner[:3], np.array(dataset.ImagePositionPatient), atol=1e-6)
    down = (volume.affine @ (0, 5, 0, 1) - volume.affine @ (0, 0, 0, 1))[:3]
    assert np.linalg.norm(down) == pytest.approx(5 * SPACING[1])


def test_from_the_other_side_it_is_turned_as_any_series(tmp_path: Path) -> None:
    save_all(leaning(15, row=(-1, 0, 0)), tmp_path)
    (volume,) = read_dicom(tmp_path)
    np.testing.assert_array_equal(volume.hu, HU[:, :, ::-1])


def test_a_segmentation_of_it_reads_back_into_its_slice(tmp_path: Path) -> None:
    save_all(leaning(15), tmp_path / "ct")
    seen = read_prompted(tmp_path / "ct", Click(at=(1, 2)), 3, None)
    assert seen.origin is not None
    mask = np.zeros(seen.image_shape, np.uint8)
    mask[1:4, 1:6] = 1
    path, _ = written(seen.origin, mask, tmp_path)
    (volume,) = read_dicom(tmp_path / "ct")
    labels = read_segmentation(path, volume)
    np.testing.assert_array_equal(labels.hu[3], mask)
    assert labels.hu.sum() == mask.sum()
    (lesion,) = lesions_from_mask(volume, labels)
    long, _ = lesion.recist.diameters_mm(volume.spacing)
    assert long == pytest.approx(np.hypot(5 * SPACING[0], 2 * SPACING[1]))


def test_straight_slices_that_shift_are_read_and_said(tmp_path: Path) -> None:
    save_all(leaning(0, step=FEED + 0.67 * BACK), tmp_path)
    (volume,) = read_dicom(tmp_path)
    np.testing.assert_array_equal(volume.hu, HU)
    assert volume.spacing == pytest.approx(SPACING)
    assert volume.warnings == (f"the slices shift sideways by 15.0°: {WITHIN}",)


def test_a_tilt_beside_straight_directions_is_said(tmp_path: Path) -> None:
    save_all(series(GantryDetectorTilt=-12.5), tmp_path)
    (volume,) = read_dicom(tmp_path)
    np.testing.assert_array_equal(volume.hu, HU)
    (said,) = volume.warnings
    assert said.startswith("GantryDetectorTilt is -12.5° and the slices are said to lie straight")


def test_a_slice_alone_needs_the_gantry_s_word(tmp_path: Path) -> None:
    (tilted, *_) = leaning(15, GantryDetectorTilt=-15)
    (volume,) = read_dicom(save(tilted, tmp_path / "one"))
    np.testing.assert_array_equal(volume.hu, HU[:1])
    tilted.GantryDetectorTilt = 0
    with pytest.raises(InputError, match=r"tilted by 15\.0° \(resample it to axial slices\)"):
        read_dicom(save(tilted, tmp_path / "one"))


@pytest.mark.parametrize(
    ("datasets", "reason"),
    [
        (leaning(15, step=across(15)), r"tilted by 15\.0°"),  # cut from a volume, not acquired
        (leaning(33), r"tilted by 33\.0°"),
        (leaning(0, step=FEED + 2 * BACK), r"shift sideways by 38\.7°"),
    ],
)
def test_what_no_gantry_does_is_refused(
    tmp_path: Path, datasets: list[Dataset], reason: str
) -> None:
    save_all(datasets, tmp_path)
    with pytest.raises(InputError, match=reason):
        read_dicom(tmp_path)


def test_a_damaged_tilt_is_named(tmp_path: Path) -> None:
    path = save(ct(GantryDetectorTilt=12.25), tmp_path / "ct")
    path.write_bytes(path.read_bytes().replace(b"12.25", b"12,25"))
    with pytest.raises(InputError, match="GantryDetectorTilt is not a number"):
        read_dicom(path)
