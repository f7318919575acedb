"""Numbers that MLflow holds: tags and params are text, and anybody may have written them."""

from datetime import UTC, datetime, tzinfo
from typing import Any

LARGEST = 1e13  # nothing measured is beyond; plots and tables would overflow


def number_of(value: Any) -> float | None:
    """The number that a text or a metric is; None where it is none, not finite, or beyond 1e13."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) <= LARGEST else None  # NaN is not


def count_of(value: Any) -> int | None:
    """The whole number, 0 or more, that a text or a metric is; else None."""
    number = number_of(value)
    return int(number) if number is not None and number >= 0 and number.is_integer() else None


def time_of(milliseconds: Any, form: str, zone: tzinfo | None = UTC) -> str | None:
    """A time of MLflow's (since 1970) in words; None where it is none.

    Args:
        milliseconds: the time.
        form: as of strftime.
        zone: None is this machine's.
    """
    number = number_of(milliseconds)
    if number is None:
        return None
    try:
        return datetime.fromtimestamp(number / 1000, zone).strftime(form)
    except (ValueError, OverflowError, OSError):
        return None
