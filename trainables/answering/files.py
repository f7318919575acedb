"""The files of an answer, beside the one that says all: their names, and what is said of them."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lesions.tracking import Tracking

ANSWER, OVERLAY, REPORT = "answer.json", "overlay.png", "report.dcm"
MASKS = {"grid": "mask.nii.gz", "png": "mask.png", "dicom": "mask.dcm"}


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was written.

    Attributes:
        files: their names by what they are.
        tracking: what the lesion is called; its UID is "" where no DICOM object has it.
        warnings: in sentences, what is not as the image has it.
        frames: of the DICOM SEG, in its order: the image's file, its frame and its thickness; of a
            report alone the one frame that it measures on.
    """

    files: dict[str, str]
    tracking: Tracking
    warnings: tuple[str, ...] = ()
    frames: tuple[dict[str, Any], ...] = ()


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


def forget(folder: Path) -> None:
    """Delete an answer that is none any more, and its folder where that holds nothing else."""
    if folder.is_dir():
        clear(folder)
        if not any(folder.iterdir()):
            folder.rmdir()
