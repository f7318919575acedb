"""DICOM SEG and report: what readers find in them is what was measured, where it was."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK
from numpy.typing import NDArray

from lesions import Click, InputError
from lesions.readers.dicom.segmentation import read_frames
from lesions.readers.prompted import PromptedSlice, read_prompted
from lesions.tracking import Tracking
from lesions.volume import SliceOrigin
from lesions.writers import dicom
from lesions.writers.dicom import Algorithm, Axes, Finding, Plane, places_of, segmentation, write
from lesions.writers.report import report
from lesions.writers.source_image import source_image
from tests.lesions.readers.dicom_files import HU, ORIGIN, SPACING, enhanced, save, save_all, series
from tests.lesions.writers.valid import as_nifti, check_valid, tid1500

PDNET = Algorithm(name="pdnet", version="abc")
CLICK = Click(at=(1, 2))
POINTS = np.array([(0.5, 1), (4.5, 1), (2, 0), (2, 3.25)])
TRACKING = Tracking(identifier="T1", uid="1.2.3.4")


def mask_of(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    mask = np.zeros(shape, np.uint8)
    mask[1:3, 1:5] = mask[3, 2] = 1
    return mask


def segment(origin: SliceOrigin, mask: NDArray[np.uint8], tracking: Tracking = TRACKING) -> Finding:
    source = source_image(origin)
    axes = Axes(source=source, points=POINTS, diameters_mm=(12.5, 7.25))
    return Finding(planes=(Plane(source=source, mask=mask),), tracking=tracking, axes=axes)


def written(origin: SliceOrigin, mask: NDArray[np.uint8], folder: Path) -> tuple[Path, Path]:
    return written_all([segment(origin, mask)], folder)


def written_all(segments: Sequence[Finding], folder: Path) -> tuple[Path, Path]:
    seg = segmentation(segments, PDNET)
    write(seg, folder / "mask.dcm")
    write(report(segments, seg, PDNET), folder / "report.dcm")
    check_valid(folder / "mask.dcm", folder / "report.dcm")
    return folder / "mask.dcm", folder / "report.dcm"


def seen_at(image: Path, index: int) -> tuple[PromptedSlice, SliceOrigin]:
    seen = read_prompted(image, CLICK, index, None)
    assert seen.origin is not None
    return seen, seen.origin


def groups_of(path: Path) -> list[Any]:
    """A report's groups, all of segments."""
    groups, others = both_groups_of(path)
    assert others == []
    return groups


def both_groups_of(path: Path) -> tuple[list[Any], list[Any]]:
    """A report's groups of segments, and those of images."""
    content = highdicom.sr.srread(path).content
    assert content.get_planar_roi_measurement_groups() == []
    groups = content.get_volumetric_roi_measurement_groups()
    return groups, content.get_image_measurement_groups()


def check_axes(group: Any, image: tuple[str, int | None]) -> None:
    """Both lengths of `segment`, each with its line on the image and its frame."""
    long, short = group.get_measurements()
    assert (long.name.meaning, long.value, long.unit.value) == ("Long axis", 12.5, "mm")
    assert (short.name.meaning, short.value, short.unit.value) == ("Short axis", 7.25, "mm")
    for axis, ends in ((long, POINTS[:2]), (short, POINTS[2:])):
        (line,) = axis.referenced_coordinates
        assert line.graphic_type.value == "POLYLINE"
        assert line.value == pytest.approx(ends + 0.5)  # from the pixel's corner
        (selected,) = line.ContentSequence
        assert referred(selected) == image


def referred(item: Any) -> tuple[str, int | None]:
    """The image that an item names, and the frame if it does."""
    (reference,) = item.ReferencedSOPSequence
    return str(reference.ReferencedSOPInstanceUID), reference.get("ReferencedFrameNumber")


@pytest.mark.parametrize("directions", [((1, 0, 0), (0, 1, 0)), ((0, -1, 0), (1, 0, 0))])
def test_seg_lies_where_its_image_does(
    tmp_path: Path, directions: tuple[tuple[int, ...], tuple[int, ...]]
) -> None:
    save_all(series(HU, *directions), tmp_path / "ct")
    seen, origin = seen_at(tmp_path / "ct", 3)
    mask = mask_of(seen.image_shape)
    path, _ = written(origin, mask, tmp_path)
    seg, image = highdicom.seg.segread(path), pydicom.dcmread(origin.file)
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


