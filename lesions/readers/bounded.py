"""Reading a file that somebody else may have made: a regular one, of a size that is bounded."""

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from lesions.errors import InputError, shown

MOST_BYTES = 256 << 20  # of what is read whole
_KINDS = {dict: "an object", list: "a list"}

T = TypeVar("T", dict[str, Any], list[Any])


@contextmanager
def open_regular(path: Path, most: int = MOST_BYTES) -> Iterator[BinaryIO]:
    """Open a file to be read.

    A pipe would never end, a device never either: neither is opened for long. Links are followed:
    data sets are made of them.

    Raises:
        InputError: it is no regular file, or has more than `most` bytes.
        OSError: it is absent, or may not be read.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_size > most:
        os.close(descriptor)
        regular = stat.S_ISREG(found.st_mode)
        size = f"has {found.st_size} bytes, more than {most}"
        raise InputError(size if regular else "not a regular file", file=path)
    with os.fdopen(descriptor, "rb") as file:
        yield file


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """The content of a file; see `open_regular`."""
    with open_regular(path, most) as file:
        return file.read(most)  # it may have grown


def digest_of(path: Path) -> str:
    """SHA-256 of a file's content, whatever its size up to `MOST_BYTES`; see `open_regular`."""
    with open_regular(path) as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()


def read_text(path: Path, most: int = MOST_BYTES) -> str:
    """The text of a file in UTF-8; see `open_regular`.

    Raises:
        InputError: it is no UTF-8 either.
    """
    try:
        return read_bytes(path, most).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 text: {error.reason}", file=path) from None


def read_json(path: Path, kind: type[T], most: int = MOST_BYTES) -> T:
    """The JSON object (`dict`) or list (`list`) that a file holds; see `open_regular`.

    Raises:
        InputError: it is damaged, or holds something else.
    """
    return parse_json(read_text(path, most), kind, path)


def parse_json(text: str | bytes, kind: type[T], file: Path | str) -> T:
    """The JSON object or list in a text of `file`; InputError where it is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"is no JSON: {shown(str(error))}", file=file) from None
    if not isinstance(found, kind):
        raise InputError(f"is no JSON of {_KINDS[kind]}", file=file)
    return found
