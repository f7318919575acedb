"""One row per lesion in, mean, deviation and interval out."""

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesions.metrics.paired import intervals


class Mean(NamedTuple):
    """A metric's mean over lesions, as tables and pages show it.

    Attributes:
        mean: over the lesions that have the metric.
        std: their population standard deviation; None where it is not known.
        interval: the mean's 95 % interval over patients, (low, high); None where there is none.
        lacking: how many lesions have no value, as a distance of what was not found; `of` how many.
    """

    mean: float
    std: float | None = None
    interval: tuple[float, float] | None = None
    lacking: int = 0
    of: int = 0


def summary(
    rows: Sequence[Mapping[str, Any]], patients: Sequence[str] | None = None
) -> dict[str, float]:
    """Mean and standard deviation (population) of every metric over the rows.

    A NaN, or a row that lacks the metric, is left out of that metric. Columns that hold anything
    but numbers (a file name, a lesion type) are no metrics.

    Args:
        rows: one a lesion.
        patients: whose each row is.

    Returns:
        `<name>` the mean, `<name>_std`, and `n` the number of rows; `<name>_n` how many of them
        had the metric, only where some had not. Where none had, mean and deviation are NaN. With
        `patients` their number, and `<name>_low` and `<name>_high`, the mean's 95 % interval over
        patients: absent with fewer than three that have the metric, and where all of them are
        alike, which is no certainty.
    """
    columns, result = _columns(rows), {"n": float(len(rows))}
    ends: dict[str, tuple[float, float]] = {}
    if patients is not None:
        result["patients"] = float(len(set(patients)))
        ends = _intervals(columns, patients)
    for name, column in columns.items():
        values = column[~np.isnan(column)]
        result[name] = float(values.mean()) if len(values) else math.nan
        result[f"{name}_std"] = float(values.std()) if len(values) else math.nan
        if len(values) < len(rows):
            result[f"{name}_n"] = float(len(values))
        if name in ends:
            result[f"{name}_low"], result[f"{name}_high"] = ends[name]
    return result


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[np.float64]]:
    """Each metric's values, one a row; NaN where a row has none."""
    found = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        column = [row.get(name, math.nan) for row in rows]
        if all(isinstance(value, Real) for value in column):
            found[name] = np.array(column, dtype=np.float64)
    return found


def _intervals(
    columns: Mapping[str, NDArray[np.float64]], patients: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Of each metric that has one; those that the same rows have share their draws."""
    alike: dict[bytes, list[str]] = {}
    for name, column in columns.items():
        alike.setdefault(np.isnan(column).tobytes(), []).append(name)
    found: dict[str, tuple[float, float]] = {}
    for names in alike.values():
        values = np.column_stack([columns[name] for name in names])
        there = ~np.isnan(values[:, 0])
        whose = [patient for patient, has in zip(patients, there, strict=True) if has]
        ends = intervals(values[there], whose)
        if ends is not None:
            found |= {name: (float(low), float(high))
                      for name, (low, high) in zip(names, ends, strict=True)
                      if not math.isclose(low, high)}  # fmt: skip
    return found


def summary_by(
    rows: Sequence[Mapping[str, Any]], key: str, patients: Sequence[str] | None = None
) -> dict[Any, dict[str, float]]:
    """`summary` of the rows that share a value of the column `key`, in order of first appearance.

    Raises:
        KeyError: a row lacks the column.
    """
    places: dict[Any, list[int]] = {}
    for at, row in enumerate(rows):
        places.setdefault(row[key], []).append(at)
    found = {}
    for value, mine in places.items():
        rest = [{name: x for name, x in rows[at].items() if name != key} for at in mine]
        whose = None if patients is None else [patients[at] for at in mine]
        found[value] = summary(rest, whose)
    return found
