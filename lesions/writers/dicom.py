"""DICOM SEG and a TID 1500 measurement report of one lesion on one CT frame, by highdicom.

What they say of the image is `source_image`'s.
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

from lesions.errors import InputError
from lesions.files import replace_with
from lesions.writers.source_image import SourceImage

MAKER = "Lesion Platform"

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """What measured: for both objects' headers."""

    name: str
    version: str


def _quietly(make: Callable[P, T]) -> Callable[P, T]:
    """Without the words of highdicom and pydicom: they quote the patient's name.

    Where they give up it is an InputError: what their kinds of errors are nobody says.
    """

    @functools.wraps(make)
    def quiet(*args: P.args, **kwargs: P.kwargs) -> T:
        with warnings.catch_warnings(action="ignore"):
            try:
                return make(*args, **kwargs)
            except (InputError, OSError):
                raise
            except Exception as error:
                raise InputError(
                    f"the image's header cannot be taken over ({type(error).__name__})"
                ) from None

    return quiet


@_quietly
def segmentation(source: SourceImage, mask: NDArray[np.uint8], algorithm: Algorithm) -> Any:
    """A DICOM SEG with one binary segment on one frame.

    Args:
        source: the CT frame's header.
        mask: uint8 (rows, columns) of the stored frame, 1 = lesion; not empty.
        algorithm: what made it.

    Raises:
        InputError: the header cannot be taken over.
    """
    image = source.dataset
    pixels = np.zeros((int(image.get("NumberOfFrames", 1)), *mask.shape), np.uint8)
    pixels[source.frame - 1] = mask == 1
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
    made = highdicom.seg.Segmentation(
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
    return _in_its_characters(made, source, algorithm)


@_quietly
def report(
    source: SourceImage,
    seg: Any,
    points: NDArray[np.float64],
    diameters_mm: tuple[float, float],
    algorithm: Algorithm,
) -> Any:
    """A TID 1500 report: the segment (TID 1410), and both axes with ends and lengths (TID 1501).

    Args:
        source: the CT frame's header.
        seg: `segmentation`'s.
        points: (4, 2), (column, row) of the stored frame, pixel centres at integers: long axis
            start and end, short axis start and end.
        diameters_mm: (long, short).
        algorithm: what measured.

    Raises:
        InputError: as of `segmentation`.
    """
    image = source.dataset
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
                image.SOPClassUID, image.SOPInstanceUID, _frames(source)
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
            _axis(name, mm, ends, source)
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
    made = sr.Comprehensive3DSR(
        evidence=[image, seg],
        content=content,
        series_instance_uid=highdicom.UID(),
        series_number=901,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer=MAKER,
        series_description=f"{algorithm.name} measurements (research only)",
    )
    return _in_its_characters(made, source, algorithm)


@_quietly
def write(dataset: Dataset, path: Path) -> None:
    """A DICOM file, whole or not at all."""
    with replace_with(path) as file:
        dataset.save_as(file, enforce_file_format=True)


def _in_its_characters(made: Any, source: SourceImage, algorithm: Algorithm) -> Any:
    """The object in the image's own character set, where all that it says can be written in it."""
    if source.character_set is None or not f"{algorithm.name}{algorithm.version}".isascii():
        return made
    if source.character_set:
        made.SpecificCharacterSet = source.character_set
    else:
        del made.SpecificCharacterSet
    return made


def _axis(
    name: Any, mm: float, ends: Sequence[Any] | NDArray[np.float64], source: SourceImage
) -> Any:  # fmt: skip
    line = sr.CoordinatesForMeasurement(
        graphic_type=sr.GraphicTypeValues.POLYLINE,
        # DICOM counts from the corner of the first pixel, we from its centre.
        graphic_data=np.asarray(ends) + 0.5,
        source_image=sr.SourceImageForRegion.from_source_image(source.dataset, _frames(source)),
    )
    return sr.Measurement(
        name=name, value=float(mm), unit=codes.UCUM.Millimeter, referenced_coordinates=[line]
    )


def _frames(source: SourceImage) -> list[int] | None:
    """The frame, where the image has several."""
    return [source.frame] if "NumberOfFrames" in source.dataset else None
