"""`predict` on files as the field has them: each case of `../shared/data/field/README.md`."""

from pathlib import Path

import numpy as np
import pydicom
import pytest

from lesions.readers.png import decode_labels
from tests.discs import Checkpoints, dice, middle_of, slice_with_discs
from tests.lesions.readers.dicom_files import ct, save, save_all, series
from tests.platform.conftest import Predict, command

HU, CORNERS = slice_with_discs(100)
CLICK = ("--click", "{},{}".format(*middle_of(CORNERS[0])))


# What is said of each, by words that it holds; no name and no date is among them.
READABLE: dict[str, tuple[str, ...]] = {
    "character_set/empty_charset.dcm": (),
    "character_set/japanese_standard_H3.dcm": (),
    "anonymised_values/birthdate_year_only.dcm": ("PatientBirthDate of the image is not valid",),
    "anonymised_values/sex_U.dcm": ("PatientSex of the image is not valid",),
    "anonymised_values/studytime_colons.dcm": ("StudyTime of the image is not valid",),
    "absent_tags/no_FrameOfReferenceUID.dcm": ("FrameOfReferenceUID of the image is missing",),
    "absent_tags/series_no_SliceThickness": ("SliceThickness of the image is missing",),
    "no_preamble/preamble_and_DICM_cut.dcm": (),
}


@pytest.mark.parametrize("name", READABLE)
def test_what_is_read_is_measured_and_written(
    predict: Predict, shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:  # fmt: skip
    image = shared_data / "field" / name
    found = predict("--image", image, *CLICK, *(("--slice", 1) if image.is_dir() else ()))
    assert found["files"] == {"mask": "mask.dcm", "report": "report.dcm"}
    seg, report = (pydicom.dcmread(tmp_path / "out" / file) for file in found["files"].values())
    assert dice(seg.pixel_array, CORNERS[0]) > 0.85
    assert len(found["warnings"]) == len(READABLE[name])
    for said, words in zip(found["warnings"], READABLE[name], strict=True):
        assert said.startswith(words)
        assert f"warning: {said}\n" in capsys.readouterr().out
    source = pydicom.dcmread(image / "1.dcm" if image.is_dir() else image, force=True)
    for written in (seg, report):
        assert written.get("PatientName", "") == source.get("PatientName", "")
        assert written.get("SpecificCharacterSet", "") == source.get("SpecificCharacterSet", "")
        assert written.PatientBirthDate == written.PatientSex == written.StudyTime == ""
        assert written.StudyInstanceUID == source.StudyInstanceUID


def test_a_mask_that_its_format_cannot_have_is_a_png(
    predict: Predict, shared_data: Path, tmp_path: Path
) -> None:
    """Its SOPInstanceUID is a digest in hexadecimal, to which no valid object can refer."""
    image = shared_data / "dicom" / "pydicom_data_ct" / "bad_sequence.dcm"
    found = predict("--image", image, "--click", "256,256")
    (said,) = found["warnings"]
    assert said.endswith("mask.png instead: its SOPInstanceUID is no UID: nothing can refer to it")
    mask = decode_labels((tmp_path / "out" / "mask.png").read_bytes())
    assert found["files"] == {"mask": "mask.png"}
    assert found["mask"]["pixels"] == mask.sum() > 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("not_hu/ct_0_to_1.nii.gz", "values of 0 to 1 are no HU"),
        ("sform_qform/ct_sform2_qform1_mirrored.nii.gz", "sform and qform contradict each other"),
    ],
)
def test_what_may_be_wrong_is_refused_with_a_remedy(
    two_checkpoints: Checkpoints, shared_data: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], name: str, words: str,
) -> None:  # fmt: skip
    given = ("pdnet", "--model", *two_checkpoints, "--out", tmp_path / "out", "--slice", 1)
    assert command("predict", *given, "--image", shared_data / "field" / name, *CLICK) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "(convert them to HU" in error or "(set the code of the wrong one to 0)" in error
    assert not (tmp_path / "out" / "answer.json").exists()


@pytest.mark.filterwarnings("ignore:.*set aside:UserWarning")  # of the scout
def test_what_was_chosen_to_read_it_is_said(
    predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = series(np.stack([HU, HU, HU]), SeriesInstanceUID=None, RescaleType="US")
    save_all(images, tmp_path / "ct")
    across = [1, 0, 0, 0, 0, -1]
    save(ct(HU, SeriesInstanceUID=None, ImageOrientationPatient=across), tmp_path / "ct" / "SCOUT")
    found = predict("--image", tmp_path / "ct", "--slice", 1, *CLICK, "--values-are-hu")
    starts = ("SeriesInstanceUID is missing", "RescaleType is US", "SeriesInstanceUID of the image")
    said = capsys.readouterr().out
    for words, start in zip(found["warnings"], starts, strict=True):
        assert words.startswith(start)
        assert f"warning: {words}\n" in said
    assert pydicom.dcmread(tmp_path / "out" / "mask.dcm").StudyInstanceUID == "1.2.1"
