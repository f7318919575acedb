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
from lesions.writers.dicom import Algorithm, Axes, Finding, Plane, places_of, segmentation, write
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
    """The mask in the image's geometry, and for DICOM the report of what was measured.

    An empty mask is no DICOM SEG, which must have a frame. A mask that its image's format cannot
    have is a PNG.
    """
    given = question.tracking
    called = Tracking(identifier=given.identifier or f"Lesion {question.number}", uid=given.uid)
    segmented = prediction.mask is not None and bool(prediction.mask.any())
    if seen.origin is not None and (segmented or prediction.recist is not None):
        return _write_dicom(seen, prediction, algorithm, called, question, folder)
    if seen.origin is not None or prediction.mask is None:
        return Written(files={}, tracking=called)
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
    """The SEG of what is segmented, the report of what is measured: one of them, or both."""
    assert seen.origin is not None
    files, warnings, seg = {}, [], None
    try:
        source = source_image(seen.origin)
        tracking, unknown = _known(called, question.tracking, source)
        planes, origins = _planes(seen, prediction, source)
        lesion = Finding(
            planes=planes, tracking=tracking, axes=_axes(seen, prediction, source),
            volume_mm3=volume_mm3(seen, prediction),
        )  # fmt: skip
        if planes:
            seg = segmentation([lesion], algorithm)
            write(seg, folder / MASKS["dicom"])
            files["mask"] = MASKS["dicom"]
    except InputError as error:
        return _without_dicom(seen, prediction, called, error, folder)
    if lesion.axes is not None:
        try:
            write(report([lesion], seg, algorithm), folder / REPORT)
            files["report"] = REPORT
        except InputError as error:
            if seg is None:
                return _without_dicom(seen, prediction, called, error, folder)
            warnings.append(f"no report: {error.reason}")
    places = [source.place] if seg is None else places_of(seg)
    return Written(
        files=files, tracking=tracking, warnings=(*source.repairs, *unknown, *warnings),
        frames=tuple(_frame(*origins[place], folder) for place in places),
    )  # fmt: skip


def _without_dicom(
    seen: PromptedSlice, prediction: Prediction, called: Tracking, error: InputError, folder: Path
) -> Written:
    """The mask alone, where neither object can be made."""
    if prediction.mask is None or not prediction.mask.any():
        return Written(files={}, tracking=called, warnings=(f"no report: {error.reason}",))
    name = MASKS["png"]
    write_png_mask(seen.mask_in_image(prediction.mask), folder / name)
    why = f"no DICOM SEG and no report, and {name} instead: {error.reason}"
    return Written(files={"mask": name}, tracking=called, warnings=(why,))


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
    """The lesion's pixels slice by slice, and which slice each frame is, the prompt's too."""
    assert seen.origin is not None
    masks = {}
    if prediction.mask is not None and prediction.mask.any():
        if prediction.volume is not None:
            slices = np.nonzero((prediction.volume == 1).any(axis=(1, 2)))[0]
            masks = {int(index): prediction.volume[index] for index in slices}
        masks[seen.index] = prediction.mask
    planes, origins = [], {source.place: (seen.index, seen.origin)}
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
