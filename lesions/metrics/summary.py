"""One row per lesion in, mean and standard deviation out."""

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Mean and standard deviation (population) of every metric over the rows.

    A NaN, or a row that lacks the metric, is left out of that metric. Columns that hold anything
    but numbers (a file name, a lesion type) are no metrics.

    Returns:
        `<name>` the mean, `<name>_std`, and `n` the number of rows; `<name>_n` how many of them
        had the metric, only where some had not. Where none had, mean and deviation are NaN.
    """
    result = {"n": float(len(rows))}
    for name in dict.fromkeys(name for row in rows for name in row):
        column = [row[name] for row in rows if name in row]
        if not all(isinstance(value, Real) for value in column):
            continue
        values = np.array(column, dtype=np.float64)
        values = values[~np.isnan(values)]
        result[name] = float(values.mean()) if len(values) else float("nan")
        result[f"{name}_std"] = float(values.std()) if len(values) else float("nan")
        if len(values) < len(rows):
            result[f"{name}_n"] = float(len(values))
    return result


def summary_by(rows: Sequence[Mapping[str, Any]], key: str) -> dict[Any, dict[str, float]]:
    """`summary` of the rows that share a value of the column `key`, in order of first appearance.

    Raises:
        KeyError: a row lacks the column.
    """
    groups: dict[Any, list[Mapping[str, Any]]] = {}
    for row in rows:
        rest = {name: value for name, value in row.items() if name != key}
        groups.setdefault(row[key], []).append(rest)
    return {value: summary(group) for value, group in groups.items()}
