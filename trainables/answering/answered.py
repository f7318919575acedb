"""An answer's files read again: whole, and to the same question, or it is none."""

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lesions import InputError
from lesions.readers.bounded import read_json
from trainables.answering.answerer import Answering
from trainables.answering.answers import STATUSES
from trainables.answering.files import ANSWER, MASKS, OVERLAY, REPORT
from trainables.answering.precision import PRECISIONS
from trainables.answering.question import Question, said

MOST_BYTES = 1 << 20
MOST = 1e12  # of a number: beyond any image


def _is_points(value: Any) -> bool:
    return isinstance(value, list) and all(_fits(one, [float, float]) for one in value)


def _is_parts(value: Any) -> bool:
    return isinstance(value, dict) and all(_fits(one, {"sha256": str}) for one in value.values())


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value


def _is_frames(value: Any) -> bool:
    return isinstance(value, list) and all(_fits(one, _FRAME) for one in value)


# What `answer` writes: dicts with these keys, lists of this length, values of these kinds.
_END = {"x": float, "y": float, "spread_mm": (float, type(None))}
_AXIS = {"mm": float, "ends": [_END, _END]}
_FRAME = {"slice": int, "file": _is_path, "frame": int, "thickness_mm": (float, type(None))}
_PROMPT = {"kind": str, "points": _is_points}
_MODEL = {"system": str, "parts": _is_parts}
_FORM = {
    "image": str,
    "slice": int,
    "told": _PROMPT,
    "made": (_PROMPT | {"made_by": _MODEL}, type(None)),
    "window_hu": [float, float],
    "spacing_mm": [float, float, float],
    "status": lambda value: value in STATUSES,
    "found": bool,
    "mask": ({"area_mm2": float}, type(None)),
    "recist": ({"long_axis": _AXIS, "short_axis": _AXIS}, type(None)),
    "files": {},
    "frames": _is_frames,
    "tracking": {
        "identifier": str,
        "uid": (str, type(None)),
        "given": {"identifier": str, "uid": str},
    },
    "model": _MODEL,
    "tta": bool,
    "perpendicular": bool,
    "precision": str,
}


def read_answer(folder: Path) -> dict[str, Any] | None:
    """What `answer.json` says, or None where there is no whole answer, with all its files.

    One that a version before this wrote is none.
    """
    try:
        found = read_json(folder / ANSWER, dict, MOST_BYTES)
    except (OSError, InputError):
        return None
    if not _fits(found, _FORM) or not isinstance(found.get("doubt", ""), str):
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
    if isinstance(form, type):
        return type(value) is form
    check: Callable[[Any], bool] = form
    return check(value)


def is_answered(folder: Path, question: Question, answering: Answering) -> bool:
    """Whether the folder holds this question's answer by the same weights and options.

    An image that has changed under its name is not noticed.
    """
    found = read_answer(folder)
    if found is None:
        return False
    measured = found["spacing_mm"][:2]
    wanted = {
        "slice": question.index or 0,
        "told": said(question.prompt),
        "window_hu": list(question.window),
        "tta": answering.tta,
        "perpendicular": answering.perpendicular,
    }
    given = asdict(question.tracking)  # fmt: skip
    return (
        all(found[name] == value for name, value in wanted.items())
        and _plain(folder / found["image"]) == _plain(question.image)
        and measured == list(question.spacing or measured)
        and {name: found["tracking"]["given"][name] for name in given} == given
        and found["precision"] in PRECISIONS[answering.precision]
        and answering.model.is_said(found["model"])
        and _is_made_so(found["made"], answering)
    )


def _is_made_so(made: dict[str, Any] | None, answering: Answering) -> bool:
    """Whether the same other model made what the system was told, or none."""
    if made is None or answering.teller is None:
        return made is None and answering.teller is None
    return answering.teller.is_said(made["made_by"])


def _plain(path: Path) -> str:
    """Absolute, without `..`: the user's own words name an image in many ways."""
    return os.path.abspath(path)