@pytest.mark.parametrize("directions", [((1, 0, 0), (0, 1, 0)), ((0, -1, 0), (1, 0, 0))])
def test_others_read_the_seg_back_in_the_right_place(
    tmp_path: Path, directions: tuple[tuple[int, ...], tuple[int, ...]]
) -> None:
    """SimpleITK and dcmqi put each pixel where SimpleITK puts the image's."""
    save_all(series(HU, *directions), tmp_path / "ct")
    seen, origin = seen_at(tmp_path / "ct", 3)
    path, _ = written(origin, mask_of(seen.image_shape), tmp_path)
    as_nifti(path, tmp_path)
    truth = places(SimpleITK.ReadImage(str(origin.file)), seen.image_shape)
    for file in (path, tmp_path / "1.nii.gz"):
        found = SimpleITK.ReadImage(str(file))
        assert places(found, None) == pytest.approx(truth, abs=1e-4)


def places(image: Any, shape: tuple[int, ...] | None) -> NDArray[np.float64]:
    """(N, 3) mm, sorted: of the pixels that are not 0, or of `mask_of` on the same grid."""
    pixels = np.squeeze(SimpleITK.GetArrayFromImage(image))
    rows, columns = np.nonzero(pixels if shape is None else mask_of(shape))
    found = [image.TransformIndexToPhysicalPoint((int(x), int(y), 0))
             for x, y in zip(columns, rows, strict=True)]  # fmt: skip
    return np.array(sorted(np.round(found, 4).tolist()))


@pytest.mark.parametrize("geometry", ["by frame", "at the top"])
def test_seg_of_a_multi_frame_image(tmp_path: Path, geometry: str) -> None:
    image = enhanced()
    if geometry == "at the top":
        for group in image.SharedFunctionalGroupsSequence[0]:
            for element in group.value[0]:
                image[element.tag] = element
        del image.SharedFunctionalGroupsSequence
    seen, origin = seen_at(save(image, tmp_path / "enhanced.dcm"), 1)
    assert origin.frame == 4  # stored from head to feet
    mask = mask_of(seen.image_shape)
    path, report_path = written(origin, mask, tmp_path)
    seg = highdicom.seg.segread(path)
    assert np.array_equal(np.squeeze(seg.pixel_array), mask)
    (group,) = seg.PerFrameFunctionalGroupsSequence
    z = group.PlanePositionSequence[0].ImagePositionPatient[2]
    assert z == pytest.approx(ORIGIN[2] + 1 * SPACING[2])
    (axes,) = groups_of(report_path)
    (line,) = axes.get_measurements()[0].referenced_coordinates
    assert line.ContentSequence[0].ReferencedSOPSequence[0].ReferencedFrameNumber == 4


def test_the_report_says_what_was_measured(tmp_path: Path) -> None:
    save_all(series(), tmp_path / "ct")
    seen, origin = seen_at(tmp_path / "ct", 3)
    seg_path, path = written(origin, mask_of(seen.image_shape), tmp_path)
    document = highdicom.sr.srread(path)
    assert document.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    (group,) = groups_of(path)
    reference = group.referenced_segment[0].ReferencedSOPSequence[0]
    assert reference.ReferencedSOPInstanceUID == pydicom.dcmread(seg_path).SOPInstanceUID
    assert reference.ReferencedSegmentNumber == 1
    assert "ReferencedFrameNumber" not in reference, "one number alone: PS3.3, table 10-3"
    assert (group.tracking_identifier, group.tracking_uid) == ("T1", "1.2.3.4")
    check_axes(group, (origin.instance, None))


