"""Reading a data set's tags: present and of the right kind, or refused by name."""

import math
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from lesions.errors import InputError, shown

# What a deflated file may grow to: 500 kB of it can ask for gigabytes and minutes.
MOST_INFLATED = 64 << 20
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00")


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turn whatever a damaged file makes pydicom raise into an InputError with the file's name."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # values that break a rule but can be read
            yield
    except InputError as error:
        raise InputError(error.reason, file=path, remedy=error.remedy) from None
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror or shown(str(error))}", file=path
        ) from None
    except Exception as error:  # pydicom raises many kinds on a damaged file
        kind = type(error).__name__
        raise InputError(
            f"the DICOM file is damaged: {shown(str(error)) or kind}", file=path
        ) from None


def open_dicom(path: Path, tags: tuple[str, ...] | None = None) -> Dataset:
    """The data set in a file; with `tags`, only those and no pixels.

    A file without the DICM mark is taken when it starts as old DICOM files do.
    """
    if not path.exists():
        raise InputError("there is no such file")
    if not path.is_file():
        raise InputError("not a regular file")
    with path.open("rb") as file:
        head = file.read(132)
    marked = head[128:] == b"DICM"
    if not marked and head[:2] not in _FIRST_GROUPS:
        raise InputError("no DICOM file")
    if marked:
        _check_inflated(path)
    return pydicom.dcmread(
        path,
        force=not marked,
        stop_before_pixels=tags is not None,
        specific_tags=None if tags is None else list(tags),
    )


def _check_inflated(path: Path) -> None:
    meta = pydicom.filereader.read_file_meta_info(path)
    last: Any = meta.get_item(max(meta.keys(), default=Tag(2, 0)))
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return
    deflated = path.read_bytes()[last.value_tell + last.length :]
    inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(deflated, MOST_INFLATED)
    if len(inflated) == MOST_INFLATED:
        raise InputError("a deflated file of more than 64 MB", remedy="store it inflated")


def text(dataset: Dataset, keyword: str) -> str:
    """A tag as text, several values joined by a backslash; "" when absent."""
    return "\\".join("" if one is None else str(one).strip() for one in _values(dataset, keyword))


def items(dataset: Dataset, keyword: str) -> Sequence[Dataset]:
    """A sequence's data sets; none when it is absent."""
    value, *_ = _values(dataset, keyword)
    if value is not None and not isinstance(value, pydicom.Sequence):
        raise InputError(f"{keyword} is no sequence")
    return value or ()


def numbers(dataset: Dataset, keyword: str, count: int) -> tuple[float, ...]:
    """Exactly `count` finite numbers."""
    if text(dataset, keyword) == "":
        raise InputError(f"{keyword} is missing")
    wanted = "a number" if count == 1 else f"{count} numbers"
    try:
        floats = tuple(float(one) for one in _values(dataset, keyword))
    except (TypeError, ValueError):
        what = shown(text(dataset, keyword))
        raise InputError(f"{keyword} is not {wanted}: {what}") from None
    if len(floats) != count:
        raise InputError(f"{keyword} is not {wanted} but {len(floats)}")
    if not all(map(math.isfinite, floats)):
        raise InputError(f"{keyword} holds a number that is not finite")
    return floats


def _values(dataset: Dataset, keyword: str) -> Sequence[Any]:
    try:
        value = dataset.get(keyword)
    except Exception as error:  # what a tag holds is parsed when it is asked for
        raise InputError(f"{keyword} cannot be read: {shown(str(error))}") from None
    return value if isinstance(value, MultiValue) else [value]


def whole(dataset: Dataset, keyword: str, default: int | None = None) -> int:
    """One whole number; `default`, when there is one, where the tag is absent."""
    if default is not None and text(dataset, keyword) == "":
        return default
    (number,) = numbers(dataset, keyword, 1)
    if number != int(number):
        raise InputError(f"{keyword} is {number}, not a whole number")
    return int(number)


def positive(dataset: Dataset, keyword: str) -> float | None:
    """One number above zero; None when the tag is absent or says nothing of use."""
    if text(dataset, keyword) == "":
        return None
    (number,) = numbers(dataset, keyword, 1)
    return number if number > 0 else None
