"""What the driver does as a sweep's trials report: the study is told, people are, and MLflow is."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray.tune import Callback

from dashboards.tables.metrics import metric_of
from dashboards.tables.terminal import say
from lesions import InputError
from lesions.files import FULL, write_text
from lesions.readers.bounded import read_text
from platform.tuning.asking import metrics_of
from platform.tuning.course import Course
from platform.tuning.progress import Progress
from platform.tuning.trials import LOST, State, Trial, is_whole
from platform.tuning.view import View
from trainables.trial_folder import ERROR

_DIED = (  # as Ray says it, with what may do that
    "The actor is dead because its worker process has died.",
    "An unexpected internal error occurred while the worker process was executing",
    "The worker died unexpectedly while executing",
)
_FULL = tuple(f"[Errno {number}]" for number in FULL)


@dataclass
class SweepCallback(Callback):  # type: ignore[misc]
    """Tune's events, passed on.

    Attributes:
        course: what is under way.
        view: MLflow's.
        progress: what is said meanwhile.
        at_step: called whenever Tune has looked around; it may end the search by raising.
    """

    course: Course
    view: View
    progress: Progress
    at_step: Callable[[], None]

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """A few times a second."""
        self.at_step()
        self.progress.look()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Open the trial's run, after those of earlier trials: MLflow lists them in order."""
        if (own := self._own(trial)) is not None:
            asked = sorted(self.course.running.values(), key=lambda one: one.number)
            for other in asked[: asked.index(own) + 1]:
                self.view.begin(other)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Record an epoch; the study has it by now."""
        if (own := self._own(trial)) is not None:
            self.view.epoch(own, metrics_of(result), time.time())

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Close a trial: finished, or pruned when the study's pruner stopped it."""
        own = self.course.running.pop(trial.trial_id, None)
        if own is None:
            return
        if not own.last:
            self._end(own, "failed", "it ended without an epoch")
        else:
            self._end(own, "finished" if is_whole(own.last) else "pruned")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Close a trial as failed; the sweep goes on, unless the disk is full."""
        if (own := self._own(trial)) is None:
            return
        whole, reason = _error(trial)
        if any(full in reason for full in _FULL):
            raise InputError(
                f"the disk is full: trial {own.number} could not write", file=own.folder.path,
                remedy=f"make room and go on with --resume {self.course.trials.sweep.name}",
            )  # fmt: skip
        del self.course.running[trial.trial_id]
        if whole:
            write_text(own.folder.path / ERROR, whole)
        self._end(own, "failed", reason)
        more = f" (more in {own.folder.path / ERROR})" if whole else ""
        say(f"  why: {own.reason}{more}")

    def _own(self, trial: Any) -> Trial | None:
        return self.course.running.get(trial.trial_id)

    def _end(self, own: Trial, state: State, reason: str = "") -> None:
        trials = self.course.trials
        trials.end(own, state, reason)
        self.view.end(own)
        values = ", ".join(
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in own.values.items()
        )
        merit = trials.sweep.system.merit
        value = own.last.get(merit.best)
        words = f"best validation {metric_of(merit.name).words}"
        score = "no result" if value is None else f"{words} {value:.3f}"
        say(f"[{trials.ended()}/{trials.sweep.trials}] trial {own.number} {own.state} after "
            f"{own.epochs} epochs: {score} ({values})")  # fmt: skip
        self.progress.ended(own)

    def __getstate__(self) -> dict[str, Any]:
        """See `Course`."""
        return {}


def _error(trial: Any) -> tuple[str, str]:
    """What a trial failed with: Tune's whole account of it, and the line that says it."""
    try:
        whole = read_text(Path(trial.error_file))
        lines = whole.strip().splitlines()
        line = lines[-1].strip() if lines else LOST
        return whole, LOST if line.startswith(_DIED) else line
    except (OSError, TypeError, InputError):
        return "", LOST
