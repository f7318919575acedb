"""Where runs, prepared sets and reports live."""

import json
import re
import time
from pathlib import Path
from typing import Any

from lesions import InputError

ROOT = Path(__file__).resolve().parent.parent


def default_storage() -> Path:
    """`runs/` in the current folder; `~/lesion-platform` in a Ray job's short-lived copy of it."""
    here = Path.cwd()
    return Path.home() / "lesion-platform" if "_ray_pkg_" in str(here) else here / "runs"


def writable(folder: Path) -> Path:
    """The folder, made if need be, as an absolute path; InputError when nothing can be written."""
    folder = folder.expanduser().absolute()
    probe = folder / ".writable"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"cannot be written: {error.strerror}", file=folder, remedy="name another folder"
        ) from None
    return folder


def name_of(system: str, options: Any) -> str:
    """The name of a new or resumed run: as the options say, else made from the time."""
    name = options.resume or options.name or f"{system}-{time.strftime('%Y%m%d-%H%M%S')}"
    if not re.fullmatch(r"\w[\w.+-]*", name):
        raise InputError(f"{name!r} is no name", remedy="use letters, digits, _ and -")
    return str(name)


def read_plan(path: Path) -> dict[str, Any]:
    """The plan of the run in the plan's folder; InputError lists the runs when it is not there."""
    name, runs = path.parent.name, path.parent.parent
    try:
        plan: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        there = sorted(other.parent.name for other in runs.glob(f"*/{path.name}"))
        raise InputError(
            f"there is no run {name!r} to go on with", file=runs,
            remedy=f"choose of {', '.join(there)}" if there else "there is none at all",
        ) from None  # fmt: skip
    return plan
