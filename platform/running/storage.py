"""Where runs, prepared sets and reports live."""

from pathlib import Path
from tempfile import TemporaryFile

from lesions import InputError
from lesions.files import make_folder

FOLDERS = ("prepared", "models", "trainings", "sweeps", "reproductions")  # that plans name
ROOT = Path(__file__).resolve().parents[2]


def default_storage() -> Path:
    """`runs/` in the current folder; `~/lesion-platform` in a Ray job's short-lived copy of it."""
    here = Path.cwd()
    return Path.home() / "lesion-platform" if "_ray_pkg_" in str(here) else here / "runs"


def writable(folder: Path) -> Path:
    """The folder, made if need be, as an absolute path; InputError when nothing can be written."""
    folder = folder.expanduser().absolute()
    try:
        with TemporaryFile(dir=make_folder(folder)):
            pass
    except OSError as error:
        raise InputError(
            f"cannot be written: {error.strerror}", file=folder, remedy="name another folder"
        ) from None
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


def new_result(folder: Path) -> tuple[Path, Path]:
    """The page and the table of a new result; InputError where the folder has one already."""
    report, rows = folder / "report.html", folder / "lesions.csv"
    if report.exists():
        raise InputError(
            f"there is a result {folder.name!r} already", remedy="choose another --name"
        )
    return report, rows
