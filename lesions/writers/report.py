"""A TID 1500 measurement report of the lesions of one CT image, by highdicom."""

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
    Finding,
    in_its_characters,
    quietly,
    segments_of,
    sources_of,
    uid_of,
)
from lesions.writers.source_image import SourceImage


@quietly
def report(
    findings: Sequence[Finding], seg: Any, algorithm: Algorithm, of: Sequence[str] = ()
) -> Any:
    """A TID 1500 report: one group a measured lesion, with both axes and the segment, if any.

    The group of a segment is the volumetric one (TID 1411): it names the segment by its number,
    which readers follow to the frames; a planar group would name a frame, and with it no segment.
    Without a segment it is TID 1501's, of an image: a region of interest is what it lacks. The
    ends of an axis are a line from which its length is inferred, as in TID 300.

    Args:
        findings: those that `seg` was made of and others beside, some of them measured.
        seg: `segmentation`'s; None where none of them has pixels.
        algorithm: what measured.
        of: as of `segmentation`.

    Raises:
        InputError: the header cannot be taken over.
    """
    segments = segments_of(findings)
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
            _group(finding, _segment(finding, segments, seg), made_by)
            for finding in findings
            if finding.axes is not None
        ],
        title=codes.DCM.ImagingMeasurementReport,
    )
    images = {one.dataset.SOPInstanceUID: one.dataset for one in sources_of(findings)}
    made = sr.Comprehensive3DSR(
        evidence=[*images.values(), *([] if seg is None else [seg])],
        content=content,
        series_instance_uid=uid_of("SR series", of),
        series_number=901,
        sop_instance_uid=uid_of("SR", of),
        instance_number=1,
        manufacturer=MAKER,
        series_description=f"{algorithm.name} measurements (research only)",
    )
    return in_its_characters(made, findings, algorithm)


def _group(finding: Finding, segment: Any, made_by: Any) -> Any:
    """What was measured of one lesion, which is this segment or none."""
    assert finding.axes is not None
    axes = finding.axes
    lengths = [
        sr.Measurement(name=name, value=float(mm), unit=codes.UCUM.Millimeter)
        for name, mm in zip(
            (codes.SCT.LongAxis, codes.SCT.ShortAxis), axes.diameters_mm, strict=True
        )
    ]
    volumes = [] if finding.volume_mm3 is None else [
        sr.Measurement(
            name=codes.SCT.Volume, value=finding.volume_mm3, unit=codes.UCUM.CubicMillimeter
        )
    ]  # fmt: skip
    said: dict[str, Any] = {
        "tracking_identifier": sr.TrackingIdentifier(
            uid=finding.tracking.uid, identifier=finding.tracking.identifier
        ),
        "finding_type": codes.SCT.Lesion,
        "algorithm_id": made_by,
        "measurements": [*lengths, *volumes],
    }
    if segment is None:
        image = sr.SourceImageForMeasurementGroup.from_source_image(
            axes.source.dataset, _frames(axes.source)
        )
        group = sr.MeasurementsAndQualitativeEvaluations(**said, source_images=[image])
    else:
        group = sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
            **said, referenced_segment=segment
        )
    # Not by the constructors: that of a group with a segment refuses lines.
    for length, ends in zip(lengths, (axes.points[:2], axes.points[2:]), strict=True):
        length[0].ContentSequence = ContentSequence([_line(ends, axes.source)])
    return group


def _segment(finding: Finding, segments: Sequence[Finding], seg: Any) -> Any:
    """A lesion's segment of the SEG, with the frames it was drawn on; None of one without."""
    if not finding.planes:
        return None
    return sr.ReferencedSegment(
        sop_class_uid=seg.SOPClassUID,
        sop_instance_uid=seg.SOPInstanceUID,
        segment_number=segments.index(finding) + 1,
        source_images=[
            sr.SourceImageForSegmentation(
                plane.source.dataset.SOPClassUID,
                plane.source.dataset.SOPInstanceUID,
                _frames(plane.source),
            )
            for plane in finding.planes
        ],
    )


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
