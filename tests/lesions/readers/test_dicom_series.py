"""DICOM series: any order, orientation and company reads the same; what is no stack is named."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from lesions import InputError
from lesions.readers.dicom import read_dicom, read_dicom_folder
from tests.lesions.readers.dicom_files import (
    HU,
    ORIGIN,
    SPACING,
    ct,
    enhanced,
    save,
    save_all,
    series,
)

# Row and column directions of an axial image: on the back, the belly, a side; feet or head first.
AXIAL = [
    (row, column)
    for a, b in (((1, 0, 0), (0, 1, 0)), ((0, 1, 0), (1, 0, 0)))
    for row in (a, tuple(-x for x in a))
    for column in (b, tuple(-x for x in b))
]


@pytest.mark.parametrize(("row", "column"), AXIAL)
def test_any_axial_orientation_reads_the_same(
    tmp_path: Path, row: tuple[int, ...], column: tuple[int, ...]
) -> None:
    save_all(series(row=row, column=column), tmp_path)
    (volume,) = read_dicom(tmp_path)
    np.testing.assert_array_equal(volume.hu, HU)
    assert volume.hu.dtype == np.int16
    assert volume.hu.flags.c_contiguous
    assert volume.spacing == pytest.approx(SPACING)
    np.testing.assert_allclose(volume.affine[:3, 3], ORIGIN, atol=1e-5)
    np.testing.assert_allclose(volume.affine[:3, :3], np.diag(SPACING), atol=1e-5)


def test_slices_are_ordered_by_position_not_by_name_or_number(tmp_path: Path) -> None:
    order = random.Random(0)
    datasets = series()
    numbers = order.sample(range(len(datasets)), len(datasets))
    for dataset, number in zip(datasets, numbers, strict=True):
        dataset.InstanceNumber = number
        save(dataset, tmp_path / f"{number % 2}" / f"{order.random()}.jpg")
    (volume,) = read_dicom(tmp_path)
    np.testing.assert_array_equal(volume.hu, HU)
    # Each slice says where it came from.
    for hu, origin in zip(volume.hu, volume.slices, strict=True):
        np.testing.assert_array_equal(read_dicom(origin.file)[0].hu[0], hu)
        assert origin.frame == 1
    assert [s.instance for s in volume.slices] == [d.SOPInstanceUID for d in datasets]


def test_a_volume_says_whose_it_is(tmp_path: Path) -> None:
    save_all(series(), tmp_path)
    (volume,) = read_dicom(tmp_path)
    assert (volume.patient, volume.study, volume.series) == ("P1", "1.2.1", "1.2.2")
    assert volume.frame_of_reference == "1.2.3"
    assert volume.source == tmp_path
    save_all(series(SeriesInstanceUID="1.2.9"), tmp_path / "a" / "1.2.9")
    save(ct(SeriesInstanceUID="1.2.8"), tmp_path / "lone")
    volumes = read_dicom(tmp_path)
    assert [v.source for v in volumes] == [
        tmp_path,
        tmp_path / "lone",
        tmp_path / "a" / "1.2.9",
    ]


def test_mixed_series_are_separated_and_other_files_named(tmp_path: Path) -> None:
    save_all(series(), tmp_path)
    save_all(series(HU[:3] + 1, SeriesInstanceUID="1.2.9"), tmp_path / "other")
    save(ct(SOPClassUID=uid.MRImageStorage), tmp_path / "mr")
    save(ct(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), tmp_path / "scout")
    save(ct(SOPClassUID=uid.SecondaryCaptureImageStorage), tmp_path / "dose")
    (tmp_path / "README.TXT").write_text("who wrote this disc")
    (tmp_path / "empty").touch()
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere")
    volumes, rejected = read_dicom_folder(tmp_path)
    assert [v.series for v in volumes] == ["1.2.2", "1.2.9"]
    np.testing.assert_array_equal(volumes[0].hu, HU)
    np.testing.assert_array_equal(volumes[1].hu, HU[:3] + 1)
    assert {r.file.name: r.reason for r in rejected} == {
        "mr": "MR Image Storage, not a CT image",
        "scout": "a localizer, not a slice",
        "dose": "Secondary Capture Image Storage, not a CT image",
        "README.TXT": "no DICOM file",
        "empty": "no DICOM file",
        "lost": "there is no such file",
    }
    with pytest.warns(UserWarning, match=r"6 files are set aside \(2 × no DICOM file; 1 × "):
        assert len(read_dicom(tmp_path)) == 2


def test_a_copy_is_set_aside(tmp_path: Path) -> None:
    paths = save_all(series(), tmp_path)
    (tmp_path / "IM2 (1)").write_bytes(paths[2].read_bytes())
    (volume,), (copy,) = read_dicom_folder(tmp_path)
    np.testing.assert_array_equal(volume.hu, HU)
    assert copy.file.name == "IM2 (1)"
    assert copy.reason == "a copy of IM2"


def test_one_uid_on_different_slices_makes_no_copies(tmp_path: Path) -> None:
    # As bad anonymisers leave them.
    save_all(series(SOPInstanceUID="1.2.4"), tmp_path)
    (volume,) = read_dicom(tmp_path)
    np.testing.assert_array_equal(volume.hu, HU)


def test_positions_may_be_rounded(tmp_path: Path) -> None:
    datasets = series()
    for k, dataset in enumerate(datasets):
        dataset.ImagePositionPatient = [-100, -120, round(30 + 0.625 * k, 1)]
    save_all(datasets, tmp_path)
    (volume,) = read_dicom(tmp_path)
    assert volume.spacing[2] == pytest.approx(0.625, abs=0.02)


def moved(index: int, by: tuple[float, float, float]) -> Callable[[list[Dataset]], Any]:
    def edit(datasets: list[Dataset]) -> None:
        position = np.array(datasets[index].ImagePositionPatient, float) + by
        datasets[index].ImagePositionPatient = position.tolist()

    return edit


def tagged(index: int, **tags: Any) -> Callable[[list[Dataset]], Any]:
    def edit(datasets: list[Dataset]) -> None:
        for keyword, value in tags.items():
            setattr(datasets[index], keyword, value)

    return edit


def coronal(datasets: list[Dataset]) -> None:
    for k, dataset in enumerate(datasets):
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
        dataset.ImagePositionPatient = [-100, 2.5 * k, 30]


NO_STACK: dict[str, tuple[Callable[[list[Dataset]], Any], str]] = {
    "missing slice": (lambda d: d.pop(2), r"not evenly spaced: 2\.5 to 5 mm.*between IM1 and IM2"),
    "variable spacing": (moved(2, (0, 0, 0.6)), "not evenly spaced"),
    "two at one place": (moved(2, (0, 0, 2.5)), "two slices lie at one position: IM2 and IM3"),
    "beside the line": (moved(2, (3, 0, 0)), r"IM2 lies 2\.4 mm beside the line"),
    "coronal": (coronal, "coronal slices, not axial"),
    "other spacing": (tagged(2, PixelSpacing=[0.8, 0.75]), "mixes slices of different pixel"),
    "other orientation": (
        tagged(2, ImageOrientationPatient=[1, 0, 0, 0, -1, 0]),
        "mixes slices of different orientation: IM0 and IM2",
    ),
    "other size": (
        tagged(2, Rows=7, Columns=6),
        "mixes slices of different size",
    ),
    "other frame": (tagged(2, FrameOfReferenceUID="1.9"), "different frame of reference"),
    "other patient": (tagged(2, PatientID="P2"), "different patient"),
}


@pytest.mark.parametrize("case", NO_STACK)
def test_what_is_no_stack_is_refused_by_name(tmp_path: Path, case: str) -> None:
    edit, reason = NO_STACK[case]
    datasets = series()
    edit(datasets)
    paths = save_all(datasets, tmp_path)
    with pytest.raises(InputError, match=reason):
        read_dicom(tmp_path)
    volumes, rejected = read_dicom_folder(tmp_path)
    assert volumes == []
    assert [r.file for r in rejected] == paths


def test_a_slice_with_damaged_pixels_takes_its_series_along(tmp_path: Path) -> None:
    datasets = series()
    datasets[3].PixelData = datasets[3].PixelData[:-2]
    save_all(datasets, tmp_path)
    _, rejected = read_dicom_folder(tmp_path)
    reasons = {r.file.name: r.reason for r in rejected}
    own = "the pixel data have 82 bytes, 1 frames of 6 × 7 need 84"
    assert reasons.pop("IM3") == own
    assert set(reasons.values()) == {f"its series is refused: {tmp_path / 'IM3'}: {own}"}


def test_a_lone_slice_is_a_volume(tmp_path: Path) -> None:
    path = save(ct(SpacingBetweenSlices=20), tmp_path / "one")
    (volume,) = read_dicom(path)
    np.testing.assert_array_equal(volume.hu, HU[:1])
    # Its thickness, not the distance to neighbours that it has not.
    assert volume.spacing == pytest.approx(SPACING)
    (volume,) = read_dicom(save(ct(SliceThickness=None, SpacingBetweenSlices=20), path))
    assert volume.spacing[2] == 20
    (volume,) = read_dicom(save(ct(SliceThickness=None), path))
    assert volume.spacing == pytest.approx((*SPACING[:2], 1))  # lengths within it need none
    assert volume.warnings == (
        "the lone slice has no SliceThickness: it is taken to be 1 mm thick",
    )


def test_multi_frame_reads_as_its_frames(tmp_path: Path) -> None:
    path = save(enhanced(), tmp_path / "enhanced")
    (volume,) = read_dicom(path)
    # Frame k was stored in steps of k + 1 HU.
    assert (np.abs(volume.hu - HU).max(axis=(1, 2)) <= [2.5, 2, 1.5, 1, 0]).all()
    assert volume.spacing == pytest.approx(SPACING)
    np.testing.assert_allclose(volume.affine[:3, 3], ORIGIN)
    assert [s.frame for s in volume.slices] == [5, 4, 3, 2, 1]
    assert {s.file for s in volume.slices} == {path}


def test_multi_frame_is_refused_by_name(tmp_path: Path) -> None:
    image = enhanced()
    image.NumberOfFrames = 4
    with pytest.raises(InputError, match="NumberOfFrames is 4, the file describes 5"):
        read_dicom(save(image, tmp_path / "count"))
    image = enhanced()
    del image.PerFrameFunctionalGroupsSequence[3].PlanePositionSequence
    with pytest.raises(InputError, match="ImagePositionPatient is missing"):
        read_dicom(save(image, tmp_path / "position"))
    image = enhanced()
    groups = image.PerFrameFunctionalGroupsSequence
    groups[3].PlanePositionSequence = groups[4].PlanePositionSequence
    with pytest.raises(InputError, match=r"one position: doubled, frame 4 and doubled, frame 5"):
        read_dicom(save(image, tmp_path / "doubled"))


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no CT series can be read: the folder is empty"):
        read_dicom(tmp_path)
    with pytest.raises(InputError, match="there is no such file"):
        read_dicom(tmp_path / "absent")
    with pytest.raises(InputError, match="there is no such folder"):
        read_dicom_folder(tmp_path / "absent")
