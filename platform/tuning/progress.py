"""How far a search has come, what it costs, and how long it may still take: a line now and then."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from dashboards.tables.metrics import metric_of
from dashboards.tables.terminal import say
from platform.tuning.course import Course
from platform.tuning.sweeps import Room
from platform.tuning.trials import Trial, trained_seconds

EVERY_S = 30.0


@dataclass
class Progress:
    """What is said of a search while it runs.

    Attributes:
        course: what is under way.
        room: what a trial takes.
        began: when this driver did, by the monotonic clock.
    """

    course: Course
    room: Room
    began: float = field(default_factory=time.monotonic)
    said_at: float = field(default_factory=time.monotonic)
    said: str = ""
    estimated: bool = False
    took: dict[int, float] = field(default_factory=dict)

    def ended(self, trial: Trial) -> None:
        """A trial has ended; after the first whole one the cost of all is estimated."""
        # Without the start of its process, which later trials take over.
        each = trained_seconds(trial.folder.history())
        self.took[trial.number] = each
        if trial.state == "finished" and not self.estimated:
            self.estimated = True
            if left := self._left():
                say(f"  a whole trial trains {in_words(each)}: with none stopped early, "
                    f"{self._cost(each * left)} more for {left} trials, "
                    f"{in_words(self._time(each))} at {self.course.concurrent} a time")  # fmt: skip

    def look(self) -> None:
        """Say how far it is, if there is news and the last time is a while ago."""
        now = time.monotonic()
        if now - self.said_at < EVERY_S:
            return
        self.said_at = now
        line = self.line()
        if line != self.said:
            self.said = line
            say(line)

    def line(self) -> str:
        """Running trials with their epoch, the best so far, and the time left."""
        trials = self.course.trials
        running = sorted(self.course.running.values(), key=lambda one: one.number)
        parts = [", ".join(_where(one, trials.sweep.epochs) for one in running) or "none runs"]
        merit = trials.sweep.system.merit
        ranked = [one for one in trials.all.values() if one.state == "finished"]
        if ranked:
            best = min(ranked, key=lambda one: merit.rank(one.last.get(merit.best)))
            words = metric_of(merit.name).words
            parts.append(f"best so far {best.last[merit.best]:.3f} {words} (trial {best.number})")
        if self.took:
            parts.append(f"about {in_words(self._time(_mean([*self.took.values()])))} left")
        return "  " + "; ".join(parts)

    def _left(self) -> int:
        trials = self.course.trials
        return max(0, trials.sweep.trials - trials.ended())

    def _time(self, each: float) -> float:
        """Seconds until all have ended, where each takes as long."""
        running = self.course.running.values()
        spent = sum(min(one.held_s, each) for one in running)
        return max(0.0, self._left() * each - spent) / max(1, self.course.concurrent)

    def _cost(self, seconds: float) -> str:
        return cost_words(seconds, self.room.trial)


def cost_words(seconds: float, resources: dict[str, float]) -> str:
    """Core-hours and GPU-hours of a trial's share of the cluster, held for so long."""
    hours = seconds / 3600
    words = f"{hours * resources.get('CPU', 0):.2g} core-hours"
    gpus = hours * resources.get("GPU", 0)
    return f"{words} and {gpus:.2g} GPU-hours" if gpus else words


def in_words(seconds: float) -> str:
    """A duration to two figures.

    >>> [in_words(s) for s in (4.2, 75, 3725, 200000)]
    ['4 s', '1 min 15 s', '1 h 2 min', '56 h']
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 10 and minutes else f"{hours} h"


def _where(trial: Trial, epochs: int) -> str:
    return f"trial {trial.number} epoch {trial.epochs}/{epochs}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
