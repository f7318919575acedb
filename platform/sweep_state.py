"""Tune's own state of a sweep: whole, or mended, or said to be lost.

Tune writes it in a scratch folder and then copies it over the sweep's, file by file and in place.
A driver killed at that moment leaves a cut-off file, and Tune would start anew without a word.
"""

import json
import shutil
from pathlib import Path

from lesions import InputError
from lesions.files import replace_with, write_text

STATE = "experiment_state-*.json"
FILES = (STATE, "search_gen_state-*.json", "searcher-state-*.pkl")
SCRATCH = "scratch.txt"


def note_scratch(folder: Path, scratch: str) -> None:
    """Remember where Tune writes the state of the sweep in `folder` first."""
    write_text(folder / SCRATCH, scratch)


def mend_state(folder: Path) -> None:
    """Take the scratch folder's state where the sweep's own is cut off; at most one of them is.

    Raises:
        InputError: it is cut off, and the scratch folder is gone or another machine's.
    """
    if _is_whole(folder):
        return
    note = folder / SCRATCH
    scratch = Path(note.read_text()) if note.exists() else folder
    if not _is_whole(scratch) or not any(scratch.glob(STATE)):
        raise InputError(
            "the sweep's state was cut off by a kill", file=folder,
            remedy="its trials are in MLflow; start a new sweep",
        )  # fmt: skip
    for pattern in FILES:
        for path in scratch.glob(pattern):
            with replace_with(folder / path.name) as partial:
                shutil.copy(path, partial)


def _is_whole(folder: Path) -> bool:
    """Whether the newest state parses; no state at all is whole: no trial has begun."""
    newest = max(folder.glob(STATE), default=None)
    try:
        return newest is None or bool(json.loads(newest.read_text()))
    except ValueError:
        return False
