"""What the terminal table and the report show of one sweep."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dashboards.recorded.numbers import count_of, number_of
from lesions.metrics.merit import DICE, Merit

LONGEST = 150  # bytes of a file's name in a picture's
_NO_NAME = re.compile(r"[^\w.+-]")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One trial of a sweep.

    Attributes:
        number: 0, 1, … in the order of starting.
        trial_id: the sweep's own name for it.
        state: "finished", "pruned", "failed", "interrupted" or "running".
        searched: the searched parameters, by name, as MLflow's text.
        history: (epoch, value) in order, by metric name.
        lesions, patients: what it was validated on; None where that is not known.
        values: of the sweep's objectives that it has, by the metric's name.
        started, ended: milliseconds since 1970; None where nobody said, or while it runs.
        resources: what it held, all of its workers, by kind: "CPU", "GPU"; empty where not known.
        busy_s: for how long it held them, in seconds.
        images_per_second: that it learned from, in its last epoch, all of its workers.
        reason: why it failed, in a line; else "".
        breaks: the constraints that it does not keep, in a line; else "".
    """

    number: int
    trial_id: str
    state: str
    searched: Mapping[str, str]
    history: Mapping[str, list[tuple[int, float]]]
    lesions: int | None = None
    patients: int | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    started: float | None = None
    ended: float | None = None
    resources: Mapping[str, float] = field(default_factory=dict)
    busy_s: float | None = None
    images_per_second: float | None = None
    reason: str = ""
    breaks: str = ""

    def best_value(self, merit: Merit) -> float | None:
        """The validation figure of the model that is kept: the best of the last phase's epochs.

        The best of all epochs where the trial's own word for it is not there.
        """
        said = self.history.get(merit.best)
        if said and said[-1][1] != merit.worst:
            return said[-1][1]
        values = [x for _, x in self.history.get(merit.validated, ()) if number_of(x) is not None]
        return min(values, key=merit.rank, default=None)

    def best_interval(self, merit: Merit) -> tuple[float, float] | None:
        """The 95 % interval of `best_value` over the validation patients, where it was told."""
        best = self.best_value(merit)
        at = [step for step, value in self.history.get(merit.validated, ()) if value == best]
        ends = [dict(self.history.get(name, ())).get(at[-1]) if at else None for name in merit.ends]
        low, high = ends
        return None if low is None or high is None else (low, high)

    @property
    def seconds(self) -> float | None:
        """How long it took: what it was busy; else from start to end, where both are known."""
        if self.busy_s is not None or self.started is None or self.ended is None:
            return self.busy_s
        return max(0.0, self.ended - self.started) / 1000

    def hours_of(self, kind: str) -> float | None:
        """Core-hours ("CPU") or GPU-hours ("GPU") that it held; None where that is not known."""
        if self.busy_s is None or not self.resources:
            return None
        return self.resources.get(kind, 0.0) * self.busy_s / 3600

    @property
    def epochs(self) -> int:
        """How many epochs it reported."""
        return max((len(points) for points in self.history.values()), default=0)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What the best trial has to beat, measured on the same test lesions."""

    method: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class LesionResult:
    """The best trial's result on one test lesion.

    Attributes:
        metrics: by name; what could not be measured is absent.
        long_axis_mm, short_axis_mm: the true diameters, None where they are not known.
    """

    file: str
    row: int
    patient: str
    lesion_type: str
    metrics: Mapping[str, float]
    long_axis_mm: float | None = None
    short_axis_mm: float | None = None


@dataclass(frozen=True, kw_only=True)
class SweepView:
    """All that the terminal table and the report show of one sweep.

    Attributes:
        tags: the parent run's `lesion.*` tags without their prefix.
        config: the best trial's configuration, else the sweep's base configuration.
        test: the best trial's metrics on the test lesions; empty while there are none.
        lesions: the best trial's test lesions, the best by `merit` first.
        overlays: PNG bytes by file name, see `overlay_name`.
        attention: likewise, of what was weighed, of a system with attention between lesions.
        started, ended: milliseconds since 1970; None where nobody said, or while it runs.
        merit: what chose the best epochs and trial.
        lost: where its lesions and pictures should be, where they are gone; else "".
        objectives: what was searched for, where that is more than the one merit.
    """

    experiment: str
    run_id: str
    status: str
    started: int | None
    ended: int | None
    tags: Mapping[str, str]
    config: Mapping[str, Any]
    test: Mapping[str, float]
    trials: list[Trial]
    references: list[Reference]
    lesions: list[LesionResult]
    overlays: Mapping[str, bytes]
    merit: Merit = DICE
    lost: str = ""
    objectives: Sequence[Merit] = ()
    attention: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The sweep's name."""
        return self.tags["sweep"]

    @property
    def system(self) -> str:
        """The system it searched."""
        return self.tags.get("system", self.experiment)

    @property
    def data(self) -> str:
        """What it was measured on, in words."""
        return self.tags.get("data", "data that the sweep did not name")

    @property
    def test_n(self) -> int | None:
        """The number of test lesions."""
        return count_of(self.test.get("test_n"))

    @property
    def best(self) -> Trial | None:
        """The best trial, once the sweep has chosen it."""
        chosen = self.tags.get("best_trial")
        return next((trial for trial in self.trials if trial.trial_id == chosen), None)

    def overlay_of(self, rank: int) -> bytes | None:
        """The picture of the lesion with this rank, 1 = the best; None when none is there."""
        return self._picture(self.overlays, rank)

    def attention_of(self, rank: int) -> bytes | None:
        """What was weighed of it; likewise."""
        return self._picture(self.attention, rank)

    def _picture(self, pictures: Mapping[str, bytes], rank: int) -> bytes | None:
        file = _stem(self.lesions[rank - 1].file)
        same = {
            number: picture
            for name, picture in pictures.items()
            for number, _, pictured in [name.partition("_")]
            if _stem(pictured) == file
        }
        for number, picture in same.items():
            if number.isdecimal() and int(number) == rank:
                return picture
        # Lesions of equal merit may rank otherwise there; two of one slice cannot be told apart.
        alone = sum(_stem(lesion.file) == file for lesion in self.lesions) == 1
        return next(iter(same.values()), None) if alone else None


def overlay_name(rank: int, file: str) -> str:
    """The artifact's name for a test lesion's picture; one that any file system takes.

    Args:
        rank: 1 = the best by the figure of merit; equal lesions in the order of file, then row.
        file: the lesion's `file`.
    """
    return f"{rank:03d}_{_stem(file)}.png"


def _stem(file: str) -> str:
    stem = file.replace("\\", "/").rpartition("/")[2]
    while stem.endswith(".png"):
        stem = stem.removesuffix(".png")
    return _NO_NAME.sub("_", stem).encode()[:LONGEST].decode(errors="ignore")


def evenly_apart(count: int, most: int) -> list[int]:
    """At most `most` places of `count` in order, the first and the last among them."""
    shown = min(most, count)
    return sorted({round(i * (count - 1) / max(1, shown - 1)) for i in range(shown)})
