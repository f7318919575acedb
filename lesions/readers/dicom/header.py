"""What a CT file says of its slices, pixels aside."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
)

from lesions.errors import InputError, shown
from lesions.readers.dicom.opening import MOST_SLICES, open_dicom
from lesions.readers.dicom.tags import items, numbers, positive, text, whole
from lesions.readers.png import LARGEST_SIDE
from lesions.volume import MOST_VOXELS

MULTI_FRAME = (EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)
# In ImageType, of what comes as CT and holds no HU.
MAPS = ("PERF", "CBF", "CBV", "MTT", "TTP", "TMAX", "PERMEAB", "Z_EFF", "DENSITY", "MATERIAL")
TAGS = (
    "SOPClassUID", "SOPInstanceUID", "PatientID", "StudyInstanceUID", "SeriesInstanceUID",
    "FrameOfReferenceUID", "ImageType", "NumberOfFrames", "Rows", "Columns", "SamplesPerPixel",
    "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "RescaleSlope", "RescaleIntercept", "RescaleType", "PixelSpacing", "SliceThickness",
    "SpacingBetweenSlices", "GantryDetectorTilt", "ImageOrientationPatient",
    "ImagePositionPatient", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PixelFormat:
    """How a frame's values are stored: (rows, columns), and bits of one value."""

    shape: tuple[int, int]
    allocated: int
    stored: int
    signed: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Slice:
    """One CT image, its pixels still on disk.

    Attributes:
        file, frame: where it is; frame 0 = the first.
        instance, patient, study, series, frame_of_reference: PatientID and UIDs, "" without.
        format: how its pixels are stored.
        rescale: (slope, intercept), HU = slope · stored value + intercept.
        unit: what those are said to be: "HU", "US" (unspecified) or "".
        spacing: (x, y) mm between columns and between rows.
        thickness: mm, None when the file does not say.
        apart: mm, SpacingBetweenSlices; the positions count before it.
        gantry: degrees, GantryDetectorTilt; 0 when the file does not say.
        directions: (2, 3), unit vectors along a row and down a column, patient axes
            (left, back, head).
        position: (3,) mm, the centre of the first pixel.
    """

    file: Path
    frame: int
    instance: str
    patient: str
    study: str
    series: str
    frame_of_reference: str
    format: PixelFormat
    rescale: tuple[float, float]
    unit: str
    spacing: tuple[float, float]
    thickness: float | None
    apart: float | None
    gantry: float
    directions: NDArray[np.float64]
    position: NDArray[np.float64]

    @property
    def normal(self) -> NDArray[np.float64]:
        """(3,), the unit vector across the slice."""
        return np.cross(self.directions[0], self.directions[1])


def read_header(path: Path) -> list[Slice]:
    """The slices of one file.

    Raises:
        InputError: no DICOM, no CT image, or what is missing or not understood in it.
    """
    with open_dicom(path, TAGS) as (dataset, _):
        sop_class = ct_class(dataset)
        count = whole(dataset, "NumberOfFrames", default=1)
        frames = [dataset]
        if sop_class in MULTI_FRAME:
            frames = list(items(dataset, "PerFrameFunctionalGroupsSequence"))
        if count < 1 or count != len(frames):
            raise InputError(f"NumberOfFrames is {count}, the file describes {len(frames)}")
        pixels = _pixel_format(dataset)
        check_voxels(count, pixels)
        identity = _identity(dataset)
        return [_slice(path, dataset, pixels, identity, index) for index in range(count)]


def check_voxels(count: int, pixels: PixelFormat) -> None:
    """InputError where so many slices are more than a volume may hold."""
    voxels = count * pixels.shape[0] * pixels.shape[1]
    if count > MOST_SLICES or voxels > MOST_VOXELS:
        raise InputError(
            f"{count} slices of {pixels.shape[0]} × {pixels.shape[1]} are more than "
            f"{MOST_SLICES} slices or {MOST_VOXELS} voxels"
        )


def ct_class(dataset: Dataset) -> UID:
    """The kind of CT object; anything else is refused by its name."""
    meta = dataset.file_meta.get("MediaStorageSOPClassUID", "")
    sop_class = UID(text(dataset, "SOPClassUID") or str(meta))
    if not sop_class:
        raise InputError("SOPClassUID is missing")
    if sop_class not in (CTImageStorage, *MULTI_FRAME):
        raise InputError(f"{shown(sop_class.name)}, not a CT image")
    return sop_class


def _identity(dataset: Dataset) -> dict[str, str]:
    """Whose image it is, once for all frames."""
    return {
        "instance": text(dataset, "SOPInstanceUID"),
        "patient": text(dataset, "PatientID"),
        "study": text(dataset, "StudyInstanceUID"),
        "series": text(dataset, "SeriesInstanceUID"),
        "frame_of_reference": text(dataset, "FrameOfReferenceUID"),
    }


