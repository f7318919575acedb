"""What a sweep's trials are judged by: the system's figure of merit, or several figures at once."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lesions import InputError
from lesions.metrics.merit import Merit

_WORDS = re.compile(r"(\w+):(max|min)")


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
                remedy=f"as {merit.validated}:{merit.mode} seconds_per_lesion:min",
            )
        found.append(Goal(metric=match[1], mode="max" if match[2] == "max" else "min"))
    if len({goal.metric for goal in found}) < len(found):
        raise InputError("--objective has a metric twice")
    return found


def values_at_best(
    goals: Sequence[Goal], merit: Merit, history: Sequence[Mapping[str, float]]
) -> tuple[list[float], str]:
    """A whole trial's values of the goals; and why it has none, where it has none.

    Of several goals they are those of the epoch whose model is kept: the last phase's best by the
    merit.
    """
    last = history[-1]
    epoch: Mapping[str, float] = last
    if [goal.metric for goal in goals] != [merit.best]:
        of_phase = [one for one in history if one.get("phase") == last.get("phase")]
        epoch = min(of_phase, key=lambda one: merit.rank(one.get(merit.validated)))
    found = []
    for goal in goals:
        value = epoch.get(goal.metric, math.nan)
        if not math.isfinite(value):
            known = ", ".join(sorted(epoch))
            return [], f"it has no {goal.metric}, which is an objective; it has {known}"
        found.append(float(value))
    return found, ""
