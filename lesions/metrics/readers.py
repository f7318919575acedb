"""How far several readers' measurements of the same lesions are apart (STN + SHN, Table 1).

A reader is anybody who says four endpoints: a radiologist, or a system. Differences are of each
lesion that both measured; in pixels of the original slice as the paper has them, and in mm.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import mean

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lesions.metrics.measurement import diameters, endpoints
from lesions.metrics.paired import Which
from lesions.recist import Recist

AXES = ("long", "short")
LIMITS = 1.96  # deviations of the differences: Bland and Altman's 95 % of them
LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One reader's measurement of a lesion: endpoints, and (x, y, …) mm per pixel."""

    recist: Recist
    spacing: tuple[float, ...]


Readings = Mapping[Which, Reading]  # one reader's


LOCATIONS_MM = ("long_axis_location_mm", "short_axis_location_mm")


def errors(first: Readings, second: Readings) -> dict[Which, dict[str, float]]:
    """How far two readers are apart, of each lesion that both measured.

    Returns:
        Of each what `metrics.endpoints` and `metrics.diameters` give, in pixels and of lengths in
        mm; `LOCATIONS_MM`; and `turned`, the angle between the long axes in mm, degrees up to 90.
    """
    return {which: _errors(first[which], second[which]) for which in _both(first, second)}


def errors_over(own: Readings, others: Iterable[Readings]) -> dict[Which, dict[str, float]]:
    """`errors` against several readers: of each lesion the mean over those who read it."""
    apart = [errors(own, theirs) for theirs in others]
    every = sorted({which for one in apart for which in one})
    mine = {which: [one[which] for one in apart if which in one] for which in every}
    return {
        which: {name: mean(one[name] for one in some) for name in some[0]}
        for which, some in mine.items()
    }


def _errors(one: Reading, other: Reading) -> dict[str, float]:
    mm = endpoints(one.recist, other.recist, one.spacing[:2])
    locations = [mm[f"{axis}_axis_location_error"] for axis in AXES]
    return {
        **endpoints(one.recist, other.recist),
        **diameters(one.recist, other.recist, one.spacing),
        **dict(zip(LOCATIONS_MM, locations, strict=True)),
        "turned": _turned(one, other),
    }


def _turned(one: Reading, other: Reading) -> float:
    """Degrees between the long axes, which have no direction: 0 to 90."""
    ways = [(each.recist.points[1] - each.recist.points[0]) * each.spacing[:2]
            for each in (one, other)]  # fmt: skip
    (ax, ay), (bx, by) = ways
    return math.degrees(math.atan2(abs(ax * by - ay * bx), abs(ax * bx + ay * by)))


def _both(first: Readings, second: Readings) -> list[Which]:
    return sorted(first.keys() & second.keys())


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bland and Altman's limits of agreement of two readers' lengths of one axis.

    Attributes:
        axis: "long" or "short".
        n: lesions that both measured; without any the rest is NaN.
        bias_mm: the mean of the first's lengths less the second's.
        limits_mm: bias ± 1.96 deviations of the differences, (low, high); NaN of a single lesion.
    """

    axis: str
    n: int
    bias_mm: float
    limits_mm: tuple[float, float]


def limits(first: Readings, second: Readings) -> list[Limits]:
    """Of the long axis and the short one."""
    lengths = np.array([_lengths(of[which]) for which in _both(first, second)
                        for of in (first, second)]).reshape(-1, 2, len(AXES))  # fmt: skip
    less = lengths[:, 0] - lengths[:, 1]
    return [_limits(axis, less[:, at]) for at, axis in enumerate(AXES)]


def _limits(axis: str, less: NDArray[np.float64]) -> Limits:
    bias = float(less.mean()) if len(less) else np.nan
    reach = LIMITS * float(less.std(ddof=1)) if len(less) > 1 else np.nan
    return Limits(axis=axis, n=len(less), bias_mm=bias, limits_mm=(bias - reach, bias + reach))


def _lengths(reading: Reading) -> tuple[float, float]:
    return reading.recist.diameters_mm(reading.spacing)


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """ICC(2,1), two-way random, absolute agreement, of a single reader (McGraw & Wong 1996).

    Attributes:
        value: 1 where all say the same; NaN where nothing varies.
        interval: 95 %.
        lesions, readers: how many; lesions that some reader did not measure are left out.
    """

    value: float
    interval: tuple[float, float]
    lesions: int
    readers: int


def agreement(lengths: NDArray[np.float64]) -> Agreement:
    """The agreement of readers on lengths (lesions, readers); a row with a NaN is left out.

    Raises:
        ValueError: fewer than two lesions or readers.
    """
    given = lengths[np.isfinite(lengths).all(axis=1)]
    n, k = given.shape
    if n < 2 or k < 2:
        raise ValueError(f"agreement needs two lesions and two readers, not {n} and {k}")
    rows, columns, whole = given.mean(axis=1), given.mean(axis=0), given.mean()
    of_rows = k * np.square(rows - whole).sum() / (n - 1)
    of_columns = n * np.square(columns - whole).sum() / (k - 1)
    left = given - rows[:, None] - columns + whole
    of_error = np.square(left).sum() / ((n - 1) * (k - 1))
    below = of_rows + (k - 1) * of_error + k * (of_columns - of_error) / n
    if below == 0:
        return Agreement(value=np.nan, interval=(np.nan, np.nan), lesions=n, readers=k)
    value = float((of_rows - of_error) / below)
    interval = _interval(value, n, k, of_rows, of_columns, of_error)
    return Agreement(value=value, interval=interval, lesions=n, readers=k)


def _interval(
    value: float, n: int, k: int, of_rows: float, of_columns: float, of_error: float
) -> tuple[float, float]:
    """McGraw and Wong's, by Satterthwaite's degrees of freedom."""
    if of_error == 0 or value == 1:
        return value, value
    a = k * value / (n * (1 - value))
    b = 1 + k * value * (n - 1) / (n * (1 - value))
    mixed = a * of_columns + b * of_error
    freedom = mixed**2 / (
        (a * of_columns) ** 2 / (k - 1) + (b * of_error) ** 2 / ((n - 1) * (k - 1))
    )
    tail = (1 + LEVEL) / 2
    upper = stats.f.ppf(tail, n - 1, freedom)
    lower = stats.f.ppf(tail, freedom, n - 1)
    other = k * of_columns + (k * n - k - n) * of_error
    low = n * (of_rows - upper * of_error) / (upper * other + n * of_rows)
    high = n * (lower * of_rows - of_error) / (other + n * lower * of_rows)
    return float(low), float(high)


def lengths_mm(readers: Mapping[str, Readings], axis: str) -> NDArray[np.float64]:
    """(lesions, readers), mm, of every lesion that somebody measured; NaN where one did not."""
    which = sorted(set().union(*readers.values()))
    at = AXES.index(axis)
    return np.array([
        [_lengths(own[one])[at] if one in own else np.nan
         for own in readers.values()]
        for one in which
    ]).reshape(-1, len(readers))  # fmt: skip