def _slice(
    path: Path, dataset: Dataset, pixels: PixelFormat, identity: dict[str, str], index: int
) -> Slice:
    measures = functional_group(dataset, index, "PixelMeasuresSequence")
    kind = text(functional_group(dataset, index, "CTImageFrameTypeSequence"), "FrameType")
    kind = (kind or text(dataset, "ImageType")).upper()
    if "LOCALIZER" in kind.split("\\"):
        raise InputError("a localizer, not a slice")
    values = functional_group(dataset, index, "PixelValueTransformationSequence")
    row_spacing, column_spacing = numbers(measures, "PixelSpacing", 2)
    if min(row_spacing, column_spacing) <= 0:
        raise InputError(f"PixelSpacing is not positive: {row_spacing:g}, {column_spacing:g}")
    return Slice(
        file=path,
        frame=index,
        **identity,
        format=pixels,
        rescale=_rescale(values),
        unit=_unit(values, kind),
        spacing=(column_spacing, row_spacing),
        # A lone slice has no neighbour to be spaced from: what it shows is as thick as it says.
        thickness=positive(measures, "SliceThickness")
        or positive(measures, "SpacingBetweenSlices"),
        apart=_apart(measures),
        gantry=_gantry(functional_group(dataset, index, "CTAcquisitionDetailsSequence")),
        directions=directions_of(functional_group(dataset, index, "PlaneOrientationSequence")),
        position=np.array(
            numbers(
                functional_group(dataset, index, "PlanePositionSequence"), "ImagePositionPatient", 3
            )
        ),
    )


def _apart(measures: Dataset) -> float | None:
    with suppress(InputError):  # what is damaged says nothing, and the positions count anyway
        return positive(measures, "SpacingBetweenSlices")
    return None


def _gantry(acquisition: Dataset) -> float:
    if text(acquisition, "GantryDetectorTilt") == "":
        return 0.0
    (tilt,) = numbers(acquisition, "GantryDetectorTilt", 1)
    return tilt


def functional_group(dataset: Dataset, index: int, sequence: str) -> Dataset:
    """Where a multi-frame file keeps these tags: the frame's own, or shared, or the top level."""
    own = items(dataset, "PerFrameFunctionalGroupsSequence")
    shared = items(dataset, "SharedFunctionalGroupsSequence")
    places = [*([own[index]] if own else []), *([shared[0]] if shared else [])]
    for place in places:
        if found := items(place, sequence):
            return found[0]
    return dataset


def _pixel_format(dataset: Dataset) -> PixelFormat:
    colours = text(dataset, "PhotometricInterpretation")
    if not colours:
        raise InputError("PhotometricInterpretation is missing")
    samples = whole(dataset, "SamplesPerPixel", default=1)
    if samples != 1 or colours not in ("MONOCHROME1", "MONOCHROME2"):
        raise InputError(f"a picture ({shown(colours)}, {samples} samples a pixel), not CT values")
    rows, columns = whole(dataset, "Rows"), whole(dataset, "Columns")
    if not (0 < rows <= LARGEST_SIDE and 0 < columns <= LARGEST_SIDE):
        raise InputError(f"Rows × Columns is {rows} × {columns}, beyond 1 to {LARGEST_SIDE}")
    allocated, stored = whole(dataset, "BitsAllocated"), whole(dataset, "BitsStored")
    high = whole(dataset, "HighBit", default=stored - 1)
    if allocated not in (8, 16) or not 1 <= stored <= allocated or high != stored - 1:
        raise InputError(
            f"bits allocated, stored, highest are {allocated}, {stored}, {high}; "
            "8 or 16 bits with the value in the lowest are read"
        )
    representation = whole(dataset, "PixelRepresentation")
    if representation not in (0, 1):
        raise InputError(f"PixelRepresentation is {representation}, not 0 or 1")
    return PixelFormat(
        shape=(rows, columns), allocated=allocated, stored=stored, signed=representation == 1
    )


def _rescale(values: Dataset) -> tuple[float, float]:
    (slope,), (intercept,) = (
        numbers(values, "RescaleSlope", 1),
        numbers(values, "RescaleIntercept", 1),
    )
    if slope == 0:
        raise InputError("RescaleSlope is zero")
    return slope, intercept


def _unit(values: Dataset, kind: str) -> str:
    """What the rescaled values are said to be; InputError where it is no HU.

    US is unspecified, as SimpleITK and GDCM write it for every CT; a map says what it is.
    """
    unit = text(values, "RescaleType")
    is_map = any(word in kind for word in MAPS)
    if unit not in ("", "HU", "US") or (unit == "US" and is_map):
        raise InputError(f"RescaleType is {shown(unit)}: the values are not said to be HU")
    return unit


def directions_of(plane: Dataset) -> NDArray[np.float64]:
    """(2, 3), unit vectors along a row and down a column; InputError when they are none."""
    directions = np.reshape(numbers(plane, "ImageOrientationPatient", 6), (2, 3))
    if np.abs(directions @ directions.T - np.eye(2)).max() > 1e-3:
        raise InputError(
            "ImageOrientationPatient is not two perpendicular unit vectors: "
            + shown(text(plane, "ImageOrientationPatient"))
        )
    return directions
