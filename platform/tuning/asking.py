"""Tune, told by the study: which trial comes next, and which one stops.

Tune runs the trials, holds what they take of the cluster, and starts a trial's process again that
has died. It is started anew whenever a sweep is gone on with: it has no state that counts.
"""

from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from platform.tuning.course import Course
from platform.tuning.trials import is_whole
from trainables.trial_workers import WHOLE


class StudySearch(Searcher):  # type: ignore[misc]
    """Gives Tune the sweep's next trial, no more at a time than the course says."""

    def __init__(self, course: Course) -> None:
        super().__init__()
        self.course = course

    def suggest(self, trial_id: str) -> Any:
        """The trial's folder and values; None while there is no room, FINISHED at the end."""
        course = self.course
        if course.ending:
            return Searcher.FINISHED
        if len(course.running) >= course.concurrent:
            return None
        trial = course.trials.take()
        if trial is None:
            return Searcher.FINISHED
        course.running[trial_id] = trial
        below = trial.folder.path.relative_to(course.trials.place.folder)
        return {"folder": str(below), "values": trial.values}

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """The callback has told the study."""

    def save(self, checkpoint_path: str) -> None:
        """There is nothing to save."""

    def restore(self, checkpoint_path: str) -> None:
        """There is nothing to restore."""

    def __getstate__(self) -> dict[str, Any]:
        """See `Course`."""
        return {}


class StudyPruning(FIFOScheduler):  # type: ignore[misc]
    """Tells the study every epoch, and stops the trials that its pruner gives up."""

    def __init__(self, course: Course) -> None:
        super().__init__()
        self.course = course

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Whether the trial goes on."""
        own, metrics = self.course.running.get(trial.trial_id), metrics_of(result)
        pruned = own is not None and self.course.trials.report(own, metrics)
        # One that is whole has nothing left to do: its process takes the next trial at once.
        decision: str = TrialScheduler.CONTINUE
        if pruned or is_whole(metrics):
            decision = TrialScheduler.STOP
        return decision

    def __getstate__(self) -> dict[str, Any]:
        """See `Course`."""
        return {}


# Tune's bookkeeping beside a trial's own numbers; `done` is true of a stopped trial as well.
_TUNES = frozenset({
    "training_iteration", "timestamp", "pid", "done", "should_checkpoint",
    "time_this_iter_s", "time_total_s", "time_since_restore",
    "timesteps_total", "episodes_total", "timesteps_since_restore", "iterations_since_restore",
})  # fmt: skip


def metrics_of(result: dict[str, Any]) -> dict[str, float]:
    """An epoch's own numbers in a result of Tune's."""
    told = {name: value for name, value in result.items()
            if isinstance(value, int | float) and name not in _TUNES}  # fmt: skip
    if WHOLE in told:
        told["done"] = told.pop(WHOLE)
    return told
