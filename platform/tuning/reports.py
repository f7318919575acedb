"""What a trial reports to Tune at every epoch, and what of it is the trial's own."""

from collections.abc import Mapping
from typing import Any

from trainables.trial_workers import WHOLE

# Tune's bookkeeping beside a trial's own numbers; `done` is true of a stopped trial as well.
_TUNES = frozenset({
    "training_iteration", "timestamp", "pid", "done", "should_checkpoint",
    "time_this_iter_s", "time_total_s", "time_since_restore",
    "timesteps_total", "episodes_total", "timesteps_since_restore", "iterations_since_restore",
})  # fmt: skip


def is_whole(report: Mapping[str, Any], epochs: int) -> bool:
    """Whether it is the last of a trial that was trained to its end; one of before tells no more
    than its epoch.
    """
    if WHOLE in report:
        return bool(report[WHOLE] == 1)
    return bool(report.get("epoch", 0) >= epochs)


def recorded(report: Mapping[str, Any]) -> dict[str, float]:
    """The numbers that MLflow gets: all of the trial's own."""
    return {
        name: value
        for name, value in report.items()
        if isinstance(value, int | float) and name not in _TUNES and name != WHOLE
    }
