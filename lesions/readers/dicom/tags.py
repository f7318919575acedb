"""Reading a data set's tags: present and of the right kind, or refused by name."""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import Tag

from lesions.errors import InputError, shown

# Bytes of one tag's value: a list of numbers as long as the header takes minutes and gigabytes.
_MOST_VALUE = 4096


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turn whatever a damaged file makes pydicom raise into an InputError with the file's name."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # values that break a rule but can be read
            yield
    except InputError as error:
        raise InputError(error.reason, file=path, remedy=error.remedy) from None
    except FileNotFoundError:
        raise InputError("there is no such file", file=path) from None
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror or shown(str(error))}", file=path
        ) from None
    except RecursionError:
        raise InputError("its sequences are nested too deep", file=path) from None
    except Exception as error:  # pydicom raises many kinds on a damaged file
        kind = type(error).__name__
        raise InputError(
            f"the DICOM file is damaged: {shown(str(error)) or kind}", file=path
        ) from None


def text(dataset: Dataset, keyword: str) -> str:
    """A tag as text, several values joined by a backslash; "" when absent."""
    return "\\".join("" if one is None else str(one).strip() for one in _values(dataset, keyword))


def items(dataset: Dataset, keyword: str) -> Sequence[Dataset]:
    """A sequence's data sets; none when it is absent. `open_dicom` has parsed it."""
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
    raw = dataset.get_item(Tag(keyword))
    if isinstance(raw, RawDataElement) and len(raw.value or b"") > _MOST_VALUE:
        raise InputError(f"{keyword} has {raw.length} bytes")
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
