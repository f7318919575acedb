"""All lesions of a DICOM image in one SEG and one report, made of their answers' own files."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesions import InputError
from lesions.files import make_folder
from lesions.readers.dicom.opening import open_dicom
from lesions.readers.dicom.segmentation import read_frames
from lesions.readers.dicom.tags import text
from lesions.tracking import Tracking
from lesions.volume import SliceOrigin
from lesions.writers.dicom import Algorithm, Axes, Finding, Plane, segmentation, uid_of, write
from lesions.writers.report import report
from lesions.writers.source_image import SourceImage, source_image
from trainables.answering.answered import read_answer
from trainables.answering.files import MASKS, REPORT, remove

SEG = MASKS["dicom"]
OBJECTS = frozenset((SEG, REPORT))


def combine(folders: Sequence[Path], algorithm: Algorithm, out: Path, fewest: int = 1) -> list[str]:
    """Write the SEG and the report of an image whose lesions were answered one by one.

    Their UIDs follow from those of the lesions' own: what is there already is left as it is.

    Args:
        folders: of answers on one image; those without a DICOM object are passed over.
        algorithm: what made them.
        out: of the two files.
        fewest: lesions with an object, else neither is written, and none is left there.

    Returns:
        In sentences, why there is none of either; the lesions' own are there all the same.
    """
    found = {folder: read_answer(folder) for folder in folders}
    lesions = {
        folder: said
        for folder, said in found.items()
        if said is not None and OBJECTS & {*said["files"].values()} and said["tracking"]["uid"]
    }
    if len(lesions) < fewest:
        remove_combined(out)
        return []
    try:
        findings, instances = _findings(lesions)
        segmented = any(finding.planes for finding in findings)
        measured = any(finding.axes is not None for finding in findings)
        wanted = {SEG: uid_of("SEG", instances)} if segmented else {}
        wanted |= {REPORT: uid_of("SR", instances)} if measured else {}
        if all(_instance(out / name) == uid for name, uid in wanted.items()):
            return []
        remove_combined(out)
        seg = segmentation(findings, algorithm, instances) if segmented else None
        if seg is not None:
            write(seg, make_folder(out) / SEG)
    except InputError as error:
        remove_combined(out)
        return [f"no SEG and no report of all {len(lesions)} lesions together: {error.reason}"]
    try:
        if measured:
            write(report(findings, seg, algorithm, instances), make_folder(out) / REPORT)
    except InputError as error:
        return [f"no report of all {len(lesions)} lesions together: {error.reason}"]
    return []


def remove_combined(out: Path) -> None:
    """Delete the files of `combine`."""
    for name in OBJECTS:
        remove(out / name)


def objects_in(folder: Path) -> set[str]:
    """The names of the DICOM objects there, a lesion's own or those of `combine`."""
    return {name for name in OBJECTS if (folder / name).is_file()}


def _findings(lesions: Mapping[Path, Mapping[str, Any]]) -> tuple[list[Finding], list[str]]:
    """The lesions in order, and the UIDs of their own SEGs, or of reports where there is no SEG.

    InputError where one is damaged.
    """
    findings, instances = [], []
    source_of = functools.lru_cache(source_image)  # several lesions may lie on one frame
    for folder, said in lesions.items():
        instance, masks = _read(folder, said)
        sources = [source_of(_origin(frame, folder)) for frame in said["frames"]]
        findings.append(_finding(said, sources, masks))
        instances.append(instance)
    return findings, instances


def _read(folder: Path, said: Mapping[str, Any]) -> tuple[str, Sequence[NDArray[np.uint8]]]:
    """A lesion's own SEG: its UID, and its pixels frame by frame; of a report, no pixels."""
    if said["files"].get("mask") == SEG:
        instance, masks = read_frames(folder / SEG)
        if len(masks) != len(said["frames"]):
            raise InputError("not the SEG that its answer says", file=folder / SEG)
        return instance, masks
    if (uid := _instance(folder / REPORT)) is None or len(said["frames"]) != 1:
        raise InputError("not the report that its answer says", file=folder / REPORT)
    return uid, ()


def _finding(
    said: Mapping[str, Any], sources: Sequence[SourceImage], masks: Sequence[NDArray[np.uint8]]
) -> Finding:
    """A lesion as its answer says it."""
    tracking = said["tracking"]
    planes = [Plane(source=source, mask=mask) for source, mask in zip(sources, masks, strict=False)]
    return Finding(
        planes=tuple(planes),
        tracking=Tracking(identifier=tracking["identifier"], uid=tracking["uid"]),
        axes=_axes(said, sources),
        volume_mm3=(said["mask"] or {}).get("volume_mm3"),
    )


def _axes(said: Mapping[str, Any], sources: Sequence[SourceImage]) -> Axes | None:
    recist = said["recist"]
    if recist is None:
        return None
    axes = [recist[name] for name in ("long_axis", "short_axis")]
    (source,) = (
        source
        for source, frame in zip(sources, said["frames"], strict=True)
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
