"""DICOM as the field has it, `../shared/data/field/README.md`: read where it is safe, and said."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from lesions import InputError
from lesions.readers.dicom import read_dicom, read_dicom_folder
from tests.lesions.readers.dicom_files import HU, SPACING, ct, save, save_all, series

ACROSS = {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1], "ImageType": ["ORIGINAL", "PRIMARY"]}


def test_an_unspecified_unit_is_hu(shared_data: Path) -> None:
    """A slope of 1 and an intercept of 0: the stored values, IMG0001.dcm the lowest slice."""
    folder = shared_data / "field" / "rescale_type_us" / "dcmqi_23x38x3"
    (volume,) = read_dicom(folder)
    stored = [pydicom.dcmread(file).pixel_array for file in sorted(folder.iterdir())]
    np.testing.assert_array_equal(volume.hu, stored)
    assert volume.hu.any()
    assert volume.warnings == ("RescaleType is US, unspecified: the values are taken for HU",)


@pytest.mark.parametrize(
    ("kind", "reads"),
    [
        (["ORIGINAL", "PRIMARY", "AXIAL"], True), (["DERIVED", "SECONDARY"], True), (None, True),
        (["DERIVED", "PRIMARY", "PERFUSION", "RCBF"], False),
        (["DERIVED", "SECONDARY", "AXIAL", "CT_PERF_MTT"], False),
    ],
)  # fmt: skip
def test_a_map_is_told_by_its_image_type(
    tmp_path: Path, kind: list[str] | None, reads: bool
) -> None:
    path = save(ct(ImageType=kind, RescaleType="US"), tmp_path / "one")
    if reads:
        np.testing.assert_array_equal(read_dicom(path)[0].hu[0], HU[0])
    else:
        with pytest.raises(InputError, match="RescaleType is US: the values are not said to be HU"):
            read_dicom(path)


def test_a_scout_is_named_and_its_series_read(shared_data: Path) -> None:
    volumes, rejected = read_dicom_folder(shared_data / "field" / "untyped_localizer" / "series")
    (volume,), (scout,) = volumes, rejected
    np.testing.assert_array_equal(volume.hu, HU)
    assert scout.file.name == "SCOUT"
    assert scout.reason == "lies across the 5 axial slices of its series: a scout"
    assert volume.warnings == ("SCOUT lies across the other slices: it is left out as a scout",)


def test_scouts_are_told_from_a_stack_by_their_number(tmp_path: Path) -> None:
    """Two across three are scouts; two across two are no one knows what."""
    lateral = {**ACROSS, "ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}
    for name, tags in (("front", ACROSS), ("side", lateral)):
        save(ct(np.zeros((9, 9)), **tags), tmp_path / name)
    save_all(series(HU[:3]), tmp_path)
    (volume,), rejected = read_dicom_folder(tmp_path)
    np.testing.assert_array_equal(volume.hu, HU[:3])
    assert [one.file.name for one in rejected] == ["front", "side"]
    (tmp_path / "IM2").unlink()
    with pytest.raises(InputError, match="4 × the series mixes slices of different size"):
        read_dicom(tmp_path)


def test_files_without_a_series_are_one_where_they_make_a_stack(shared_data: Path) -> None:
    folder = shared_data / "field" / "no_series_uid"
    (volume,) = read_dicom(folder)
    files = sorted(folder.iterdir(), reverse=True)  # 1.dcm lies highest
    for hu, file in zip(volume.hu, files, strict=True):
        image = pydicom.dcmread(file)
        np.testing.assert_array_equal(hu, image.pixel_array.astype(int) - 1024)
        (alone,) = read_dicom(file)
        np.testing.assert_array_equal(alone.hu[0], hu)
        assert alone.warnings == ()
    assert volume.spacing == pytest.approx((0.9765625, 0.9765625, 2))
    (said,) = volume.warnings
    assert said == ("SeriesInstanceUID is missing: the files are taken for one series: 3 that "
                    "share patient, study and geometry")  # fmt: skip


@pytest.mark.parametrize(
    "other", [{"PatientID": "P2"}, {"StudyInstanceUID": "1.2.9"}, {"PixelSpacing": [0.5, 0.5]}]
)
def test_files_without_a_series_that_share_less_are_several(
    tmp_path: Path, other: dict[str, Any]
) -> None:
    unnamed: dict[str, Any] = {"SeriesInstanceUID": None}
    save_all(series(**unnamed), tmp_path / "a")
    for index, image in enumerate(series(HU + 1, **unnamed)):
        for keyword, value in other.items():
            setattr(image, keyword, value)
        save(image, tmp_path / "b" / f"{index}")
    volumes = {volume.source.name: volume for volume in read_dicom(tmp_path)}
    np.testing.assert_array_equal(volumes["a"].hu, HU)
    np.testing.assert_array_equal(volumes["b"].hu, HU + 1)


def test_files_without_a_series_that_are_no_stack_are_refused_with_a_remedy(tmp_path: Path) -> None:
    images = series(SeriesInstanceUID=None)
    save_all([*images[:2], *images[3:]], tmp_path)
    with pytest.raises(InputError, match=r"they are none \(.*not evenly spaced.*; name one file"):
        read_dicom(tmp_path)
    np.testing.assert_array_equal(read_dicom(tmp_path / "IM2")[0].hu[0], HU[3])


def test_bits_that_say_nothing_are_left_out(shared_data: Path) -> None:
    (volume,) = read_dicom(shared_data / "field" / "unused_bits" / "series")
    np.testing.assert_array_equal(volume.hu, HU)
    assert (volume.hu.min(), volume.hu.max()) == (-992, 1991)
    assert volume.warnings == (
        "the bits above BitsStored say nothing in 1 slices: they are left out",
    )


TWELVE = {"BitsStored": 12, "HighBit": 11}
# Stored values, the intercept: what may be a value, an overlay or a padding is none of ours to cut.
UNCLEAR: dict[str, tuple[np.ndarray, int]] = {
    "one value has more": (np.where(np.arange(42).reshape(6, 7) == 9, 5000, 1064), -1024),
    "all have more, and would be HU": (np.full((6, 7), 8192 + 40), -8192),
    "an overlay's bits": (1064 + 0x4000 * (np.arange(42).reshape(6, 7) % 3 == 0), -1024),
    "two overlays, a bit in each pixel": (1064 + 0x2000 * (1 + np.arange(42).reshape(6, 7) % 2), 0),
}


@pytest.mark.parametrize("case", UNCLEAR)
def test_bits_that_may_be_values_are_not_cut_off(tmp_path: Path, case: str) -> None:
    stored, intercept = UNCLEAR[case]
    image = ct(stored - 1024, RescaleIntercept=intercept, **TWELVE)
    with pytest.raises(InputError, match=r"BitsStored is 12, \d+ values have more \(store it with"):
        read_dicom(save(image, tmp_path / "one"))


def test_the_thickness_of_a_lone_slice_is_its_own(tmp_path: Path) -> None:
    (volume,) = read_dicom(save(ct(SeriesInstanceUID=None), tmp_path / "one"))
    assert volume.spacing == pytest.approx(SPACING)
    assert volume.series == ""
    assert volume.warnings == ()
