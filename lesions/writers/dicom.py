"""DICOM SEG and a TID 1500 measurement report of one lesion on one CT frame, by highdicom.

Of the image they say what a viewer needs to file them and lay them over it: COPIED, nothing else.
"""

import functools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import highdicom
import numpy as np
from highdicom import sr
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.valuerep import DA, TM

from lesions.errors import InputError
from lesions.files import replace_with
from lesions.readers.dicom.opening import open_dicom
from lesions.readers.dicom.tags import text
from lesions.volume import SliceOrigin

MAKER = "Lesion Platform"
# By these a viewer finds the patient and the study; by the standard they may be empty.
FILED_BY = (
    "PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex",
    "StudyID", "StudyDate", "StudyTime", "AccessionNumber",
)  # fmt: skip
NEEDED = (
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID",
)  # fmt: skip
COPIED = frozenset((
    "SpecificCharacterSet", *FILED_BY, *NEEDED,
    "Rows", "Columns", "SamplesPerPixel", "PixelRepresentation", "NumberOfFrames",
    "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod",
    "PixelSpacing", "SliceThickness", "ImageOrientationPatient", "ImagePositionPatient",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    "PixelMeasuresSequence", "PlaneOrientationSequence", "PlanePositionSequence",
))  # fmt: skip
SEXES = ("M", "F", "O")

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """What measured: for both objects' headers."""

    name: str
    version: str


def _quietly(make: Callable[P, T]) -> Callable[P, T]:
    """Without the warnings of highdicom and pydicom: they quote the patient's name."""

    @functools.wraps(make)
    def quiet(*args: P.args, **kwargs: P.kwargs) -> T:
        with warnings.catch_warnings(action="ignore"):
            return make(*args, **kwargs)

    return quiet


@_quietly
def segmentation(origin: SliceOrigin, mask: NDArray[np.uint8], algorithm: Algorithm) -> Any:
    """A DICOM SEG with one binary segment on one frame.

    Args:
        origin: the CT frame.
        mask: uint8 (rows, columns) of the stored frame, 1 = lesion; not empty.
        algorithm: what made it.
    """
    image = _image(origin)
    pixels = np.zeros((int(image.get("NumberOfFrames", 1)), *mask.shape), np.uint8)
    pixels[origin.frame - 1] = mask == 1
    identity = highdicom.AlgorithmIdentificationSequence(
        name=algorithm.name,
        family=codes.cid7162.ArtificialIntelligence,
        version=algorithm.version,
    )
    segment = highdicom.seg.SegmentDescription(
        segment_number=1,
        segment_label="Lesion",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Lesion,
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
        algorithm_identification=identity,
        tracking_uid=highdicom.UID(),
        tracking_id="Lesion 1",
    )
    return highdicom.seg.Segmentation(
        source_images=[image],
        pixel_array=pixels,
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[segment],
        series_instance_uid=highdicom.UID(),
        series_number=900,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer=MAKER,
        manufacturer_model_name=algorithm.name,
        software_versions=algorithm.version,
        device_serial_number="0",
        content_label="LESION",
        series_description=f"{algorithm.name} lesion (research only)",
    )


