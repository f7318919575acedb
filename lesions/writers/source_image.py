"""What of a CT frame's header its DICOM objects take over: valid, emptied or made anew, and said.

Of an image it is what a viewer needs to file them and lay them over it: COPIED, nothing else.
"""

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pydicom
from pydicom import uid
from pydicom.charset import python_encoding
from pydicom.config import RAISE
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.valuerep import DA, TM, format_number_as_ds, validate_value

from lesions.errors import InputError
from lesions.readers.dicom.header import MULTI_FRAME, ct_class, functional_group
from lesions.readers.dicom.opening import open_dicom
from lesions.readers.dicom.tags import positive, text
from lesions.volume import SliceOrigin

# By these a viewer finds the patient and the study; by the standard they may be empty.
FILED_BY = (
    "PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex",
    "StudyID", "StudyDate", "StudyTime", "AccessionNumber",
)  # fmt: skip
# What the image belongs to. Objects have to name all three, so what is missing is made anew.
GROUPS = ("SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")
COPIED = frozenset((
    "SpecificCharacterSet", *FILED_BY, *GROUPS, "SOPClassUID", "SOPInstanceUID",
    "Rows", "Columns", "SamplesPerPixel", "PixelRepresentation", "NumberOfFrames",
    "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod",
    "PixelSpacing", "SliceThickness", "ImageOrientationPatient", "ImagePositionPatient",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    "PixelMeasuresSequence", "PlaneOrientationSequence", "PlanePositionSequence",
))  # fmt: skip
# Where a multi-frame image has its geometry: of all frames, and of each.
SHARED = {
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness"),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
}
OWN = {"PlanePositionSequence": ("ImagePositionPatient",)}
LOSSY = ("LossyImageCompressionRatio", "LossyImageCompressionMethod")
SEXES = ("M", "F", "O")
UTF_8 = "ISO_IR 192"


@dataclass(frozen=True, kw_only=True)
class SourceImage:
    """A CT frame's header as its objects may have it.

    Attributes:
        frame: which of the image's, 1 = the first.
        dataset: valid, its text in UTF-8: highdicom refuses some character sets that images have.
        character_set: the image's own, "" for the default one; None where what is copied cannot be
            written in it.
        repairs: what is not as the image has it, in sentences that tell nothing of the patient.
    """

    frame: int
    dataset: Dataset
    character_set: str | list[str] | None
    repairs: tuple[str, ...]

    @property
    def place(self) -> tuple[str, int]:
        """What tells the frame from every other one."""
        return str(self.dataset.SOPInstanceUID), self.frame


def source_image(origin: SliceOrigin) -> SourceImage:
    """What is taken over of the image that a frame is in.

    Of frames of one series what is made anew is the same.

    Raises:
        InputError: the file is damaged, or does not say which image it is.
    """
    with open_dicom(origin.file, tuple(COPIED)) as (dataset, _):
        image = _copied(dataset)
        image.SOPClassUID = ct_class(dataset)
        if image.SOPClassUID in MULTI_FRAME:
            _regroup(image, origin.frame - 1)
        if not uid.UID(instance := text(image, "SOPInstanceUID")).is_valid:
            why = "is no UID" if instance else "is missing"
            raise InputError(f"its SOPInstanceUID {why}: nothing can refer to it")
        repairs = [*_group(image), *_empty(image), *_measure(image, origin)]
        own = _character_set(image)
    image.SpecificCharacterSet = UTF_8
    image.ReferringPhysicianName = ""  # it has to be there
    image.Modality = "CT"
    return SourceImage(frame=origin.frame, dataset=image, character_set=own, repairs=tuple(repairs))


def _copied(dataset: Dataset) -> Dataset:
    """Its COPIED attributes, those of its sequences' items likewise."""
    kept = Dataset()
    for element in dataset:
        nested = element.VR == "SQ"
        if element.keyword not in COPIED or nested != element.keyword.endswith("Sequence"):
            continue
        kept[element.tag] = element
        if nested:
            kept[element.tag].value = [_copied(item) for item in element.value]
    return kept


