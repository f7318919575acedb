"""Files of one SOPInstanceUID and position: copies are set aside, anything else is named."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from lesions.readers.dicom import read_dicom_folder
from tests.lesions.readers.dicom_files import ENCODERS, HU, compress, enhanced, save, series


def write(folder: Path) -> list[Dataset]:
    """A series, and one that nothing should cost."""
    for index, dataset in enumerate(series(SeriesInstanceUID="1.2.8")):
        save(dataset, folder / "other" / f"{index}")
    datasets = series()
    for index, dataset in enumerate(datasets):
        save(dataset, folder / f"IM{index}")
    return datasets


def reasons_of(folder: Path, *, is_read: bool) -> dict[str, str]:
    volumes, rejected = read_dicom_folder(folder)
    assert [one.series for one in volumes] == (["1.2.2", "1.2.8"] if is_read else ["1.2.8"])
    for volume in volumes:
        np.testing.assert_array_equal(volume.hu, HU)
    return {one.file.name: one.reason for one in rejected}


@pytest.mark.parametrize(
    "tags",
    [
        {"PixelData": ((HU[2].astype(int) + 1025).astype("<u2")).tobytes()},
        {"PatientID": "P2"},
        {"StudyInstanceUID": "1.2.99"},
        {"FrameOfReferenceUID": "1.2.99"},
        {"PixelSpacing": [0.8, 0.75]},
        {"SliceThickness": 3},
        {
            "RescaleIntercept": -1025,
            "PixelData": ((HU[2].astype(int) + 1025).astype("<u2")).tobytes(),
        },
    ],
    ids=lambda tags: "+".join(tags),
)
@pytest.mark.parametrize("name", ["A", "Z"])  # before the others, after them
def test_another_image_under_the_same_uid_is_named(
    tmp_path: Path, tags: dict[str, Any], name: str
) -> None:
    datasets = write(tmp_path)
    for keyword, value in tags.items():
        setattr(datasets[2], keyword, value)
    save(datasets[2], tmp_path / name)
    reasons = reasons_of(tmp_path, is_read=False)
    first, second = sorted([tmp_path / name, tmp_path / "IM2"])
    assert set(reasons) == {"IM0", "IM1", "IM2", "IM3", "IM4", name}
    assert set(reasons.values()) == {
        f"{first} and {second} are said to be one image and differ (remove the one that is wrong)"
    }


def test_another_frame_of_a_multi_frame_copy_is_named(tmp_path: Path) -> None:
    image = enhanced()
    save(image, tmp_path / "a")
    save(image, tmp_path / "b")
    volumes, (copy,) = read_dicom_folder(tmp_path)
    assert (len(volumes), copy.reason) == (1, "a copy of a")
    image.PixelData = image.PixelData[:-2] + b"\0\0"
    save(image, tmp_path / "b")
    volumes, rejected = read_dicom_folder(tmp_path)
    assert (len(volumes), len(rejected)) == (0, 2)


def test_a_copy_in_another_encoding_is_a_copy(tmp_path: Path) -> None:
    datasets = write(tmp_path)
    syntax, encode, _ = ENCODERS["JPEG-LS"]
    stored = np.frombuffer(datasets[2].PixelData, "<u2").reshape(HU[2].shape)
    save(compress(datasets[2], syntax, [encode(stored)]), tmp_path / "Z")
    assert reasons_of(tmp_path, is_read=True) == {"Z": "a copy of IM2"}


@pytest.mark.parametrize("name", ["A", "Z"])
def test_a_copy_that_cannot_be_read_costs_itself(tmp_path: Path, name: str) -> None:
    datasets = write(tmp_path)
    datasets[2].PixelData = datasets[2].PixelData[:-2]
    save(datasets[2], tmp_path / name)
    own = "the pixel data have 82 bytes, 1 frames of 6 × 7 need 84"
    assert reasons_of(tmp_path, is_read=True) == {name: own}


def test_copies_of_which_none_can_be_read_cost_their_series(tmp_path: Path) -> None:
    datasets = write(tmp_path)
    datasets[2].PixelData = datasets[2].PixelData[:-2]
    for name in ("IM2", "Z"):
        save(datasets[2], tmp_path / name)
    reasons = reasons_of(tmp_path, is_read=False)
    own = "the pixel data have 82 bytes, 1 frames of 6 × 7 need 84"
    assert (reasons.pop("IM2"), reasons.pop("Z")) == (own, own)
    assert set(reasons.values()) == {f"its series is refused: {tmp_path / 'IM2'}: {own}"}
