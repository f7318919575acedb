"""The files of an answer, beside the one that says all: the mask, and DICOM objects."""

import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lesions import InputError
from lesions.readers.prompted import PromptedSlice
from lesions.writers.dicom import Algorithm, report, segmentation, write
from lesions.writers.masks import write_grid_mask, write_nifti_mask, write_png_mask
from lesions.writers.source_image import source_image
from trainables.system import Prediction

ANSWER, OVERLAY, REPORT = "answer.json", "overlay.png", "report.dcm"
MASKS = {"grid": "mask.nii.gz", "png": "mask.png", "dicom": "mask.dcm"}


def clear(folder: Path) -> None:
    """Delete an answer's files, `answer.json` first: without it there is no answer."""
    for name in (ANSWER, OVERLAY, *MASKS.values(), REPORT):
        remove(folder / name)


def remove(path: Path) -> None:
    """Delete what bears the name of one of our files, a folder too."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_files(
    seen: PromptedSlice, prediction: Prediction, algorithm: Algorithm, folder: Path
) -> tuple[dict[str, str], list[str]]:
    """The mask in the image's geometry, and for DICOM the report.

    Nothing without a mask: the report refers to its DICOM SEG. An empty one is no DICOM SEG
    either, which must have a frame, and nothing to report on. A mask that its image's format
    cannot have is a PNG.

    Returns:
        The files' names by what they are; and in sentences what is not as the image has it.
    """
    if prediction.mask is None:
        return {}, []
    mask = seen.mask_in_image(prediction.mask)
    if seen.origin is not None:
        return _write_dicom(seen, prediction, mask, algorithm, folder) if mask.any() else ({}, [])
    if seen.grid is None:
        write_png_mask(mask, folder / MASKS["png"])
        return {"mask": MASKS["png"]}, []
    if seen.kind == "nifti":
        write_nifti_mask(mask, seen.image, folder / MASKS["grid"])
    else:
        write_grid_mask(mask, seen.grid, folder / MASKS["grid"])
    return {"mask": MASKS["grid"]}, []


def _write_dicom(
    seen: PromptedSlice, prediction: Prediction, mask: NDArray[np.uint8], algorithm: Algorithm,
    folder: Path,
) -> tuple[dict[str, str], list[str]]:  # fmt: skip
    """See `write_files`."""
    assert seen.origin is not None
    name = MASKS["dicom"]
    try:
        source = source_image(seen.origin)
        seg = segmentation(source, mask, algorithm)
        write(seg, folder / name)
    except InputError as error:
        name = MASKS["png"]
        write_png_mask(mask, folder / name)
        return {"mask": name}, [f"no DICOM SEG and no report, and {name} instead: {error.reason}"]
    if prediction.recist is None:
        return {"mask": name}, [*source.repairs]
    points = seen.points_in_image(prediction.recist.points)[:, :2]
    lengths = prediction.recist.diameters_mm(seen.spacing)
    try:
        write(report(source, seg, points, lengths, algorithm), folder / REPORT)
    except InputError as error:
        return {"mask": name}, [*source.repairs, f"no report: {error.reason}"]
    return {"mask": name, "report": REPORT}, [*source.repairs]
