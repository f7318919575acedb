"""DICOM SEG and report: what a reader finds in them is what was measured, where it was."""

from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from lesions import Click
from lesions.readers.prompted import read_prompted
from lesions.volume import SliceOrigin
from lesions.writers.dicom import Algorithm, report, segmentation, write
from lesions.writers.source_image import source_image
from tests.lesions.readers.dicom_files import HU, SPACING, enhanced, save, save_all, series

PDNET = Algorithm(name="pdnet", version="abc")
CLICK = Click(at=(1, 2))
POINTS = np.array([(0.5, 1), (4.5, 1), (2, 0), (2, 3.25)])


def mask_of(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    mask = np.zeros(shape, np.uint8)
    mask[1:3, 1:5] = mask[3, 2] = 1
    return mask


def written(origin: SliceOrigin, mask: NDArray[np.uint8], folder: Path) -> tuple[Path, Path]:
    source = source_image(origin)
    seg = segmentation(source, mask, PDNET)
    write(seg, folder / "mask.dcm")
    write(report(source, seg, POINTS, (12.5, 7.25), PDNET), folder / "report.dcm")
    return folder / "mask.dcm", folder / "report.dcm"


@pytest.mark.parametrize("directions", [((1, 0, 0), (0, 1, 0)), ((0, -1, 0), (1, 0, 0))])
def test_seg_lies_where_its_image_does(
    tmp_path: Path, directions: tuple[tuple[int, ...], tuple[int, ...]]
) -> None:
    save_all(series(HU, *directions), tmp_path / "ct")
    seen = read_prompted(tmp_path / "ct", CLICK, 3, None)
    assert seen.origin is not None
    mask = mask_of(seen.image_shape)
    path, _ = written(seen.origin, mask, tmp_path)
    seg, image = highdicom.seg.segread(path), pydicom.dcmread(seen.origin.file)
    assert np.array_equal(np.squeeze(seg.pixel_array), mask)
    shared, own = seg.SharedFunctionalGroupsSequence[0], seg.PerFrameFunctionalGroupsSequence[0]
    groups = {element.keyword: element.value[0] for group in (shared, own) for element in group}
    position = groups["PlanePositionSequence"].ImagePositionPatient
    assert position == pytest.approx(image.ImagePositionPatient)
    orientation = groups["PlaneOrientationSequence"].ImageOrientationPatient
    assert orientation == pytest.approx(image.ImageOrientationPatient)
    assert groups["PixelMeasuresSequence"].PixelSpacing == image.PixelSpacing
    assert seg.FrameOfReferenceUID == image.FrameOfReferenceUID
    assert seg.StudyInstanceUID == image.StudyInstanceUID
    by_source = seg.get_pixels_by_source_instance([image.SOPInstanceUID])
    assert np.array_equal(by_source[0, :, :, 0], mask)


def test_seg_of_a_multi_frame_image(tmp_path: Path) -> None:
    file = save(enhanced(), tmp_path / "enhanced.dcm")
    seen = read_prompted(file, CLICK, 1, None)
    assert seen.origin is not None
    assert seen.origin.frame == 4  # stored from head to feet
    mask = mask_of(seen.image_shape)
    path, report_path = written(seen.origin, mask, tmp_path)
    seg = highdicom.seg.segread(path)
    assert np.array_equal(np.squeeze(seg.pixel_array), mask)
    (group,) = seg.PerFrameFunctionalGroupsSequence
    z = group.PlanePositionSequence[0].ImagePositionPatient[2]
    assert z == pytest.approx(30 + 1 * SPACING[2])
    (axes,) = highdicom.sr.srread(report_path).content.get_image_measurement_groups()
    (line,) = axes.get_measurements()[0].referenced_coordinates
    assert line.ContentSequence[0].ReferencedSOPSequence[0].ReferencedFrameNumber == 4


def test_the_report_says_what_was_measured(tmp_path: Path) -> None:
    save_all(series(), tmp_path / "ct")
    seen = read_prompted(tmp_path / "ct", CLICK, 3, None)
    assert seen.origin is not None
    seg_path, path = written(seen.origin, mask_of(seen.image_shape), tmp_path)
    document = highdicom.sr.srread(path)
    assert document.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    (group,) = document.content.get_planar_roi_measurement_groups()
    assert group.referenced_segmentation_frame is not None
    referenced = group.referenced_segmentation_frame.referenced_sop_instance_uid
    assert referenced == pydicom.dcmread(seg_path).SOPInstanceUID
    (axes,) = document.content.get_image_measurement_groups()
    assert axes.tracking_uid == group.tracking_uid
    long, short = axes.get_measurements()
    assert (long.name.meaning, long.value, long.unit.value) == ("Long axis", 12.5, "mm")
    assert (short.name.meaning, short.value, short.unit.value) == ("Short axis", 7.25, "mm")
    for axis, ends in ((long, POINTS[:2]), (short, POINTS[2:])):
        (line,) = axis.referenced_coordinates
        assert line.value == pytest.approx(ends + 0.5)  # from the pixel's corner
        (image,) = line.ContentSequence
        instance = image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        assert instance == seen.origin.instance