@_quietly
def report(
    origin: SliceOrigin,
    seg: Any,
    points: NDArray[np.float64],
    diameters_mm: tuple[float, float],
    algorithm: Algorithm,
) -> Any:
    """A TID 1500 report: the segment (TID 1410), and both axes with ends and lengths (TID 1501).

    Args:
        origin: the CT frame.
        seg: `segmentation`'s.
        points: (4, 2), (column, row) of the stored frame, pixel centres at integers: long axis
            start and end, short axis start and end.
        diameters_mm: (long, short).
        algorithm: what measured.
    """
    image = _image(origin)
    segment = seg.SegmentSequence[0]
    tracking = {"uid": segment.TrackingUID, "identifier": segment.TrackingID}
    made_by = sr.AlgorithmIdentification(name=algorithm.name, version=algorithm.version)
    # Two groups of one lesion: a group with a region may not hold lines of its own.
    region = sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(**tracking),
        # Not from_segmentation(), which looks for the segment in each frame: one frame shares it.
        referenced_segment=sr.ReferencedSegmentationFrame(
            sop_class_uid=seg.SOPClassUID,
            sop_instance_uid=seg.SOPInstanceUID,
            frame_number=1,
            segment_number=1,
            source_image=sr.SourceImageForSegmentation(
                image.SOPClassUID, image.SOPInstanceUID, _frames(image, origin)
            ),
        ),
        finding_type=codes.SCT.Lesion,
        algorithm_id=made_by,
    )
    axes = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(**tracking),
        finding_type=codes.SCT.Lesion,
        algorithm_id=made_by,
        measurements=[
            _axis(name, mm, ends, image, origin)
            for name, mm, ends in zip(
                (codes.SCT.LongAxis, codes.SCT.ShortAxis),
                diameters_mm,
                (points[:2], points[2:]),
                strict=True,
            )
        ],
    )
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(
            observer_device_context=sr.ObserverContext(
                observer_type=codes.DCM.Device,
                observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
                    uid=highdicom.UID(), name=algorithm.name, manufacturer_name=MAKER
                ),
            )
        ),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=[region, axes],
        title=codes.DCM.ImagingMeasurementReport,
    )
    return sr.Comprehensive3DSR(
        evidence=[image, seg],
        content=content,
        series_instance_uid=highdicom.UID(),
        series_number=901,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer=MAKER,
        series_description=f"{algorithm.name} measurements (research only)",
    )


@_quietly
def write(dataset: Dataset, path: Path) -> None:
    """A DICOM file, whole or not at all."""
    with replace_with(path) as file:
        dataset.save_as(file, enforce_file_format=True)


def _axis(
    name: Any, mm: float, ends: Sequence[Any] | NDArray[np.float64], image: Dataset,
    origin: SliceOrigin,
) -> Any:  # fmt: skip
    line = sr.CoordinatesForMeasurement(
        graphic_type=sr.GraphicTypeValues.POLYLINE,
        # DICOM counts from the corner of the first pixel, we from its centre.
        graphic_data=np.asarray(ends) + 0.5,
        source_image=sr.SourceImageForRegion.from_source_image(image, _frames(image, origin)),
    )
    return sr.Measurement(
        name=name, value=float(mm), unit=codes.UCUM.Millimeter, referenced_coordinates=[line]
    )


def _frames(image: Dataset, origin: SliceOrigin) -> list[int] | None:
    """The frame, where the image has several."""
    return [origin.frame] if "NumberOfFrames" in image else None


def _image(origin: SliceOrigin) -> Dataset:
    """What of the image highdicom is shown, and so can copy: it takes whole modules.

    Raises:
        InputError: the file is damaged, or does not say which image it is.
    """
    with open_dicom(origin.file, tuple(COPIED)) as (dataset, _):
        image = _copied(dataset)
        for keyword in NEEDED:
            if not _is_sound(keyword, text(image, keyword)):
                raise InputError(f"{keyword} is missing or damaged: no mask can be laid over it")
        for keyword in FILED_BY:
            value = text(image, keyword)
            setattr(image, keyword, value if _is_sound(keyword, value) else "")
    image.SpecificCharacterSet = "ISO_IR 192"  # UTF-8: highdicom refuses some that images have
    image.ReferringPhysicianName = ""  # it has to be there
    image.Modality = "CT"
    image.setdefault("SliceThickness", None)
    return image


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


def _is_sound(keyword: str, value: str) -> bool:
    """Whether there is a value, one alone, that highdicom takes."""
    try:
        if keyword.endswith("Date"):
            DA(value)
        elif keyword.endswith("Time"):
            TM(value)
    except ValueError:
        return False
    return value != "" and "\\" not in value and (keyword != "PatientSex" or value in SEXES)
