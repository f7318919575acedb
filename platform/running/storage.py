"""Where runs, prepared sets and reports live."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain, count
from pathlib import Path
from tempfile import TemporaryFile

from lesions import InputError
from lesions.errors import shown
from lesions.files import claim_folder, make_folder
from lesions.names import inside

FOLDERS = ("prepared", "models", "trainings", "sweeps", "reproductions")  # that plans name
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(/|$)")
ROOT = Path(__file__).resolve().parents[2]


def default_storage() -> Path:
    """`runs/` in the current folder; `~/lesion-platform` in a Ray job's short-lived copy of it."""
    here = Path.cwd()
    return Path.home() / "lesion-platform" if "_ray_pkg_" in str(here) else here / "runs"


def writable(folder: Path) -> Path:
    """The folder, made if need be, as an absolute path; InputError when nothing can be written."""
    folder = local(folder).expanduser().absolute()
    try:
        with TemporaryFile(dir=make_folder(folder)):
            pass
    except OSError as error:
        raise InputError(
            f"cannot be written: {error.strerror}", file=folder, remedy="name another folder"
        ) from None
    return folder


def local(folder: Path) -> Path:
    """The folder as it is; InputError where it is the address of another kind of storage."""
    if _ADDRESS.match(str(folder)):  # "s3://a" is s3:/a to a Path
        raise InputError(
            f"{shown(str(folder))} is an address, and nothing is kept at one", remedy="name a "
            "folder, which may be on a file system that all nodes share",
        )  # fmt: skip
    return folder


def found_again(path: Path, storage: Path) -> Path:
    """A path that a plan names; where nothing is there, what a moved storage has in its stead.

    Args:
        path: as it was written, below the storage's old place or anywhere.
        storage: where it is now.
    """
    if path.exists():
        return path
    for at, part in enumerate(path.parts):
        there = storage.joinpath(*path.parts[at:])
        if part in FOLDERS and there.exists():
            return there
    return path


def unnamed(place: Path, prefix: str) -> Path:
    """A new folder in `place` for what the user does not name: prefix, time, a number if need be.

    Two in one second, and a clock that goes back, find different ones.
    """
    now = f"{prefix}-{time.strftime('%Y%m%d-%H%M%S')}"
    names = chain([now], (f"{now}-{number}" for number in count(2)))
    return next(folder for name in names if claim_folder(folder := inside(place, name)))


@contextmanager
def given_up_if_empty(folder: Path) -> Iterator[None]:
    """A folder that a command took goes again where nothing came into it."""
    try:
        yield
    finally:
        with suppress(OSError):  # something is in it
            folder.rmdir()
