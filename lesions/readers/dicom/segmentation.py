"""A DICOM segmentation, put into the voxels of the series that it was drawn on."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset

from lesions.errors import InputError, shown
from lesions.readers.dicom.header import directions_of, functional_group
from lesions.readers.dicom.opening import open_dicom
from lesions.readers.dicom.pixels import pixel_length, read_exactly
from lesions.readers.dicom.tags import items, numbers, text, whole
from lesions.readers.png import LARGEST_SIDE
from lesions.volume import Volume

NATIVE = (
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.DeflatedExplicitVRLittleEndian,
)
TAGS = (
    "SOPClassUID", "SegmentationType", "FrameOfReferenceUID", "Rows", "Columns", "NumberOfFrames",
    "SegmentSequence", "PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient",
    "ReferencedSegmentNumber", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)  # fmt: skip
# Voxels: a series' own slices may lie a tenth of their distance off its even grid.
SAME_PLACE = 0.2


def read_segmentation(path: Path, volume: Volume, segment: int | None = None) -> Volume:
    """The segments of a DICOM SEG as a mask of a volume: uint8 (D, H, W), 1 = in a segment.

    Frames lie where their positions say, whatever part of the series they cover and however they
    are turned; nothing is interpolated.

    Args:
        path: the file.
        volume: of the series that it was drawn on.
        segment: its number there; None takes all segments together.

    Raises:
        InputError: no binary segmentation, no such segment, frames of another frame of reference
            or of voxels that are not the volume's, damage.
    """
    with open_dicom(path, TAGS) as (dataset, stream):
        if volume.affine is None:
            raise InputError("its image does not say where it lies")
        _check_kind(dataset)
        _check_reference(dataset, volume)
        labels = np.zeros(volume.hu.shape, np.uint8)
        for index, pixels in _frames(dataset, stream, segment):
            to_voxels = np.linalg.inv(volume.affine) @ _affine(dataset, index)
            _check_grid(to_voxels, pixels.shape)
            _put(pixels, to_voxels, labels)
        return replace(volume, hu=labels, source=path)


def read_frames(path: Path) -> tuple[str, list[NDArray[np.uint8]]]:
    """A DICOM SEG's SOPInstanceUID, and its frames that are not empty, in order: (H, W) of 0, 1.

    Raises:
        InputError: no binary segmentation, or damage.
    """
    with open_dicom(path, (*TAGS, "SOPInstanceUID")) as (dataset, stream):
        _check_kind(dataset)
        frames = [pixels for _, pixels in _frames(dataset, stream, None)]
        return text(dataset, "SOPInstanceUID"), frames


def _check_kind(dataset: Dataset) -> None:
    kind = uid.UID(text(dataset, "SOPClassUID"))
    if kind != uid.SegmentationStorage:
        name = shown(kind.name) or "an object without SOPClassUID"
        raise InputError(f"{name}, no binary segmentation", remedy="store it as BINARY")
    if (form := text(dataset, "SegmentationType")) != "BINARY":
        raise InputError(f"a segmentation of type {shown(form)}", remedy="store it as BINARY")
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
    if syntax not in NATIVE:
        raise InputError("a compressed segmentation", remedy="store it uncompressed")


def _check_reference(dataset: Dataset, volume: Volume) -> None:
    own, other = text(dataset, "FrameOfReferenceUID"), uid.UID(volume.frame_of_reference)
    # One that is no UID nobody can refer to: objects on such an image have one of their own.
    if own and other.is_valid and own != other:
        raise InputError("the segmentation's frame of reference is not its image's")


def _frames(
    dataset: Dataset, stream: BinaryIO, segment: int | None
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The frames of a segment, or of all, that are not empty: index, and pixels (H, W) of 0, 1."""
    rows, columns = whole(dataset, "Rows"), whole(dataset, "Columns")
    if not (0 < rows <= LARGEST_SIDE and 0 < columns <= LARGEST_SIDE):
        raise InputError(f"Rows × Columns is {rows} × {columns}, beyond 1 to {LARGEST_SIDE}")
    count = whole(dataset, "NumberOfFrames", default=1)
    described = len(items(dataset, "PerFrameFunctionalGroupsSequence"))
    if count != described:
        raise InputError(f"NumberOfFrames is {count}, the file describes {described}")
    size = rows * columns
    length, needed = pixel_length(dataset, stream), -(-count * size // 8)
    if length is None or length < needed:
        raise InputError(f"the pixel data have {length} bytes, {count} frames of {rows} × "
                         f"{columns} bits need {needed}")  # fmt: skip
    data = read_exactly(stream, needed)
    _check_segment(dataset, segment)
    for index in range(count):
        identity = functional_group(dataset, index, "SegmentIdentificationSequence")
        if segment in (None, whole(identity, "ReferencedSegmentNumber")):
            pixels = _bits(data, index * size, size)
            if pixels.any():
                yield index, pixels.reshape(rows, columns)


def _check_segment(dataset: Dataset, segment: int | None) -> None:
    there = [whole(one, "SegmentNumber") for one in items(dataset, "SegmentSequence")]
    if segment is not None and segment not in there:
        raise InputError(f"has no segment {segment}; it has {', '.join(map(str, there))}")


def _bits(data: bytes, first: int, count: int) -> NDArray[np.uint8]:
    """`count` bits from the bit `first`; DICOM's lowest bit comes first, and frames share bytes."""
    skipped = first % 8
    packed = np.frombuffer(data, np.uint8, -(-(skipped + count) // 8), first // 8)
    return np.unpackbits(packed, bitorder="little")[skipped : skipped + count]


def _affine(dataset: Dataset, index: int) -> NDArray[np.float64]:
    """(4, 4), (column, row, 0, 1) of a frame → patient position in mm."""
    plane = functional_group(dataset, index, "PlanePositionSequence")
    measures = functional_group(dataset, index, "PixelMeasuresSequence")
    directions = directions_of(functional_group(dataset, index, "PlaneOrientationSequence"))
    row_spacing, column_spacing = numbers(measures, "PixelSpacing", 2)
    affine = np.eye(4)
    affine[:3, :2] = directions.T * (column_spacing, row_spacing)
    affine[:3, 3] = numbers(plane, "ImagePositionPatient", 3)
    return affine


def _check_grid(to_voxels: NDArray[np.float64], shape: tuple[int, ...]) -> None:
    """InputError unless each pixel of the frame is one voxel."""
    height, width = shape
    corners = np.array([[0, 0, 0, 1], [width - 1, 0, 0, 1], [0, height - 1, 0, 1]])
    voxels = (corners @ to_voxels.T)[:, :3]
    nearest = np.rint(voxels)
    along, down = np.abs(nearest[1:] - nearest[0])
    straight = along.sum() == along.max() == width - 1 and down.sum() == down.max() == height - 1
    if not straight or np.abs(voxels - nearest).max() > SAME_PLACE:
        raise InputError(
            "the segmentation's pixels are not its image's voxels: "
            f"a frame starts at voxel {', '.join(f'{one:.4g}' for one in voxels[0])} and ends "
            f"{', '.join(f'{one:.4g}' for one in voxels[1:].max(axis=0) - voxels[0])} further",
            remedy="resample it to its image",
        )


def _put(
    pixels: NDArray[np.uint8], to_voxels: NDArray[np.float64], labels: NDArray[np.uint8]
) -> None:
    rows, columns = np.nonzero(pixels)
    places = np.column_stack([columns, rows, np.zeros(len(rows)), np.ones(len(rows))])
    x, y, z = np.rint(places @ to_voxels.T).astype(int).T[:3]
    inside = [(one >= 0) & (one < size) for one, size in zip((z, y, x), labels.shape, strict=True)]
    if not np.all(inside):
        raise InputError("the segmentation reaches beyond its image")
    labels[z, y, x] = 1