def _regroup(image: Dataset, frame: int) -> None:
    """Put geometry where its objects look for it, wherever a multi-frame image has it.

    Spacing and directions of a volume's frames are the same, and those of this one are taken.
    """
    count = len(image.PerFrameFunctionalGroupsSequence)
    shared = _geometry(image, frame, SHARED)
    each = [_geometry(image, index, OWN) for index in range(count)]
    _remove(image, *(keyword for keywords in (SHARED | OWN).values() for keyword in keywords))
    image.SharedFunctionalGroupsSequence = [shared]
    image.PerFrameFunctionalGroupsSequence = each


def _geometry(image: Dataset, frame: int, kinds: Mapping[str, Sequence[str]]) -> Dataset:
    """These functional groups of a frame, by name."""
    group = Dataset()
    for sequence, keywords in kinds.items():
        place, item = functional_group(image, frame, sequence), Dataset()
        for keyword in keywords:
            if keyword in place:
                item[keyword] = place[keyword]
        setattr(group, sequence, [item])
    return group


def _group(image: Dataset) -> list[str]:
    """Put new UIDs where the image has none that is valid; what was done."""
    known = [text(image, keyword) for keyword in (*GROUPS, "SOPInstanceUID")]
    repairs = []
    for keyword, value in zip(GROUPS, known, strict=False):
        if not uid.UID(value).is_valid:
            made = uid.generate_uid(entropy_srcs=[keyword, next(filter(None, known))])
            setattr(image, keyword, made)
            repairs.append(f"{keyword} of the image {'is no UID' if value else 'is missing'}: "
                           "the DICOM objects have a new one")  # fmt: skip
    return repairs


def _empty(image: Dataset) -> list[str]:
    """Empty what breaks DICOM's rules; what was done."""
    repairs = []
    for keyword in FILED_BY:
        value = text(image, keyword)
        sound = _is_sound(keyword, value)
        setattr(image, keyword, value if sound else "")
        if value and not sound:
            repairs.append(f"{keyword} of the image is not valid: it is left empty in the DICOM "
                           "objects")  # fmt: skip
    lossy = text(image, "LossyImageCompression") in ("00", "01")
    if not lossy or any(text(image, keyword) == "" for keyword in LOSSY):
        _remove(image, "LossyImageCompression", *LOSSY)  # the one asks for the others
    if image.SOPClassUID not in MULTI_FRAME:
        _remove(image, "NumberOfFrames")  # some write 1; frames are referred to where it is there
    return repairs


def _remove(image: Dataset, *keywords: str) -> None:
    for keyword in keywords:
        if keyword in image:
            del image[keyword]


def _measure(image: Dataset, origin: SliceOrigin) -> list[str]:
    """Say the slice's thickness where the image does not; what was done."""
    groups = [
        *image.get("SharedFunctionalGroupsSequence", []),
        *image.get("PerFrameFunctionalGroupsSequence", []),
    ]
    measures = [item for group in groups for item in group.get("PixelMeasuresSequence", [])]
    lacking = [place for place in measures or [image] if not positive(place, "SliceThickness")]
    known = origin.thickness is not None
    for place in lacking:
        place.SliceThickness = format_number_as_ds(origin.thickness) if known else None
    if lacking and known:
        return ["SliceThickness of the image is missing: the DICOM objects have the distance of "
                "its slices"]  # fmt: skip
    return []


def _is_sound(keyword: str, value: str) -> bool:
    """Whether there is a value, one alone, that is valid."""
    try:
        validate_value(dictionary_VR(keyword), value, RAISE)
        if keyword.endswith("Date"):
            DA(value)
        elif keyword.endswith("Time"):
            TM(value)
    except ValueError:
        return False
    alone = value != "" and "\\" not in value and value.isprintable()
    return alone and (keyword != "PatientSex" or value in SEXES)


def _character_set(image: Dataset) -> str | list[str] | None:
    """See `SourceImage`."""
    names = text(image, "SpecificCharacterSet").split("\\")
    if any(name not in python_encoding for name in names):
        return None
    words = Dataset()
    words.SpecificCharacterSet = names
    for keyword in FILED_BY:
        setattr(words, keyword, text(image, keyword))
    file = io.BytesIO()
    with warnings.catch_warnings(action="ignore"):  # of what cannot be written, with the words
        words.save_as(file, implicit_vr=False, little_endian=True)
        file.seek(0)
        back = pydicom.dcmread(file, force=True)
    if any(text(back, keyword) != text(words, keyword) for keyword in FILED_BY):
        return None
    return names if len(names) > 1 else names[0]
