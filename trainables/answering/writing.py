"""An answer's mask in its image's own geometry and, for DICOM, the measurement report."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lesions import InputError
from lesions.metrics import mask_volume
from lesions.readers.prompted import PromptedSlice
from lesions.tracking import Tracking, derived_uid, new_uid
from lesions.volume import SliceOrigin
from lesions.writers.dicom import Algorithm, Axes, Plane, Segment, places_of, segmentation, write
from lesions.writers.masks import write_grid_mask, write_nifti_mask, write_png_mask
from lesions.writers.report import report
from lesions.writers.source_image import SourceImage, source_image
from trainables.answering.files import MASKS, REPORT, Written
from trainables.answering.question import Question
from trainables.system import Prediction


def write_files(
    seen: PromptedSlice, prediction: Prediction, algorithm: Algorithm, question: Question,
    folder: Path,
) -> Written:  # fmt: skip
    """The mask in the image's geometry, and for DICOM the report.

    Nothing without a mask: the report refers to its DICOM SEG. An empty one is no DICOM SEG
    either, which must have a frame, and nothing to report on. A mask that its image's format
    cannot have is a PNG.
    """
    given = question.tracking
    called = Tracking(identifier=given.identifier or f"Lesion {question.number}", uid=given.uid)
    if prediction.mask is None or (seen.origin is not None and not prediction.mask.any()):
        return Written(files={}, tracking=called)
    if seen.origin is not None:
        return _write_dicom(seen, prediction, algorithm, called, question, folder)
    mask, name = seen.mask_in_image(prediction.mask), MASKS["png" if seen.grid is None else "grid"]
    if seen.grid is None:
        write_png_mask(mask, folder / name)
    elif seen.kind == "nifti":
        write_nifti_mask(mask, seen.image, folder / name)
    else:
        write_grid_mask(mask, seen.grid, folder / name)
    return Written(files={"mask": name}, tracking=called)


def volume_mm3(seen: PromptedSlice, prediction: Prediction) -> float | None:
    """The volume of a lesion that was segmented on all slices; None of one that was not."""
    if prediction.volume is None:
        return None
    return round(mask_volume(prediction.volume, seen.spacing), 3)


def _write_dicom(
    seen: PromptedSlice, prediction: Prediction, algorithm: Algorithm, called: Tracking,
    question: Question, folder: Path,
) -> Written:  # fmt: skip
    """See `write_files`."""
    assert seen.origin is not None
    assert prediction.mask is not None
    name = MASKS["dicom"]
    try:
        source = source_image(seen.origin)
        tracking, unknown = _known(called, question.tracking, source)
        planes, origins = _planes(seen, prediction, source)
        lesion = Segment(
            planes=planes, tracking=tracking, axes=_axes(seen, prediction, source),
            volume_mm3=volume_mm3(seen, prediction),
        )  # fmt: skip
        seg = segmentation([lesion], algorithm)
        write(seg, folder / name)
    except InputError as error:
        name = MASKS["png"]
        write_png_mask(seen.mask_in_image(prediction.mask), folder / name)
        why = f"no DICOM SEG and no report, and {name} instead: {error.reason}"
        return Written(files={"mask": name}, tracking=called, warnings=(why,))
    files, warnings = {"mask": name}, [*source.repairs, *unknown]
    if lesion.axes is not None:
        try:
            write(report([lesion], seg, algorithm), folder / REPORT)
            files["report"] = REPORT
        except InputError as error:
            warnings.append(f"no report: {error.reason}")
    frames = [_frame(*origins[place], folder) for place in places_of(seg)]
    return Written(
        files=files, tracking=tracking, warnings=tuple(warnings), frames=tuple(frames)
    )  # fmt: skip


def _known(
    called: Tracking, given: Tracking, source: SourceImage
) -> tuple[Tracking, Sequence[str]]:  # fmt: skip
    """What the lesion is called, with its UID, and why nobody will know it again by it.

    The same word for a lesion of the same patient is the same UID. A lesion that nobody calls
    anything is known to be the same as no other.
    """
    if given.uid:
        return called, ()
    patient = str(source.dataset.PatientID)
    if given.identifier and patient:
        issuer = str(source.dataset.IssuerOfPatientID)
        uid = derived_uid(called.identifier, patient, issuer)
        return Tracking(identifier=called.identifier, uid=uid), ()
    new = Tracking(identifier=called.identifier, uid=new_uid())
    if not given.identifier:
        return new, ()
    why = "PatientID of the image is missing: the lesion has a new tracking UID, not the one that"
    return new, (f"{why} it has in other images; say which by tracking_uid",)


def _planes(
    seen: PromptedSlice, prediction: Prediction, source: SourceImage
) -> tuple[tuple[Plane, ...], dict[tuple[str, int], tuple[int, SliceOrigin]]]:
    """The lesion's pixels slice by slice, and which slice and frame each lies on."""
    assert seen.origin is not None
    assert prediction.mask is not None
    masks = {seen.index: prediction.mask}
    if prediction.volume is not None:
        slices = np.nonzero((prediction.volume == 1).any(axis=(1, 2)))[0]
        masks = {int(index): prediction.volume[index] for index in slices} | masks
    planes, origins = [], {}
    for index, mask in sorted(masks.items()):
        origin = seen.origin if index == seen.index else seen.origins[index]
        frame = source if index == seen.index else source_image(origin)
        planes.append(Plane(source=frame, mask=seen.mask_in_image(mask)))
        origins[frame.place] = index, origin
    return tuple(planes), origins


def _axes(seen: PromptedSlice, prediction: Prediction, source: SourceImage) -> Axes | None:
    if prediction.recist is None:
        return None
    long, short = prediction.recist.diameters_mm(seen.spacing)
    points = seen.points_in_image(prediction.recist.points)[:, :2]
    return Axes(source=source, points=points, diameters_mm=(round(long, 3), round(short, 3)))


def _frame(index: int, origin: SliceOrigin, folder: Path) -> dict[str, Any]:
    return {
        "slice": index, "file": os.path.relpath(origin.file, folder), "frame": origin.frame,
        "thickness_mm": origin.thickness,
    }  # fmt: skip
