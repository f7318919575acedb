"""An answer's files read again: whole, and to the same question, or it is none."""

import os
from pathlib import Path
from typing import Any

from lesions import InputError
from lesions.readers.bounded import read_json
from trainables.pdnet.answers import ANSWER, MASKS, OVERLAY, PRECISIONS, REPORT, STAGES, Click

MOST_BYTES = 1 << 20
MOST = 1e12  # of a number: beyond any image

# What `answer` writes: dicts with these keys, lists of this length, values of these kinds.
_END = {"spread_mm": (float, type(None))}
_AXIS = {"mm": float, "ends": [_END, _END]}
_FORM = {
    "image": str,
    "slice": int,
    "click": [float, float],
    "window_hu": [float, float],
    "spacing_mm": [float, float, float],
    "stage1_found": bool,
    "mask": {"area_mm2": float},
    "recist": ({"long_axis": _AXIS, "short_axis": _AXIS}, type(None)),
    "files": {},
    "model": {stage: {"sha256": str} for stage in STAGES},
    "tta": bool,
    "precision": str,
}


def read_answer(folder: Path) -> dict[str, Any] | None:
    """What `answer.json` says, or None where there is no whole answer, with all its files."""
    try:
        found = read_json(folder / ANSWER, dict, MOST_BYTES)
    except (OSError, InputError):
        return None
    if not _fits(found, _FORM):
        return None
    names = found["files"].values()
    ours = all(name in (*MASKS.values(), REPORT) for name in names)
    return found if ours and all((folder / name).is_file() for name in (OVERLAY, *names)) else None


def _fits(value: Any, form: Any) -> bool:
    """Whether a value from JSON has a form; a float may be a whole number, none is NaN."""
    if isinstance(form, tuple):
        return any(_fits(value, one) for one in form)
    if isinstance(form, dict):
        return isinstance(value, dict) and all(
            name in value and _fits(value[name], one) for name, one in form.items()
        )
    if isinstance(form, list):
        return isinstance(value, list) and len(value) == len(form) and all(map(_fits, value, form))
    if form is float:
        return type(value) in (int, float) and abs(value) < MOST
    return type(value) is form


def is_answered(
    folder: Path, click: Click, model: dict[str, Any], tta: bool, precision: str
) -> bool:
    """Whether the folder holds this click's answer by the same weights and options.

    An image that has changed under its name is not noticed.
    """
    found = read_answer(folder)
    if found is None:
        return False
    measured = found["spacing_mm"][:2]
    wanted = {
        "slice": click.index or 0, "click": list(click.at), "window_hu": list(click.window),
        "tta": tta,
    }  # fmt: skip
    return (
        all(found[name] == value for name, value in wanted.items())
        and _plain(folder / found["image"]) == _plain(click.image)
        and measured == list(click.spacing or measured)
        and found["precision"] in PRECISIONS[precision]
        and all(found["model"][stage]["sha256"] == model[stage]["sha256"] for stage in STAGES)
    )


def _plain(path: Path) -> str:
    """Absolute, without `..`: answers of before this name their image so, others from theirs."""
    return os.path.abspath(path)
