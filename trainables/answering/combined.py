"""All lesions of a DICOM image in one SEG and one report, made of their answers' own files."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lesions import InputError
from lesions.files import make_folder
from lesions.readers.dicom.opening import open_dicom
from lesions.readers.dicom.segmentation import read_frames
from lesions.readers.dicom.tags import text
from lesions.tracking import Tracking
from lesions.volume import SliceOrigin
from lesions.writers.dicom import Algorithm, Axes, Plane, Segment, segmentation, uid_of, write
from lesions.writers.report import report
from lesions.writers.source_image import source_image
from trainables.answering.answered import read_answer
from trainables.answering.files import MASKS, REPORT, remove

SEG = MASKS["dicom"]


def combine(folders: Sequence[Path], algorithm: Algorithm, out: Path, fewest: int = 1) -> list[str]:
    """Write the SEG and the report of an image whose lesions were answered one by one.

    Their UIDs follow from those of the lesions' own SEGs: what is there already is left as it is.

    Args:
        folders: of answers on one image; those without a DICOM SEG are passed over.
        algorithm: what made them.
        out: of the two files.
        fewest: lesions with a SEG, else neither is written, and none is left there.

    Returns:
        In sentences, why there is none of either; the lesions' own are there all the same.
    """
    found = {folder: read_answer(folder) for folder in folders}
    lesions = {
        folder: said
        for folder, said in found.items()
        if said is not None and said["files"].get("mask") == SEG and said["tracking"]["uid"]
    }
    if len(lesions) < fewest:
        remove_combined(out)
        return []
    try:
        segments, instances = _segments(lesions)
        measured = any(segment.axes is not None for segment in segments)
        wanted = {SEG: uid_of("SEG", instances)}
        wanted |= {REPORT: uid_of("SR", instances)} if measured else {}
        if all(_instance(out / name) == uid for name, uid in wanted.items()):
            return []
        remove_combined(out)
        seg = segmentation(segments, algorithm, instances)
        write(seg, make_folder(out) / SEG)
    except InputError as error:
        remove_combined(out)
        return [f"no SEG and no report of all {len(lesions)} lesions together: {error.reason}"]
    try:
        if measured:
            write(report(segments, seg, algorithm, instances), out / REPORT)
    except InputError as error:
        return [f"no report of all {len(lesions)} lesions together: {error.reason}"]
    return []


def remove_combined(out: Path) -> None:
    """Delete the files of `combine`."""
    for name in (SEG, REPORT):
        remove(out / name)


def _segments(lesions: Mapping[Path, Mapping[str, Any]]) -> tuple[list[Segment], list[str]]:
    """The lesions in order, and their own SEGs' UIDs; InputError where one is damaged."""
    segments, instances = [], []
    source_of = functools.lru_cache(source_image)  # several lesions may lie on one frame
    for folder, said in lesions.items():
        instance, masks = read_frames(folder / SEG)
        if len(masks) != len(said["frames"]):
            raise InputError("not the SEG that its answer says", file=folder / SEG)
        planes = [
            Plane(source=source_of(_origin(frame, folder)), mask=mask)
            for frame, mask in zip(said["frames"], masks, strict=True)
        ]
        segments.append(_segment(said, planes))
        instances.append(instance)
    return segments, instances


def _segment(said: Mapping[str, Any], planes: Sequence[Plane]) -> Segment:
    """A lesion as its answer says it."""
    tracking = said["tracking"]
    return Segment(
        planes=tuple(planes),
        tracking=Tracking(identifier=tracking["identifier"], uid=tracking["uid"]),
        axes=_axes(said, planes),
        volume_mm3=(said["mask"] or {}).get("volume_mm3"),
    )


def _axes(said: Mapping[str, Any], planes: Sequence[Plane]) -> Axes | None:
    recist = said["recist"]
    if recist is None:
        return None
    axes = [recist[name] for name in ("long_axis", "short_axis")]
    (source,) = (
        plane.source
        for plane, frame in zip(planes, said["frames"], strict=True)
        if frame["slice"] == said["slice"]
    )
    ends = [(end["x"], end["y"]) for axis in axes for end in axis["ends"]]
    return Axes(
        source=source, points=np.array(ends, np.float64),
        diameters_mm=(axes[0]["mm"], axes[1]["mm"]),
    )  # fmt: skip


def _origin(frame: Mapping[str, Any], folder: Path) -> SliceOrigin:
    return SliceOrigin(
        file=folder / frame["file"], frame=frame["frame"], instance="",
        thickness=frame["thickness_mm"],
    )  # fmt: skip


def _instance(path: Path) -> str | None:
    """The SOPInstanceUID of what is there; None of nothing, or nothing that can be read."""
    try:
        with open_dicom(path, ("SOPInstanceUID",)) as (dataset, _):
            return text(dataset, "SOPInstanceUID")
    except (InputError, OSError):
        return None
