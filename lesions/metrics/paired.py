"""One method less another on the same lesions: over seeds, with an interval over patients."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

DRAWS, LEVEL = 10_000, 0.95
DRAWS_SEED = 0
LEAST_PATIENTS = 3  # of fewer, an interval would be no more than their own means
_AT_ONCE = 1 << 22  # patients drawn at once: what bounds the memory with thousands of them


class Which(NamedTuple):
    """Which lesion a measurement is of."""

    patient: str
    file: str
    row: str


def which_of(row: Mapping[str, Any], before: str = "") -> Which:
    """Which lesion a recorded row is of.

    Args:
        row: has `patient`, `file` and `row`; what it lacks is "".
        before: what tells its patients and files from those of another set.
    """
    patient, file, number = (str(row.get(name, "")) for name in Which._fields)
    return Which(f"{before}{patient}", f"{before}{file}", number)


Measured = Mapping[int, Mapping[Which, float]]  # by seed, by lesion; NaN is not measured


@dataclass(frozen=True, kw_only=True)
class Paired:
    """A metric by one method less that by another, over the lesions that both measured.

    Attributes:
        difference: the mean over lesions of each one's mean over the seeds; NaN without lesions.
        interval: (low, high), 95 % over patients; None with fewer than three.
        by_seed: the mean over lesions with each seed alone, in the order of the seeds.
        lesions, patients: how many.
        left_out: lesions that one of the methods did not measure with one of the seeds.
    """

    difference: float
    interval: tuple[float, float] | None
    by_seed: Sequence[float]
    lesions: int
    patients: int
    left_out: int

    @property
    def sign(self) -> int:
        """1 or −1 where the interval excludes zero, else 0."""
        if self.interval is None:
            return 0
        low, high = self.interval
        return int(low > 0) - int(high < 0)

    @property
    def agreed(self) -> bool:
        """Whether the difference has the same sign with every seed."""
        return len({np.sign(one) for one in self.by_seed}) == 1


def paired(first: Measured, second: Measured) -> Paired:
    """What `first` has more than `second`, over the seeds that both have; there must be one."""
    seeds = [seed for seed in first if seed in second]
    sides = [_lesions(side[seed]) for side in (first, second) for seed in seeds]
    common = sorted(set.intersection(*sides))
    left_out = len(set.union(*sides)) - len(common)
    # (seeds, lesions)
    less = np.array(
        [[first[seed][one] - second[seed][one] for one in common] for seed in seeds], np.float64
    )
    patients = [one.patient for one in common]
    return Paired(
        difference=float(less.mean()) if common else math.nan,
        interval=interval(less.mean(axis=0), patients) if common else None,
        by_seed=[float(one.mean()) if common else math.nan for one in less],
        lesions=len(common),
        patients=len(set(patients)),
        left_out=left_out,
    )


def interval(values: NDArray[Any], patients: Sequence[str]) -> tuple[float, float] | None:
    """The 95 % percentile interval of a mean over lesions, by a bootstrap over patients.

    A patient is drawn with all of its lesions, so that many lesions of few patients do not look
    like many. The draws are the same each time.

    Args:
        values: (n,), one a lesion.
        patients: whose each is.

    Returns:
        (low, high); None with fewer than `LEAST_PATIENTS`.
    """
    found = intervals(np.asarray(values)[:, None], patients)
    return None if found is None else (float(found[0, 0]), float(found[0, 1]))


def intervals(values: NDArray[Any], patients: Sequence[str]) -> NDArray[np.float64] | None:
    """`interval` of several columns at once, by the same draws: low and high of each.

    They are those of `scipy.stats.bootstrap`, which draws anew for each column.

    Args:
        values: (n, m), one row a lesion.
        patients: whose each row is.

    Returns:
        (m, 2); None with fewer than `LEAST_PATIENTS`.
    """
    _, whose = np.unique(np.array(patients), return_inverse=True)
    counts = np.bincount(whose)
    if len(counts) < LEAST_PATIENTS:
        return None
    totals = [np.bincount(whose, weights=column) for column in values.T]
    means = np.concatenate(list(_drawn_means(np.column_stack([*totals, counts]))))
    ends = (1 - LEVEL) / 2, (1 + LEVEL) / 2
    found: NDArray[np.float64] = np.quantile(means, ends, axis=0).T
    return found


def _drawn_means(sums: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Of `DRAWS` draws of as many patients as there are, some at a time: (draws, m).

    Args:
        sums: (patients, m + 1), each patient's totals and, last, its count.
    """
    rng, patients = np.random.default_rng(DRAWS_SEED), len(sums)
    most = max(1, _AT_ONCE // patients)
    for first in range(0, DRAWS, most):
        draws = min(most, DRAWS - first)
        drawn = rng.integers(0, patients, (draws, patients))
        drawn += patients * np.arange(draws)[:, None]
        # How often each patient is drawn: (draws, patients).
        times = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        found = times.astype(np.float64) @ sums
        yield found[:, :-1] / found[:, -1:]


def _lesions(measured: Mapping[Which, float]) -> set[Which]:
    return {which for which, value in measured.items() if not math.isnan(value)}
