"""The file of voxels that a header names: it lies in the header's own folder, or nothing is opened.

The name comes from somebody else and would be used as a path: a header must not make any other file
of this machine be read.
"""

from pathlib import Path, PureWindowsPath

from lesions.errors import InputError, shown


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
