"""DICOM SEG in its series' voxels, however both are stored; what does not fit is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pytest
from numpy.typing import NDArray

from lesions import InputError, Volume, read_dicom
from lesions.readers.dicom import read_segmentation
from tests.lesions.readers.dicom_files import save, save_all, series
from tests.lesions.readers.seg_files import ct_of, seg_of, two_lesions

DIRECTIONS = [((1, 0, 0), (0, 1, 0)), ((-1, 0, 0), (0, -1, 0)), ((0, 1, 0), (1, 0, 0))]
MASK = two_lesions()


def stored_of(mask: NDArray[np.uint8], row: Any, column: Any) -> NDArray[np.uint8]:
    """The mask as a series of these directions stores it."""
    frames = [one.pixel_array for one in series(mask.astype(np.int16), row, column)]
    return (np.stack(frames).astype(int) - 1024).astype(np.uint8)


def scanned(folder: Path, row: Any = (1, 0, 0), column: Any = (0, 1, 0)) -> tuple[Volume, Any]:
    """The series as read, and the SEG of both lesions."""
    datasets = series(ct_of(MASK), row, column)
    save_all(datasets, folder / "ct")
    (volume,) = read_dicom(folder / "ct")
    return volume, seg_of(datasets, stored_of(MASK, row, column))


@pytest.mark.parametrize(("row", "column"), DIRECTIONS)
def test_it_lies_where_it_was_drawn(tmp_path: Path, row: Any, column: Any) -> None:
    volume, seg = scanned(tmp_path, row, column)
    assert seg.NumberOfFrames == 4  # the empty ones are left out
    path = save(seg, tmp_path / "seg.dcm")
    mask = read_segmentation(path, volume)
    assert mask.hu.dtype == np.uint8
    assert np.array_equal(mask.hu, MASK > 0)
    assert mask.source == path
    for number in (1, 2):
        assert np.array_equal(read_segmentation(path, volume, number).hu, number == MASK)


def test_a_voxel_in_two_segments_is_in_both(tmp_path: Path) -> None:
    datasets = series(ct_of(MASK))
    save_all(datasets, tmp_path / "ct")
    (volume,) = read_dicom(tmp_path / "ct")
    both = np.stack([MASK == 1, MASK > 0], axis=-1)
    segments = seg_of(datasets, MASK).SegmentSequence
    seg = seg_of(datasets, both.astype(np.uint8), segment_descriptions=segments)
    path = save(seg, tmp_path / "seg.dcm")
    assert np.array_equal(read_segmentation(path, volume, 1).hu, MASK == 1)
    assert np.array_equal(read_segmentation(path, volume, 2).hu, MASK > 0)
    assert np.array_equal(read_segmentation(path, volume).hu, MASK > 0)


def test_what_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    volume, seg = scanned(tmp_path)
    path = save(seg, tmp_path / "seg.dcm")
    with pytest.raises(InputError, match=r"seg.dcm: has no segment 3; it has 1, 2"):
        read_segmentation(path, volume, 3)
    with pytest.raises(InputError, match="IM0: CT Image Storage, no binary segmentation"):
        read_segmentation(tmp_path / "ct" / "IM0", volume)
    for keyword, value, said in (
        ("FrameOfReferenceUID", "1.2.9", "frame of reference is not its image's"),
        ("SegmentationType", "FRACTIONAL", "of type FRACTIONAL .store it as BINARY"),
        ("NumberOfFrames", 5, "NumberOfFrames is 5, the file describes 4"),
        ("Rows", 80, "the pixel data have 1000 bytes, 4 frames of 80 × 40 bits need 1600"),
        ("Columns", 20, "pixels are not its image's voxels"),
    ):
        _, other = scanned(tmp_path / keyword)
        setattr(other, keyword, value)
        if keyword == "Columns":  # every second voxel: half as many columns, twice as far apart
            measures = other.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
            measures.PixelSpacing = [0.8, 1.4]
        with pytest.raises(InputError, match=said):
            read_segmentation(save(other, tmp_path / "other.dcm"), volume)


def test_frames_between_or_beyond_its_slices_are_refused(tmp_path: Path) -> None:
    volume, _ = scanned(tmp_path)
    for shift, said in ((1.0, "are not its image's voxels"), (25.0, "reaches beyond its image")):
        _, seg = scanned(tmp_path / str(shift))
        for group in seg.PerFrameFunctionalGroupsSequence:
            place = group.PlanePositionSequence[0]
            x, y, z = place.ImagePositionPatient
            place.ImagePositionPatient = [x, y, float(z) + shift]
        with pytest.raises(InputError, match=said):
            read_segmentation(save(seg, tmp_path / "other.dcm"), volume)


def test_a_label_map_is_refused_by_name(tmp_path: Path) -> None:
    datasets = series(ct_of(MASK))
    save_all(datasets, tmp_path / "ct")
    (volume,) = read_dicom(tmp_path / "ct")
    kind = highdicom.seg.SegmentationTypeValues.LABELMAP
    seg = seg_of(datasets, MASK, segmentation_type=kind)
    with pytest.raises(InputError, match="no binary segmentation"):
        read_segmentation(save(seg, tmp_path / "seg.dcm"), volume)


def test_damage_raises_nothing_else(tmp_path: Path) -> None:
    volume, seg = scanned(tmp_path)
    whole = save(seg, tmp_path / "seg.dcm").read_bytes()
    rng, refused = np.random.default_rng(0), 0
    for _ in range(200):
        damaged = bytearray(whole[: rng.integers(1, len(whole) + 1)])
        damaged[int(rng.integers(len(damaged)))] = int(rng.integers(256))
        (tmp_path / "bad.dcm").write_bytes(damaged)
        try:
            read_segmentation(tmp_path / "bad.dcm", volume)
        except InputError as error:
            refused += str(tmp_path / "bad.dcm") in str(error)
    assert refused > 150


def test_an_image_whose_frame_of_reference_is_no_uid_has_its_own_objects_read(
    tmp_path: Path,
) -> None:
    """Nothing can refer to such a one: objects on it have a new one, and their place is checked."""
    volume, seg = scanned(tmp_path)
    path = save(seg, tmp_path / "seg.dcm")
    named = replace(volume, frame_of_reference="Frame 1")
    assert np.array_equal(read_segmentation(path, named).hu, MASK > 0)
