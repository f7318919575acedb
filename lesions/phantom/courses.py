"""How made lesions change from one time point to the next. Nothing here is measured: it is chosen.

A patient has a trend, the lesions of a patient follow it, each with a deviation of its own. A
lesion keeps its shape, its tissue and its place; what changes is its size, by a known factor.
"""

from dataclasses import dataclass

import numpy as np

# Logarithm of the volume's factor from one time to the next: ±0.4 is a ball's diameter by 14 %.
TREND, OWN = 0.4, 0.25
SMALLEST, LARGEST = 0.03, 4.0  # of the first volume: a diameter from 0.31 to 1.59 of the first
VANISHING = 0.08  # how often a lesion is gone at the next time
NEW = 0.12  # new lesions at each time, by those that the series began with


@dataclass(frozen=True, kw_only=True)
class Course:
    """A lesion's volume over time.

    Attributes:
        factors: by time, of the volume where the lesion is first there; 0 where it is not.
    """

    factors: tuple[float, ...]

    @property
    def largest(self) -> float:
        """The largest factor."""
        return max(self.factors)

    @property
    def first(self) -> int:
        """The first time at which the lesion is there, counted from 0."""
        return next(time for time, factor in enumerate(self.factors) if factor)

    def status(self, time: int, *, there: bool) -> str:
        """What a follow-up says of it.

        Args:
            time: counted from 0.
            there: whether it could be marked then.
        """
        if there:
            return "new" if time == self.first and time else "present"
        return "not yet" if time < self.first else "vanished"


def draw_trend(random: np.random.Generator) -> float:
    """The mean logarithm of the factors of a patient's lesions."""
    return float(random.normal(0, TREND))


def draw_course(
    times: int, trend: float, random: np.random.Generator, first: int = 0, *, lasting: bool = False
) -> Course:
    """A course.

    Args:
        times: how many there are.
        trend: the patient's.
        random: the source.
        first: when the lesion is first there, counted from 0.
        lasting: whether it never vanishes.
    """
    factors, size = [0.0] * first + [1.0], 1.0
    for _ in range(first + 1, times):
        gone = random.uniform() < VANISHING
        size *= float(np.exp(random.normal(trend, OWN)))
        size = min(max(size, SMALLEST), LARGEST)
        factors.append(size if factors[-1] and (lasting or not gone) else 0.0)
    return Course(factors=tuple(factors))
