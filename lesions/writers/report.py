"""A TID 1500 measurement report of the lesions of one DICOM SEG, by highdicom."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from highdicom import sr
from highdicom.sr.value_types import ContentSequence
from numpy.typing import NDArray
from pydicom.sr.codedict import codes

from lesions.writers.dicom import (
    MAKER,
    Algorithm,
    Segment,
    in_its_characters,
    quietly,
    sources_of,
    uid_of,
)
from lesions.writers.source_image import SourceImage


@quietly
def report(
    segments: Sequence[Segment], seg: Any, algorithm: Algorithm, of: Sequence[str] = ()
) -> Any:
    """A TID 1500 report: one group (TID 1411) a measured lesion, with its segment and both axes.

    The group is the volumetric one: it names the segment by its number, which readers follow to
    the frames; a planar group would name a frame, and with it no segment. The ends of an axis are
    a line from which its length is inferred, as in TID 300.

    Args:
        segments: those that `seg` was made of, some of them measured.
        seg: `segmentation`'s.
        algorithm: what measured.
        of: as of `segmentation`.

    Raises:
        InputError: the header cannot be taken over.
    """
    made_by = sr.AlgorithmIdentification(name=algorithm.name, version=algorithm.version)
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(
            observer_device_context=sr.ObserverContext(
                observer_type=codes.DCM.Device,
                observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
                    uid=uid_of("SR observer", of),
                    name=algorithm.name,
                    manufacturer_name=MAKER,
                    model_name=algorithm.name,
                    serial_number="0",
                ),
            )
        ),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=[
            _group(segment, number, seg, made_by)
            for number, segment in enumerate(segments, 1)
            if segment.axes is not None
        ],
        title=codes.DCM.ImagingMeasurementReport,
    )
    images = {one.dataset.SOPInstanceUID: one.dataset for one in sources_of(segments)}
    made = sr.Comprehensive3DSR(
        evidence=[*images.values(), seg],
        content=content,
        series_instance_uid=uid_of("SR series", of),
        series_number=901,
        sop_instance_uid=uid_of("SR", of),
        instance_number=1,
        manufacturer=MAKER,
        series_description=f"{algorithm.name} measurements (research only)",
    )
    return in_its_characters(made, segments, algorithm)


def _group(segment: Segment, number: int, seg: Any, made_by: Any) -> Any:
    """What was measured of one lesion."""
    assert segment.axes is not None
    axes = segment.axes
    lengths = [
        sr.Measurement(name=name, value=float(mm), unit=codes.UCUM.Millimeter)
        for name, mm in zip(
            (codes.SCT.LongAxis, codes.SCT.ShortAxis), axes.diameters_mm, strict=True
        )
    ]
    volumes = [] if segment.volume_mm3 is None else [
        sr.Measurement(
            name=codes.SCT.Volume, value=segment.volume_mm3, unit=codes.UCUM.CubicMillimeter
        )
    ]  # fmt: skip
    group = sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=segment.tracking.uid, identifier=segment.tracking.identifier
        ),
        referenced_segment=sr.ReferencedSegment(
            sop_class_uid=seg.SOPClassUID,
            sop_instance_uid=seg.SOPInstanceUID,
            segment_number=number,
            source_images=[
                sr.SourceImageForSegmentation(
                    plane.source.dataset.SOPClassUID,
                    plane.source.dataset.SOPInstanceUID,
                    _frames(plane.source),
                )
                for plane in segment.planes
            ],
        ),
        finding_type=codes.SCT.Lesion,
        algorithm_id=made_by,
        measurements=[*lengths, *volumes],
    )
    # Not by the constructor, which knows lines in groups without a segment alone.
    for length, ends in zip(lengths, (axes.points[:2], axes.points[2:]), strict=True):
        length[0].ContentSequence = ContentSequence([_line(ends, axes.source)])
    return group


def _line(ends: NDArray[np.float64], source: SourceImage) -> Any:
    return sr.CoordinatesForMeasurement(
        graphic_type=sr.GraphicTypeValues.POLYLINE,
        # DICOM counts from the corner of the first pixel, we from its centre.
        graphic_data=ends + 0.5,
        source_image=sr.SourceImageForRegion.from_source_image(source.dataset, _frames(source)),
    )


def _frames(source: SourceImage) -> list[int] | None:
    """The frame, where the image has several."""
    return [source.frame] if "NumberOfFrames" in source.dataset else None
