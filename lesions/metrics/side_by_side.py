"""A lesion's diameters measured in several ways, and how the ways differ over many lesions."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesions.lesion import Lesion
from lesions.metrics.paired import interval
from lesions.recist import Recist

HEATMAPS, PREDICTED, HUMAN, MARKS = "heat maps", "predicted mask", "human mask", "marks"
WAYS = (HEATMAPS, PREDICTED, HUMAN, MARKS)
AXES = ("long", "short")
COMPARED = (
    (HEATMAPS, HUMAN), (PREDICTED, HUMAN), (HEATMAPS, PREDICTED), (MARKS, HUMAN), (HEATMAPS, MARKS),
)  # fmt: skip
SAME_MM = 0.05  # marks this near to the human mask's own diameters were measured from it


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Diameters by one way less those by another, in mm, over the lesions that have both.

    Attributes:
        axis: "long" or "short".
        first, second: of `WAYS`.
        n: how many lesions have both; without any the rest is NaN.
        median, mean: signed.
        absolute: the mean of the absolute differences.
        mean_interval, absolute_interval: (low, high) of both means, 95 % over patients; None with
            fewer than three.
    """

    axis: str
    first: str
    second: str
    n: int
    median: float
    mean: float
    absolute: float
    mean_interval: tuple[float, float] | None = None
    absolute_interval: tuple[float, float] | None = None


def column(way: str, axis: str) -> str:
    """The name of a row's diameter: "heat_maps_long_mm"."""
    return f"{way.replace(' ', '_')}_{axis}_mm"


def side_by_side(lesion: Lesion, endpoints: Recist | None, part: NDArray[Any]) -> dict[str, float]:
    """Both diameters of a lesion in mm by every way of `WAYS`; NaN where a way gives none.

    Args:
        lesion: its marks are left out where they were measured from its human mask.
        endpoints: those of the heat maps; None where those of an axis coincide.
        part: (H, W), the predicted mask's part at the lesion.
    """
    human = _of_mask(lesion.mask("human"), lesion) if "human" in lesion.masks else None
    marks = lesion.recist.diameters_mm(lesion.spacing)
    copied = human is not None and np.allclose(marks, human, rtol=0, atol=SAME_MM)
    measured = {
        HEATMAPS: None if endpoints is None else endpoints.diameters_mm(lesion.spacing),
        PREDICTED: _of_mask(part, lesion),
        HUMAN: human,
        MARKS: None if copied else marks,
    }
    return {
        column(way, axis): value
        for way, found in measured.items()
        for axis, value in zip(AXES, found or (math.nan, math.nan), strict=True)
    }


def _of_mask(mask: NDArray[Any], lesion: Lesion) -> tuple[float, float] | None:
    if not (np.asarray(mask) == 1).any():
        return None
    return Recist.from_mask(mask, lesion.spacing).diameters_mm(lesion.spacing)


def differences(rows: Sequence[Mapping[str, Any]]) -> Iterator[Difference]:
    """Of each pair of ways that some lesion has, each axis.

    Args:
        rows: one a lesion, with the columns of `side_by_side`, or of some ways of it, and its
            `patient`.
    """
    ways = ways_of(rows)
    for first, second in COMPARED:
        if first not in ways or second not in ways:
            continue
        for axis in AXES:
            ours, theirs = (
                np.array([row[column(way, axis)] for row in rows], np.float64)
                for way in (first, second)
            )
            less = ours - theirs
            there = less[~np.isnan(less)]
            whose = [row["patient"] for row, one in zip(rows, less, strict=True) if one == one]
            if MARKS in (first, second) and not len(there):
                continue
            yield Difference(
                axis=axis,
                first=first,
                second=second,
                n=len(there),
                median=float(np.median(there)) if len(there) else math.nan,
                mean=float(there.mean()) if len(there) else math.nan,
                absolute=float(np.abs(there).mean()) if len(there) else math.nan,
                mean_interval=interval(there, whose),
                absolute_interval=interval(np.abs(there), whose),
            )


def without(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many lesions each way gives no diameters of."""
    return {
        way: sum(math.isnan(row[column(way, AXES[0])]) for row in rows) for way in ways_of(rows)
    }


def ways_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Those of `WAYS` that every row has the columns of."""
    return [way for way in WAYS if all(column(way, axis) in row for row in rows for axis in AXES)]