@pytest.mark.parametrize("kind", ["one frame", "many frames"])
@pytest.mark.parametrize("overlap", [False, True])
def test_lesions_of_one_image_are_segments_of_one_seg(
    tmp_path: Path, kind: str, overlap: bool
) -> None:
    """Each has its own pixels, whether others lie on its slice, and one group by its number."""
    if kind == "one frame":
        save_all(series(), tmp_path / "ct")
    else:
        save(enhanced(), tmp_path / "ct" / "enhanced")
    segments = []
    for number, index in enumerate((3, 1, 3), 1):
        seen, origin = seen_at(tmp_path / "ct", index)
        mask = mask_of(seen.image_shape)
        if number == 3:
            mask = np.roll(mask, 1, axis=1) if overlap else np.roll(mask, 3, axis=0) & (1 - mask)
        called = Tracking(identifier=f"T{number}", uid=f"1.2.{number}")
        segments.append(segment(origin, mask, called))
    segments[1] = replace(segments[1], volume_mm3=55.5)
    segments[2] = replace(segments[2], axes=None)
    seg_path, path = written_all(segments, tmp_path)
    seg = pydicom.dcmread(seg_path)
    assert [one.TrackingID for one in seg.SegmentSequence] == ["T1", "T2", "T3"]
    assert [one.TrackingUID for one in seg.SegmentSequence] == ["1.2.1", "1.2.2", "1.2.3"]
    for frame, pixels in zip(seg.PerFrameFunctionalGroupsSequence, seg.pixel_array, strict=True):
        number = frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        assert np.array_equal(pixels, segments[number - 1].planes[0].mask)
        source = frame.DerivationImageSequence[0].SourceImageSequence[0]
        plane = segments[number - 1].planes[0].source
        assert (source.ReferencedSOPInstanceUID, int(source.get("ReferencedFrameNumber", 1))) == (
            plane.place
        )
    tid1500(path, tmp_path / "report.json")
    read = json.loads((tmp_path / "report.json").read_text())["Measurements"]
    assert [(one["ReferencedSegment"], one["TrackingIdentifier"]) for one in read] == [
        (1, "T1"), (2, "T2")
    ]  # fmt: skip
    values = [[float(item["value"]) for item in one["measurementItems"]] for one in read]
    assert values == [[12.5, 7.25], [12.5, 7.25, 55.5]]


def test_a_lesion_on_several_slices(tmp_path: Path) -> None:
    save_all(series(), tmp_path / "ct")
    parts = [seen_at(tmp_path / "ct", index) for index in (1, 2, 3)]
    masks = [np.roll(mask_of(seen.image_shape), at, axis=1) for at, (seen, _) in enumerate(parts)]
    first = segment(parts[0][1], masks[0])
    planes = [segment(origin, mask).planes[0]
              for (_, origin), mask in zip(parts, masks, strict=True)]  # fmt: skip
    lesion = replace(first, planes=tuple(planes), volume_mm3=18.9)
    path, report_path = written_all([lesion], tmp_path)
    seg = pydicom.dcmread(path)
    instance, frames = read_frames(path)
    assert instance == seg.SOPInstanceUID
    found = dict(zip(places_of(seg), frames, strict=True))
    assert np.array_equal([found[plane.source.place] for plane in planes], masks)
    as_nifti(path, tmp_path)
    stack = np.asarray(nibabel.load(tmp_path / "1.nii.gz").dataobj)  # type: ignore[attr-defined]
    assert np.array_equal(stack.transpose(2, 1, 0), masks)
    (group,) = groups_of(report_path)
    assert [one.value for one in group.get_measurements()] == [12.5, 7.25, 18.9]


def test_overlapping_lesions_beyond_what_memory_is_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dicom, "MOST_STACKED", 50)
    save_all(series(), tmp_path / "ct")
    seen, origin = seen_at(tmp_path / "ct", 3)
    lesions = [segment(origin, mask_of(seen.image_shape))] * 2
    with pytest.raises(InputError, match="2 lesions on 1 slices that overlap are more than one"):
        segmentation(lesions, PDNET)


def test_what_is_made_of_the_same_has_the_same_uids(tmp_path: Path) -> None:
    save_all(series(), tmp_path / "ct")
    seen, origin = seen_at(tmp_path / "ct", 3)
    lesions = [segment(origin, mask_of(seen.image_shape))]
    made = [segmentation(lesions, PDNET, of) for of in (("1.2", "1.3"), ("1.2", "1.3"), ("1.2",))]
    uids = [(one.SOPInstanceUID, one.SeriesInstanceUID) for one in made]
    assert uids[0] == uids[1]
    assert len({*uids[0], *uids[2]}) == 4


def test_a_word_beyond_ascii_is_written_in_utf_8(tmp_path: Path) -> None:
    save_all(series(SpecificCharacterSet="ISO_IR 100"), tmp_path / "ct")
    seen, origin = seen_at(tmp_path / "ct", 3)
    called = Tracking(identifier="病变 1", uid="1.2.3")
    for path in written_all([segment(origin, mask_of(seen.image_shape), called)], tmp_path):
        found = pydicom.dcmread(path)
        assert found.SpecificCharacterSet == "ISO_IR 192"
        assert "病变 1" in str(found)
