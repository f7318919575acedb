"""One method less another on the same lesions: over seeds, with an interval over patients."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

DRAWS, LEVEL = 10_000, 0.95
DRAWS_SEED = 0
_BATCH = 1_000  # draws at once: what bounds the memory with thousands of patients


class Which(NamedTuple):
    """Which lesion a measurement is of."""

    patient: str
    file: str
    row: str


Measured = Mapping[int, Mapping[Which, float]]  # by seed, by lesion; NaN is not measured


@dataclass(frozen=True, kw_only=True)
class Paired:
    """A metric by one method less that by another, over the lesions that both measured.

    Attributes:
        difference: the mean over lesions of each one's mean over the seeds; NaN without lesions.
        interval: (low, high), 95 % over patients; None with fewer than two.
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
        (low, high); None with fewer than two patients.
    """
    _, whose = np.unique(np.array(patients), return_inverse=True)
    totals, counts = np.bincount(whose, weights=values), np.bincount(whose)
    if len(totals) < 2:
        return None
    found = bootstrap(
        (totals, counts), _mean, paired=True, vectorized=True, n_resamples=DRAWS, batch=_BATCH,
        confidence_level=LEVEL, method="percentile", rng=DRAWS_SEED,
    ).confidence_interval  # fmt: skip
    return float(found.low), float(found.high)


def _mean(totals: NDArray[Any], counts: NDArray[Any], axis: int = -1) -> NDArray[Any]:
    mean: NDArray[Any] = totals.sum(axis=axis) / counts.sum(axis=axis)
    return mean


def _lesions(measured: Mapping[Which, float]) -> set[Which]:
    return {which for which, value in measured.items() if not math.isnan(value)}
