"""Names that come from elsewhere (a user, a server, a table), before a path is made of one."""

import re
from pathlib import Path

from lesions.errors import InputError, shown

_NAME = re.compile(r"\w[\w.+-]*")
_MOST_BYTES = 200  # file systems take 255, and an ending may follow


def check_name(name: str) -> str:
    """The name as it is; InputError where it could be a path, an option or nothing at all."""
    if not _NAME.fullmatch(name) or len(name.encode("utf-8", "replace")) > _MOST_BYTES:
        raise InputError(f"{shown(name)!r} is no name", remedy="use letters, digits, _ and -")
    return name


def inside(folder: Path, name: str, ending: str = "") -> Path:
    """The path of a name in a folder; InputError where the name is none, as of `check_name`."""
    return folder / f"{check_name(name)}{ending}"
