"""What SEG and report take over of odd headers: valid, said, and the same for a whole series."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from lesions import InputError
from lesions.writers.source_image import GROUPS, source_image
from tests.lesions.readers.dicom_files import SPACING, ct, enhanced, save, save_all, series
from tests.lesions.writers.test_dicom_privacy import NAMES, origin_of
from tests.lesions.writers.test_dicom_writer import mask_of, written

LONG = ["0.80000000000000004", "0.69999999999999996"]  # more digits than DS may have
# Tags of the image, and what is said of them.
ODD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no study": ({"StudyInstanceUID": None}, ["StudyInstanceUID of the image is missing"]),
    "a study that is no UID": ({"StudyInstanceUID": "a7"}, ["StudyInstanceUID of the image is no"]),
    "no frame of reference": ({"FrameOfReferenceUID": None}, ["FrameOfReferenceUID of the image"]),
    "no patient and no modality": ({"PatientID": None, "Modality": None}, []),
    "an identifier too long": ({"AccessionNumber": "7" * 40}, ["AccessionNumber of the image is"]),
    "control characters": ({"PatientID": "7\x1b[2J"}, ["PatientID of the image is not valid"]),
    "a range of dates": ({"StudyDate": "20200101-20200202"}, ["StudyDate of the image is not"]),
    "numbers too long": ({"PixelSpacing": LONG, "SliceThickness": "2.50000000000000001"}, []),
    "lossy, who knows how": ({"LossyImageCompression": "01"}, []),
    "lossy or not": (
        {"LossyImageCompression": "YES", "LossyImageCompressionRatio": 10,
         "LossyImageCompressionMethod": "ISO_10918_1"}, [],
    ),
    "one frame, said": ({"NumberOfFrames": 1}, []),
    "a thickness of 0": ({"SliceThickness": 0, "SpacingBetweenSlices": 2}, ["SliceThickness of"]),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of what is odd
@pytest.mark.parametrize("case", ODD)
def test_what_is_read_can_be_written(tmp_path: Path, case: str) -> None:
    tags, said = ODD[case]
    origin, shape = origin_of(save(ct(**tags), tmp_path / "ct.dcm"))
    repairs = source_image(origin).repairs
    assert [one.startswith(words) for one, words in zip(repairs, said, strict=True)] == [
        True for _ in said
    ]
    mask = mask_of(shape)
    paths = written(origin, mask, tmp_path)
    assert np.array_equal(pydicom.dcmread(paths[0]).pixel_array, mask)


def test_what_is_made_anew_is_the_same_for_a_series(tmp_path: Path) -> None:
    """Else the lesions of one image would lie in places of their own."""
    save_all(series(FrameOfReferenceUID=None, StudyInstanceUID=None), tmp_path / "a")
    save_all(series(FrameOfReferenceUID=None, SeriesInstanceUID="1.2.9"), tmp_path / "b")
    made = [
        tuple(source_image(origin_of(tmp_path / folder, index)[0]).dataset[name].value
              for name in GROUPS)
        for folder, index in (("a", 1), ("a", 3), ("b", 1))
    ]  # fmt: skip
    assert made[0] == made[1]
    assert made[0][0] == "1.2.2"
    assert len({uid for uids in made for uid in uids}) == 6


@pytest.mark.parametrize("kind", ["one frame", "many frames"])
def test_the_distance_of_slices_stands_for_their_thickness(tmp_path: Path, kind: str) -> None:
    if kind == "one frame":
        save_all(series(SliceThickness=None), tmp_path / "ct")
    else:
        image = enhanced()
        del image.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness
        save(image, tmp_path / "ct" / "enhanced")
    origin, shape = origin_of(tmp_path / "ct", 2)
    path, _ = written(origin, mask_of(shape), tmp_path)
    seg = pydicom.dcmread(path)
    assert measures_of(seg).SliceThickness == SPACING[2]
    (said,) = source_image(origin).repairs
    assert said.startswith("SliceThickness of the image is missing")


def measures_of(seg: Dataset) -> Dataset:
    groups = [seg.SharedFunctionalGroupsSequence[0], seg.PerFrameFunctionalGroupsSequence[0]]
    (found,) = (g.PixelMeasuresSequence[0] for g in groups if "PixelMeasuresSequence" in g)
    return found


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of what is no UID
@pytest.mark.parametrize("instance", [None, "dccc9599", "1.02.3"])
def test_an_image_that_does_not_say_which_it_is_is_refused(
    tmp_path: Path, instance: str | None
) -> None:
    image = ct(SOPInstanceUID=instance)
    image.file_meta.MediaStorageSOPInstanceUID = "1.2.3"  # may be what an anonymiser overlooked
    image.save_as(tmp_path / "ct.dcm")
    origin, shape = origin_of(tmp_path / "ct.dcm")
    with pytest.raises(InputError, match=r"ct.dcm: its SOPInstanceUID is .*nothing can refer"):
        written(origin, mask_of(shape), tmp_path)


def test_what_highdicom_refuses_is_told_without_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError(f"odd name: {NAMES['PatientName']}")

    monkeypatch.setattr("highdicom.seg.Segmentation", refuse)
    image = ct(SpecificCharacterSet="ISO_IR 192", **NAMES)
    origin, shape = origin_of(save(image, tmp_path / "ct.dcm"))
    with pytest.raises(InputError) as caught:
        written(origin, mask_of(shape), tmp_path)
    assert str(caught.value) == "the image's header cannot be taken over (ValueError)"


@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 100", "Müller^Jörg"), ("ISO_IR 192", "Müller^Jörg"), ("GB18030", "王^小东"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"),
    ],
)  # fmt: skip
def test_names_keep_their_character_set(
    tmp_path: Path, character_set: str | list[str], name: str
) -> None:
    image = ct(SpecificCharacterSet=character_set, PatientName=name)
    origin, shape = origin_of(save(image, tmp_path / "ct.dcm"))
    for path in written(origin, mask_of(shape), tmp_path):
        found = pydicom.dcmread(path)
        assert found.PatientName == name
        assert found.SpecificCharacterSet == character_set
