"""Writing a file whole or not at all, for the eyes of those who may read it.

What is written is its owner's alone, unless LESION_READABLE_BY says `group` or `all`.
"""

import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lesions.errors import InputError, shown

FULL = (errno.ENOSPC, errno.EDQUOT)  # of a disk, or of a user's share of it
READABLE_BY = "LESION_READABLE_BY"
_MODES = {"owner": 0o700, "group": 0o750, "all": 0o755}  # of a folder


def restrict(readable_by: str | None = None) -> None:
    """From now on this process, and those that it starts, write for these readers alone.

    Args:
        readable_by: "owner", "group" or "all"; None takes LESION_READABLE_BY, else "owner".

    Raises:
        InputError: none of these.
    """
    os.environ[READABLE_BY] = readable_by or os.environ.get(READABLE_BY, "owner")
    os.umask(0o777 & ~_folder_mode())  # for what libraries write


def _folder_mode() -> int:
    chosen = os.environ.get(READABLE_BY, "owner")
    if chosen not in _MODES:
        raise InputError(
            f"{READABLE_BY} is {shown(chosen)!r}", remedy=f"choose of {', '.join(_MODES)}"
        )
    return _MODES[chosen]


def make_folder(folder: Path) -> Path:
    """The folder, made with those above it where they are missing."""
    mode = _folder_mode()
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        one.chmod(mode)  # whatever the process' umask is
    folder.mkdir(exist_ok=True)  # says what is wrong where a file has its name
    return folder


def claim_folder(folder: Path) -> bool:
    """Make a folder where nothing is; whether it was this call that made it."""
    make_folder(folder.parent)
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    folder.chmod(_folder_mode())
    return True


@contextmanager
def replace_with(path: Path) -> Iterator[BinaryIO]:
    """Give a new file to write; when the block ends well it becomes `path`, in one step.

    A process that dies inside the block leaves `path` as it was. Several may write at once: each
    has a file of its own, and the last to end stays.
    """
    make_folder(path.parent)
    # Nobody can foretell the name, and no link that bears it is followed.
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(partial, flags, 0o600), "wb") as file:
            os.fchmod(file.fileno(), _folder_mode() & 0o666)
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        if error.filename in (None, str(partial)):  # a full disk's names none
            error.filename = str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with replace_with(path) as file:
        file.write(text.encode("utf-8"))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock that a file stands for; its content is left alone, and no link is followed.

    Raises:
        InputError: it is a link, or cannot be opened.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise InputError(
            f"cannot be locked: {error.strerror}", file=path, remedy="remove it, if it is a link"
        ) from None
    with os.fdopen(descriptor, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
