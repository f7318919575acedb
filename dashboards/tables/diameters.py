"""Diameters from heat maps, masks and marks: tables of them and of how they differ."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dashboards.tables.comparison import MISSING, with_interval
from lesions.metrics.side_by_side import AXES, HUMAN, MARKS, column, differences, without

Row = Mapping[str, Any]
Cells = tuple[list[str], list[list[str]]]


def diameter_cells(rows: Sequence[Row]) -> Cells:
    """A row each way: how many lesions it gives diameters of, and their median and mean."""
    heading = ["Diameters from", "n", "none"]
    heading += [f"{axis}, {what}" for axis in AXES for what in ("median", "mean")]
    cells, absent = [], without(rows)
    for way, lacking in absent.items():
        if way == MARKS and lacking == len(rows):
            continue
        line = [way, str(len(rows) - lacking), str(lacking)]
        for axis in AXES:
            values = np.array([row[column(way, axis)] for row in rows], np.float64)
            values = values[~np.isnan(values)]
            line += [_mm(np.median(values)), _mm(values.mean())] if len(values) else [MISSING] * 2
        cells.append(line)
    return heading, cells


def difference_cells(rows: Sequence[Row]) -> Cells:
    """A row each two ways and axis: median and mean are signed, absolute is a mean.

    Means have their 95 % intervals over patients, where there are enough.
    """
    heading = ["Difference", "Axis", "n", "median", "mean", "absolute"]
    cells = [
        [f"{one.first} − {one.second}", one.axis, str(one.n), _signed(one.median),
         with_interval(_known(one.mean), one.mean_interval, 1, "+"),
         with_interval(_known(one.absolute), one.absolute_interval, 1)]
        for one in differences(rows)
    ]  # fmt: skip
    return heading, cells


def diameter_metrics(rows: Sequence[Row]) -> dict[str, float]:
    """For MLflow: "long_heat_maps_minus_human_mask_median_mm", "_mean_mm", "_abs_mm", "_n".

    The intervals of both means are "_mean_low_mm", "_mean_high_mm" and so on.
    """
    found: dict[str, float] = {}
    for one in differences(rows):
        name = f"{one.axis}_{one.first}_minus_{one.second}".replace(" ", "_")
        found |= {
            f"{name}_median_mm": one.median, f"{name}_mean_mm": one.mean,
            f"{name}_abs_mm": one.absolute, f"{name}_n": float(one.n),
        }  # fmt: skip
        for mean, ends in (("mean", one.mean_interval), ("abs", one.absolute_interval)):
            found |= {f"{name}_{mean}_{end}_mm": value
                      for end, value in zip(("low", "high"), ends or (), strict=False)}  # fmt: skip
    return found


def diameter_notes(rows: Sequence[Row]) -> Iterator[str]:
    """What a reader has to know to read the tables of diameters."""
    absent = without(rows)
    for way, count in absent.items():
        if count and way != MARKS:
            yield f"No diameters from the {way}: {count} of {len(rows)} lesions."
    own = len(rows) - absent[MARKS]
    if rows and own < len(rows) - absent[HUMAN]:
        yield (
            f"{len(rows) - own} of {len(rows)} lesions have no RECIST marks of their own: theirs "
            "were measured from the human masks."
        )


def _mm(value: float) -> str:
    return MISSING if math.isnan(value) else f"{value:.1f}"


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _signed(value: float) -> str:
    return MISSING if math.isnan(value) else f"{value:+.1f}"
