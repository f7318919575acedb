"""Whether values can be HU, by their range: scaled or shifted ones give sizes that look right."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from lesions.errors import InputError

AIR, LEAST = -1024, -1100  # HU: what lies below the second fills the room outside of the view
REMEDY = "convert them to HU; if they are HU, say --values-are-hu"
NARROW = 20  # HU about 0: noise alone is wider


def not_hu(values: NDArray[Any]) -> str:
    """What values of a whole image are, where they cannot be HU; else "".

    A CT has air or fat, below 0, but for a few crops. One value everywhere tells nothing.

    Args:
        values: whole numbers.
    """
    low, high = int(values.min()), int(values.max())
    if low == high:
        return ""
    if high < AIR:
        return _said(low, high, "all below air: another offset than the format's")
    if low < LEAST:
        low = int(values.min(where=values >= LEAST, initial=high))
    if low >= 0 and high <= 1:
        return _said(low, high, "as scaled to 0…1")
    if low >= -NARROW and high <= NARROW:
        return _said(low, high, "as scaled to −1…1 or by their deviation")
    if low >= 0 and high <= 255:
        return _said(low, high, "as the grey levels of a picture, 0…255")
    if low >= 0:
        return _said(low, high, "as stored with an offset, of 1024 mostly")
    return ""


def check_hu(values: NDArray[Any], file: Path) -> None:
    """InputError where values of a whole image cannot be HU; see `not_hu`."""
    if reason := not_hu(values):
        raise InputError(reason, file=file, remedy=REMEDY)


def _said(low: int, high: int, kind: str) -> str:
    return f"values of {low} to {high} are no HU, where air is -1000 and fat -100: {kind}"
