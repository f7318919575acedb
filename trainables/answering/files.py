"""The files of an answer, beside the one that says all: the mask, and DICOM objects."""

import shutil
from pathlib import Path

from lesions.readers.prompted import PromptedSlice
from lesions.writers.dicom import Algorithm, report, segmentation, write
from lesions.writers.masks import write_nifti_mask, write_png_mask
from trainables.system import Prediction

ANSWER, OVERLAY, REPORT = "answer.json", "overlay.png", "report.dcm"
MASKS = {"nifti": "mask.nii.gz", "png": "mask.png", "dicom": "mask.dcm"}


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
) -> dict[str, str]:
    """The mask in the image's geometry, and for DICOM the report; their names by what they are.

    Nothing without a mask: the report refers to its DICOM SEG. An empty one is no DICOM SEG
    either, which must have a frame, and nothing to report on.
    """
    if prediction.mask is None:
        return {}
    mask = seen.mask_in_image(prediction.mask)
    name = MASKS[seen.kind]
    if seen.kind == "nifti":
        write_nifti_mask(mask, seen.image, folder / name)
        return {"mask": name}
    if seen.kind == "png":
        write_png_mask(mask, folder / name)
        return {"mask": name}
    if seen.origin is None or not mask.any():
        return {}
    seg = segmentation(seen.origin, mask, algorithm)
    write(seg, folder / name)
    if prediction.recist is None:
        return {"mask": name}
    points = seen.points_in_image(prediction.recist.points)[:, :2]
    lengths = prediction.recist.diameters_mm(seen.spacing)
    write(report(seen.origin, seg, points, lengths, algorithm), folder / REPORT)
    return {"mask": name, "report": REPORT}
