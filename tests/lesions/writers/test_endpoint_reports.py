"""The report of lesions that were measured and not segmented, alone and beside others."""

import json
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from lesions.tracking import Tracking
from lesions.writers.dicom import write
from lesions.writers.report import report
from tests.lesions.readers.dicom_files import HU, enhanced, save, save_all, series
from tests.lesions.writers.test_dicom_writer import (
    PDNET,
    both_groups_of,
    check_axes,
    mask_of,
    referred,
    seen_at,
    segment,
    written_all,
)
from tests.lesions.writers.valid import check_valid, tid1500


@pytest.mark.parametrize("kind", ["one frame", "many frames"])
def test_a_report_of_endpoints_alone(tmp_path: Path, kind: str) -> None:
    """Its groups are of an image: nothing in it is a segment, and no other object is meant."""
    if kind == "one frame":
        save_all(series(), tmp_path / "ct")
    else:
        save(enhanced(), tmp_path / "ct" / "enhanced")
    origins = [seen_at(tmp_path / "ct", index)[1] for index in (3, 1)]
    called = [Tracking(identifier=name, uid=uid) for name, uid in (("T1", "1.1"), ("T2", "1.2"))]
    findings = [
        replace(segment(origin, mask_of(HU.shape[1:]), tracking), planes=())
        for origin, tracking in zip(origins, called, strict=True)
    ]
    path = tmp_path / "report.dcm"
    write(report(findings, None, PDNET), path)
    check_valid(path)
    segmented, groups = both_groups_of(path)
    assert segmented == []
    assert [(one.tracking_identifier, one.tracking_uid) for one in groups] == [
        ("T1", "1.1"), ("T2", "1.2")
    ]  # fmt: skip
    for group, origin in zip(groups, origins, strict=True):
        image = (origin.instance, None if kind == "one frame" else origin.frame)
        check_axes(group, image)
        assert [referred(one) for one in group.source_images] == [image]
        assert group.finding_type.meaning == "Lesion"
    (study,) = pydicom.dcmread(path).CurrentRequestedProcedureEvidenceSequence
    (listed,) = study.ReferencedSeriesSequence
    assert {one.ReferencedSOPInstanceUID for one in listed.ReferencedSOPSequence} == {
        origin.instance for origin in origins
    }
    tid1500(path, tmp_path / "report.json")
    read = json.loads((tmp_path / "report.json").read_text())["Measurements"]
    assert [one["TrackingUniqueIdentifier"] for one in read] == ["1.1", "1.2"]
    for one in read:
        assert "ReferencedSegment" not in one
        assert [float(item["value"]) for item in one["measurementItems"]] == [12.5, 7.25]


def test_a_lesion_without_a_mask_beside_segments(tmp_path: Path) -> None:
    """Segments are numbered without it, and its slice is among the images that are meant."""
    save_all(series(), tmp_path / "ct")
    findings = []
    for number, index in enumerate((1, 2, 3), 1):
        seen, origin = seen_at(tmp_path / "ct", index)
        called = Tracking(identifier=f"T{number}", uid=f"1.2.{number}")
        findings.append(segment(origin, mask_of(seen.image_shape), called))
    findings[1] = replace(findings[1], planes=())
    seg_path, path = written_all(findings, tmp_path)
    seg = pydicom.dcmread(seg_path)
    assert [one.TrackingID for one in seg.SegmentSequence] == ["T1", "T3"]
    assert seg.NumberOfFrames == 2
    segmented, (alone,) = both_groups_of(path)
    numbers = [
        one.referenced_segment[0].ReferencedSOPSequence[0].ReferencedSegmentNumber
        for one in segmented
    ]  # fmt: skip
    assert [one.tracking_identifier for one in segmented] == ["T1", "T3"]
    assert numbers == [1, 2]
    assert alone.tracking_identifier == "T2"
    (study,) = pydicom.dcmread(path).CurrentRequestedProcedureEvidenceSequence
    meant = {one.ReferencedSOPInstanceUID for series in study.ReferencedSeriesSequence
             for one in series.ReferencedSOPSequence}  # fmt: skip
    assert len(meant) == 4, "three slices and the SEG"
