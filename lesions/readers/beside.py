"""The file of voxels that a header names: it lies in the header's own folder, or nothing is opened.

The name comes from somebody else and would be used as a path: a header must not make any other file
of this machine be read.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath
from typing import IO

from lesions.errors import InputError, shown
from lesions.readers.bounded import open_regular
from lesions.readers.voxels import MOST_BYTES

_NUMBERED = re.compile("%[0-9]*[diu]")  # a name with a place for each slice's number


@contextmanager
def voxels_file(
    header: Path, file: IO[bytes], name: str | None, remedy: str
) -> Iterator[IO[bytes]]:
    """The file that holds the voxels, where they begin.

    Args:
        header: where the header lies.
        file: the header's own, which has been read to its end.
        name: what it says; None where the voxels follow it.
        remedy: what to do where they lie in several files.

    Raises:
        InputError: several files are named, or see `named_beside`.
    """
    if name is None:
        yield file
    elif name.upper().startswith("LIST") or _NUMBERED.search(name):
        raise InputError(f"its voxels lie in several files: {shown(name)}", remedy=remedy)
    else:
        with open_regular(named_beside(header, name), MOST_BYTES) as beside:
            yield beside


def named_beside(header: Path, name: str) -> Path:
    """The file that a header names.

    Raises:
        InputError: the name is a path from elsewhere or leads out of the header's folder, itself or
            by a link; or there is no such file.
    """
    path, windows = Path(name), PureWindowsPath(name)
    if path.is_absolute() or windows.anchor or ".." in (*path.parts, *windows.parts):
        raise InputError(f"names {shown(name)!r} as its voxels, out of its own folder",
                         remedy="put both files into one folder, and its name alone into the header"
                         )  # fmt: skip
    try:
        folder = header.parent.resolve()
        found = (folder / path).resolve()
        there = found.is_file()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, links in a circle
        there = False
    if not there:
        raise InputError(f"its voxels are not beside it: {shown(name)!r}",
                         remedy="keep both files in one folder, under the names that they had"
                         )  # fmt: skip
    if not found.is_relative_to(folder):
        raise InputError(f"its voxels, {shown(name)}, are a link that leads out of its folder",
                         remedy="copy the file itself there")  # fmt: skip
    return found
