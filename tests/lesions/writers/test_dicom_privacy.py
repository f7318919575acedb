"""What SEG and report say of a patient: what they are filed by, whatever else the image says."""

from pathlib import Path
from shutil import which

import pydicom
import pytest
from pydicom.datadict import DicomDictionary, dictionary_VR
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from lesions import Click
from lesions.readers.dicom.header import TAGS
from lesions.readers.prompted import read_prompted
from lesions.volume import SliceOrigin
from lesions.writers.source_image import COPIED
from tests.lesions.readers.dicom_files import ct, enhanced, save, save_all, series
from tests.lesions.writers.test_dicom_writer import mask_of, written
from tests.lesions.writers.valid import check_valid, errors_of

NAMES = {
    "PatientName": "Yamada^Tarou=山田^太郎", "PatientID": "P-17", "IssuerOfPatientID": "HOSPITAL",
    "PatientBirthDate": "19700102", "PatientSex": "F", "StudyDate": "20200304",
    "StudyTime": "101112", "StudyID": "S-9", "AccessionNumber": "A-8",
}  # fmt: skip
NUMBER = "31.4159265"
MARKS = {
    **dict.fromkeys(("LO", "SH", "LT", "ST", "UT", "UC", "PN", "AE", "CS", "UR"), "MARKER"),
    "DA": "19010203", "TM": "010203.4567", "DT": "19010203", "AS": "098Y", "DS": NUMBER,
    "IS": "31415926535", "UI": "1.2.31415926535",  # no new UID has them by chance
}  # fmt: skip
GROUPS = (0x0008, 0x0010, 0x0012, 0x0018, 0x0020, 0x0028, 0x0032, 0x0038, 0x0040, 0x0088, 0x4008)


def marked(dataset: Dataset) -> Dataset:
    """The same with a mark in each other attribute of these groups, and in every sequence."""
    for element in dataset.iterall():
        if element.VR == "SQ":
            for item in element.value:
                marked_item(item)
    known = {*TAGS, *COPIED}
    for number, (vr, _, _, retired, keyword) in DicomDictionary.items():
        if Tag(number).group in GROUPS and keyword not in known and not retired:
            if vr in MARKS:
                dataset.add_new(number, vr, MARKS[vr])
            elif vr == "SQ":
                dataset.add_new(number, vr, [marked_item(Dataset())])
    return marked_item(dataset)


def marked_item(item: Dataset) -> Dataset:
    """The same with a comment, a name, a date, and a private attribute."""
    item.PatientComments = item.OperatorsName = "MARKER"
    item.AcquisitionDate = MARKS["DA"]
    item.add_new(0x00090010, "LO", "MARKER")
    item.add_new(0x00091001, "LT", "MARKER")
    return item


def origin_of(file: Path, index: int | None = None) -> tuple[SliceOrigin, tuple[int, ...]]:
    seen = read_prompted(file, Click(at=(1, 2)), index, None)
    assert seen.origin is not None
    return seen.origin, seen.image_shape


@pytest.mark.parametrize("kind", ["one frame", "many frames"])
def test_nothing_is_copied_but_what_they_are_filed_by(tmp_path: Path, kind: str) -> None:
    image = ct() if kind == "one frame" else enhanced()
    image.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    for keyword, value in NAMES.items():
        setattr(image, keyword, value)
    file = save(marked(image), tmp_path / "ct.dcm")
    assert file.read_bytes().count(b"MARKER") > 1000
    origin, shape = origin_of(file, None if kind == "one frame" else 1)
    for path in written(origin, mask_of(shape), tmp_path):
        content = path.read_bytes()
        for mark in MARKS.values():
            assert mark.encode() not in content, f"{mark} in {path.name}"
        found = pydicom.dcmread(path)
        assert {name: str(found[name].value) for name in NAMES} == NAMES
        assert found.StudyInstanceUID == image.StudyInstanceUID
        assert found.ReferringPhysicianName == ""
        assert not [element for element in found.iterall() if element.tag.is_private]


def test_the_copied_attributes_are_no_free_text() -> None:
    """The list is short on purpose: who lengthens it is asked here."""
    free = ("LO", "SH", "PN", "LT", "ST", "UT", "UC")
    assert {keyword for keyword in COPIED if dictionary_VR(keyword) in free} == {
        "PatientName", "PatientID", "IssuerOfPatientID", "StudyID", "AccessionNumber"
    }  # fmt: skip


@pytest.mark.skipif(which("dciodvfy") is None, reason="dicom3tools is not on this machine")
def test_they_are_valid_by_dciodvfy(tmp_path: Path) -> None:
    tags = {**NAMES, "SpecificCharacterSet": ["", "ISO 2022 IR 87"], "PatientComments": "MARKER"}
    save_all(series(**tags), tmp_path / "ct")
    origin, shape = origin_of(tmp_path / "ct", 2)
    seg, sr = written(origin, mask_of(shape), tmp_path)
    check_valid(seg, sr)
    damaged = pydicom.dcmread(sr)
    del damaged.CompletionFlag
    damaged.save_as(sr)
    (error,) = errors_of(sr)
    assert "CompletionFlag" in error, "what is wrong is noticed"


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of what is damaged
@pytest.mark.parametrize(
    "damage",
    [
        {"PatientSex": "WOMAN"}, {"PatientBirthDate": "19701340"}, {"StudyTime": "2561"},
        {"PatientName": "A\\B"}, {"SpecificCharacterSet": "MINE"}, {"Modality": None},
    ],
)  # fmt: skip
def test_what_breaks_the_rules_is_left_empty(tmp_path: Path, damage: dict[str, str | None]) -> None:
    origin, shape = origin_of(save(ct(**(NAMES | damage)), tmp_path / "ct.dcm"))
    for path in written(origin, mask_of(shape), tmp_path):
        found = pydicom.dcmread(path)
        assert found.PatientID == NAMES["PatientID"]
        assert all(found[name].value in ("", None) for name in damage if name in NAMES)


@pytest.mark.filterwarnings("error")
def test_nobody_is_named_in_warnings(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A name of one part, as pseudonyms are, is odd to highdicom, which quotes it."""
    origin, shape = origin_of(save(ct(PatientName="Pseudonym"), tmp_path / "ct.dcm"))
    paths = written(origin, mask_of(shape), tmp_path)
    assert {str(pydicom.dcmread(path).PatientName) for path in paths} == {"Pseudonym"}
    assert capfd.readouterr() == ("", "")
