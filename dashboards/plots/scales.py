"""A searched parameter's values along an axis from 0 to 1: numbers, in steps of ten, or choices."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import Locator, LogLocator, MaxNLocator

from dashboards.recorded.numbers import number_of
from dashboards.tables.comparison import short_number

LOG_FROM = 30.0  # a searched range whose ends differ by this factor is drawn on a log axis
ROUNDED = 1e-9  # of the axis: what powers of ten may be off by
MOST_STEPS = 4  # values that are all named on an axis
LONGEST = 14  # letters of a choice on an axis


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Where values lie on an axis.

    Attributes:
        low, high: the ends, of numbers.
        log: whether each step is a factor.
        choices: the values, where they are no numbers.
        steps: the numbers, where they are few.
    """

    low: float = 0.0
    high: float = 0.0
    log: bool = False
    choices: Sequence[str] = ()
    steps: Sequence[float] = ()

    @property
    def varies(self) -> bool:
        """Whether there is more than one value."""
        return len(self.choices) > 1 or self.high > self.low

    def place(self, text: str | float) -> float | None:
        """From 0 to 1; None of what is no value of this scale."""
        if self.choices:
            return self._between(self.choices.index(text)) if text in self.choices else None
        number = number_of(text)
        return None if number is None or (self.log and number <= 0) else self._between(number)

    def ticks(self, most: int = 4) -> list[tuple[float, str]]:
        """(place, words) of values to name, the ends' own where nothing rounder lies between."""
        if self.choices:
            return [(self._between(n), _cut(one)) for n, one in enumerate(self.choices)]
        if not self.varies:
            return [(0.5, f"{self.low:.4g}")]
        if self.steps:
            return [(self._between(x), f"{x:.4g}") for x in self.steps]
        tens, between = (LogLocator(subs=subs, numticks=most) for subs in ((1.0,), (1.0, 2.0, 5.0)))
        locators = (tens, between) if self.log else (MaxNLocator(most),)
        tried = (self._inside(locator) for locator in locators)
        named = next((found for found in tried if len(found) > 1), [self.low, self.high])
        return [(self._between(x), f"{x:.4g}") for x in named]

    def _inside(self, locator: Locator) -> list[float]:
        places = {float(x): self.place(float(x)) for x in locator.tick_values(self.low, self.high)}
        return [x for x, at in places.items() if at is not None and -ROUNDED < at < 1 + ROUNDED]

    def _between(self, number: float) -> float:
        if self.choices:
            return 0.5 if len(self.choices) == 1 else number / (len(self.choices) - 1)
        if not self.varies:
            return 0.5
        low, high, x = self.low, self.high, number
        if self.log:
            low, high, x = (float(np.log(one)) for one in (low, high, x))
        return (x - low) / (high - low)


def scale_of(texts: Sequence[str]) -> Scale:
    """The scale of a parameter's values, as MLflow's text."""
    numbers = [number for text in texts if (number := number_of(text)) is not None]
    if len(numbers) < len(texts) or not numbers:
        return Scale(choices=list(dict.fromkeys(texts)))
    return scale_of_numbers(numbers)


def scale_of_numbers(numbers: Sequence[float], may_be_log: bool = True) -> Scale:
    """The scale from the lowest to the highest."""
    low, high = min(numbers), max(numbers)
    log = may_be_log and low > 0 and high / low >= LOG_FROM
    steps = sorted(set(numbers))
    few = len(steps) <= MOST_STEPS < len(numbers)
    return Scale(low=low, high=high, log=log, steps=steps if few else ())


def _cut(text: str) -> str:
    words = short_number(text)
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"
