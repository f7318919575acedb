"""DICOM SEG of the lesions of one CT image, by highdicom; their report is `report`'s.

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
from highdicom.utils import get_plane_positions_of_image
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from lesions.errors import InputError
from lesions.files import replace_with
from lesions.tracking import Tracking
from lesions.writers.source_image import SourceImage

MAKER = "Lesion Platform"
MOST_STACKED = 1 << 29  # bytes: overlapping lesions need each plane once a lesion

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """What measured: for both objects' headers."""

    name: str
    version: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Plane:
    """A lesion's pixels on a frame: uint8 (rows, columns) as it is stored, 1 = lesion."""

    source: SourceImage
    mask: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class Axes:
    """A lesion's RECIST on a frame.

    Attributes:
        source: the frame.
        points: (4, 2), (column, row) of the stored frame, pixel centres at integers: long axis
            start and end, short axis start and end.
        diameters_mm: (long, short).
    """

    source: SourceImage
    points: NDArray[np.float64]
    diameters_mm: tuple[float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class Finding:
    """A lesion of an image: a segment of its SEG, and a group of its report.

    Attributes:
        tracking: its identifier and its UID, both.
        planes: none of them empty; where there are none it is measured, and no segment.
        axes: None where nothing is measured: it has no group then.
        volume_mm3: of a lesion that was segmented on all slices.
    """

    tracking: Tracking
    planes: tuple[Plane, ...] = ()
    axes: Axes | None = None
    volume_mm3: float | None = None


def quietly(make: Callable[P, T]) -> Callable[P, T]:
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


@quietly
def segmentation(findings: Sequence[Finding], algorithm: Algorithm, of: Sequence[str] = ()) -> Any:
    """A DICOM SEG with one binary segment a lesion that has pixels, numbered in order from 1.

    Args:
        findings: lesions on frames of one series, or of one multi-frame image.
        algorithm: what made them.
        of: what its UIDs are derived from; without it they are new.

    Raises:
        InputError: the header cannot be taken over, or the lesions overlap and are too many.
    """
    segments = segments_of(findings)
    sources = _frames_of(segments)
    first = sources[0].dataset
    several = "NumberOfFrames" in first
    identity = highdicom.AlgorithmIdentificationSequence(
        name=algorithm.name,
        family=codes.cid7162.ArtificialIntelligence,
        version=algorithm.version,
    )
    made = highdicom.seg.Segmentation(
        source_images=[first] if several else [source.dataset for source in sources],
        pixel_array=_pixels(segments, sources),
        plane_positions=_positions(sources) if several else None,
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[
            highdicom.seg.SegmentDescription(
                segment_number=number,
                segment_label=segment.tracking.identifier,
                segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
                segmented_property_type=codes.SCT.Lesion,
                algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
                algorithm_identification=identity,
                tracking_uid=segment.tracking.uid,
                tracking_id=segment.tracking.identifier,
            )
            for number, segment in enumerate(segments, 1)
        ],
        series_instance_uid=uid_of("SEG series", of),
        series_number=900,
        sop_instance_uid=uid_of("SEG", of),
        instance_number=1,
        manufacturer=MAKER,
        manufacturer_model_name=algorithm.name,
        software_versions=algorithm.version,
        device_serial_number="0",
        content_label="LESION",
        series_description=f"{algorithm.name} lesion (research only)",
    )
    return in_its_characters(made, segments, algorithm)


@quietly
def write(dataset: Dataset, path: Path) -> None:
    """A DICOM file, whole or not at all."""
    with replace_with(path) as file:
        dataset.save_as(file, enforce_file_format=True)


def segments_of(findings: Sequence[Finding]) -> list[Finding]:
    """Those that are segments of the SEG, in its order."""
    return [finding for finding in findings if finding.planes]


def sources_of(findings: Sequence[Finding]) -> list[SourceImage]:
    """The frames that they lie on or are measured on, each once."""
    measured = [finding.axes.source for finding in findings if finding.axes is not None]
    return _once([*_frames_of(findings), *measured])


def _frames_of(findings: Sequence[Finding]) -> list[SourceImage]:
    """The frames that have pixels of theirs, each once."""
    return _once([plane.source for finding in findings for plane in finding.planes])


def _once(sources: Sequence[SourceImage]) -> list[SourceImage]:
    return list({source.place: source for source in sources}.values())


def places_of(seg: Any) -> list[tuple[str, int]]:
    """Which frame each frame of a SEG lies on, as `SourceImage.place` names it."""
    images = [
        group.DerivationImageSequence[0].SourceImageSequence[0]
        for group in seg.PerFrameFunctionalGroupsSequence
    ]
    return [(str(one.ReferencedSOPInstanceUID), int(one.get("ReferencedFrameNumber", 1)))
            for one in images]  # fmt: skip


def uid_of(kind: str, of: Sequence[str]) -> str:
    """The UID of an object that is made of others, always the same; a new one without."""
    return str(uid.generate_uid(entropy_srcs=[kind, *of] if of else None))


def _pixels(segments: Sequence[Finding], sources: Sequence[SourceImage]) -> NDArray[Any]:
    """(planes, rows, columns) of segments' numbers; a last axis of segments where they overlap."""
    at = {source.place: index for index, source in enumerate(sources)}
    shape = (len(sources), *segments[0].planes[0].mask.shape)
    kind = np.uint8 if len(segments) <= np.iinfo(np.uint8).max else np.uint16
    numbered = np.zeros(shape, kind)
    overlap = False
    for number, segment in enumerate(segments, 1):
        for plane in segment.planes:
            place, inside = numbered[at[plane.source.place]], plane.mask == 1
            overlap |= bool(place[inside].any())
            place[inside] = number
    if not overlap:
        return numbered
    if numbered.size * len(segments) > MOST_STACKED:
        raise InputError(f"{len(segments)} lesions on {len(sources)} slices that overlap are more "
                         "than one SEG is made of")  # fmt: skip
    stacked = np.zeros((*shape, len(segments)), np.uint8)
    for index, segment in enumerate(segments):
        for plane in segment.planes:
            stacked[at[plane.source.place], :, :, index] = plane.mask == 1
    return stacked


def _positions(sources: Sequence[SourceImage]) -> list[Any]:
    """Of some frames of a multi-frame image."""
    known = get_plane_positions_of_image(sources[0].dataset)
    return [known[source.frame - 1] for source in sources]


def in_its_characters(made: Any, findings: Sequence[Finding], algorithm: Algorithm) -> Any:
    """The object in the image's own character set, where all that it says can be written in it."""
    characters = sources_of(findings)[0].character_set
    words = [algorithm.name, algorithm.version, *(one.tracking.identifier for one in findings)]
    if characters is None or not all(word.isascii() for word in words):
        return made
    if characters:
        made.SpecificCharacterSet = characters
    else:
        del made.SpecificCharacterSet
    return made
