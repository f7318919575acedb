"""What a sweep's trials are judged by: the system's figure of merit, or several figures at once."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lesions import InputError
from lesions.metrics.merit import Merit

_WORDS = re.compile(r"(\w+):(max|min)")
_BOUND = re.compile(r"(\w+)(<=|>=)(.+)")


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One figure and its direction.

    Attributes:
        metric: of an epoch's metrics.
        mode: which way it gets better.
    """

    metric: str
    mode: Literal["max", "min"]

    @property
    def direction(self) -> str:
        """As Optuna has it."""
        return f"{self.mode}imize"


def goals_of(merit: Merit, said: Sequence[str]) -> list[Goal]:
    """What `--objective` says, as METRIC:max or METRIC:min; without it the merit's best value.

    Raises:
        InputError: a word of it is none, or a metric comes twice.
    """
    if not said:
        return [Goal(metric=merit.best, mode=merit.mode)]
    found = []
    for word in said:
        match = _WORDS.fullmatch(word)
        if match is None:
            raise InputError(
                f"--objective {word!r} is not METRIC:max or METRIC:min",
                remedy=f"as {merit.validated}:{merit.mode} epoch_seconds:min",
            )
        found.append(Goal(metric=match[1], mode="max" if match[2] == "max" else "min"))
    if len({goal.metric for goal in found}) < len(found):
        raise InputError("--objective has a metric twice")
    return found


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """A bound that a trial's figure has to keep, to be the best.

    Attributes:
        metric: of an epoch's metrics.
        bound: the most that it may be, or the least.
        least: whether it is the least.
    """

    metric: str
    bound: float
    least: bool

    def excess(self, value: float) -> float:
        """By how much it is broken; 0 or less where it is kept."""
        return self.bound - value if self.least else value - self.bound


def constraints_of(said: Sequence[str]) -> list[Constraint]:
    """What `--constraint` says, as METRIC<=NUMBER; InputError for a word that is none."""
    found = []
    for word in said:
        match = _BOUND.fullmatch(word)
        try:
            bound = math.nan if match is None else float(match[3])
        except ValueError:
            bound = math.nan
        if match is None or not math.isfinite(bound):
            raise InputError(f"--constraint {word!r} is not METRIC<=NUMBER or METRIC>=NUMBER")
        found.append(Constraint(metric=match[1], bound=bound, least=match[2] == ">="))
    return found


def judged_epoch(
    goals: Sequence[Goal], merit: Merit, history: Sequence[Mapping[str, float]]
) -> Mapping[str, float]:
    """The metrics that a whole trial is judged by.

    By the merit alone they are the last's, which have its best value; else those of the epoch whose
    model is kept: the last phase's best by the merit.
    """
    last = history[-1]
    if [goal.metric for goal in goals] == [merit.best]:
        return last
    of_phase = [one for one in history if one.get("phase") == last.get("phase")]
    return min(of_phase, key=lambda one: merit.rank(one.get(merit.validated)))


def values_of(metrics: Sequence[str], epoch: Mapping[str, float]) -> tuple[list[float], str]:
    """A trial's values of these metrics; and why it has none, where it has none."""
    found = []
    for name in metrics:
        value = epoch.get(name, math.nan)
        if not math.isfinite(value):
            known = ", ".join(sorted(epoch))
            return [], f"it has no {name}, by which it is judged; it has {known}"
        found.append(float(value))
    return found, ""
