"""What the driver does as a sweep's trials report: a line each, and an MLflow run each."""

import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ray.tune import Callback

from dashboards.recorded.runs import quoted
from dashboards.tables.metrics import metric_of
from dashboards.tables.terminal import say
from lesions import InputError
from lesions.metrics.merit import Merit
from lesions.readers.bounded import parse_json, read_bytes
from platform.tracking.outbox import Outbox
from platform.tracking.runs import (
    NAME,
    PARENT,
    end_run,
    find_or_create_run,
    log_metrics,
    reopen_run,
)
from platform.tracking.store import Store
from platform.tuning.reports import is_whole, recorded
from platform.tuning.state import mend_checkpoint, note_scratch

TRIAL = {"lesion.kind": "trial"}


@dataclass
class SweepCallback(Callback):  # type: ignore[misc]
    """One child run a trial, found again by the trial's id when a sweep is resumed.

    Attributes:
        store: the experiment.
        parent: the sweep's run.
        trials: how many the sweep has.
        epochs: how many a whole trial has at most.
        config: the job's config, flat; a trial's params are this with its own values.
        merit: the name of the metric that trials are judged by; sweeps of before knew Dice alone.
    """

    store: Store
    parent: str
    trials: int
    epochs: int
    config: dict[str, Any]
    merit: str = "dice"
    outbox: Outbox = field(default_factory=Outbox)
    runs: dict[str, str] = field(default_factory=dict)
    begun: bool = False

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """At first, mend what a killed driver did not note down.

        Runs of trials that it began are deleted: Tune makes new trials in their place.
        """
        if not self.begun:
            self.begun = True
            for trial in trials:
                mend_checkpoint(trial)
            known = {trial.trial_id for trial in trials}
            self.outbox.send(lambda: self._forget_all_but(known))

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Open the trial's run, after those of all earlier trials: MLflow lists them in order."""
        places = trial.storage
        note_scratch(Path(places.experiment_fs_path), places.experiment_driver_staging_path)
        for other in sorted(trials, key=number):
            if number(other) < number(trial):
                self.outbox.send(partial(self._run, other))
        self.outbox.send(lambda: reopen_run(self.store, self._run(trial)))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Record an epoch."""
        metrics, step, now = recorded(result), int(result["epoch"]), time.time()
        self.outbox.send(lambda: log_metrics(self.store, self._run(trial), metrics, step, now))

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Close the trial's run: finished, or pruned when the scheduler stopped it."""
        self._end(trials, trial, self._state(trial))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Close the trial's run as failed; the sweep goes on."""
        self._end(trials, trial, "failed")
        say(f"  why: {_reason(trial)}")

    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        """Record what MLflow missed: it was away, or a driver was killed before it could tell."""
        self.outbox.away_until = None
        for trial in trials:
            if trial.is_finished():
                self.outbox.send(partial(self._settle, trial))

    def _settle(self, trial: Any) -> None:
        run_id, state = self._run(trial), self._state(trial)
        client = self.store.client
        told = {point.step for point in client.get_metric_history(run_id, "epoch")}
        results = _results(trial)
        for step in sorted(results.keys() - told):
            metrics, at = recorded(results[step]), results[step]["timestamp"]
            log_metrics(self.store, run_id, metrics, step, at)
        if client.get_run(run_id).data.tags.get("lesion.state") != state:
            ended = [result["timestamp"] for result in results.values()]
            end_run(self.store, run_id, state, max(ended, default=time.time()))

    def _state(self, trial: Any) -> str:
        if trial.status == "ERROR":
            return "failed"
        return "finished" if is_whole(trial.last_result or {}, self.epochs) else "pruned"

    def _end(self, trials: list[Any], trial: Any, state: str) -> None:
        now = time.time()
        self.outbox.send(lambda: end_run(self.store, self._run(trial), state, now))
        done = sum(other.is_finished() or other is trial for other in trials)
        values = ", ".join(f"{name} {value:.4g}" for name, value in _searched(trial).items())
        merit = Merit(name=self.merit)
        value = (trial.last_result or {}).get(merit.best)
        words = f"best validation {metric_of(self.merit).words}"
        score = "no result" if value is None else f"{words} {value:.3f}"
        say(f"[{done}/{self.trials}] trial {number(trial)} {state} after "
            f"{epochs_done(trial)} epochs: {score} ({values})")  # fmt: skip

    def _run(self, trial: Any) -> str:
        if trial.trial_id not in self.runs:
            key = {PARENT: self.parent, "lesion.trial_id": trial.trial_id}
            tags = {**TRIAL, "lesion.state": "running", NAME: f"trial {number(trial)}"}
            searched = _searched(trial)
            params = self.config | searched
            params |= {f"search.{name}": value for name, value in searched.items()}
            self.runs[trial.trial_id] = find_or_create_run(self.store, key, tags, params)
        return self.runs[trial.trial_id]

    def _forget_all_but(self, known: set[str]) -> None:
        client, wanted = self.store.client, f"tags.`{PARENT}` = {quoted(self.parent)}"
        for run in client.search_runs([self.store.experiment_id], wanted, max_results=10_000):
            if run.data.tags.get("lesion.trial_id", "") in {"", *known}:
                continue
            client.delete_run(run.info.run_id)

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles callbacks: what waits in the outbox cannot travel."""
        return self.__dict__ | {"outbox": Outbox(), "begun": False}


def number(trial: Any) -> int:
    """Which of the sweep's trials it is, 0 = the paper's values; Tune's tag counts from 1."""
    return int(trial.experiment_tag.partition("_")[0]) - 1


def epochs_done(trial: Any) -> int:
    """How many epochs a trial has reported."""
    return int((trial.last_result or {}).get("epoch", 0))


def _results(trial: Any) -> dict[int, dict[str, Any]]:
    """All that a trial has reported, by epoch, as Tune keeps it beside the checkpoints.

    A line that a kill cut off is left out, and with it what Tune wrote on after it.
    """
    path = Path(trial.storage.trial_fs_path, "result.json")
    found: dict[int, dict[str, Any]] = {}
    lines = read_bytes(path).splitlines() if path.exists() else []
    for line in lines:
        with suppress(InputError, KeyError):
            result = parse_json(line, dict, path)
            found[int(result["epoch"])] = result
    return found


def _searched(trial: Any) -> dict[str, Any]:
    return {name: value for name, value in trial.config.items() if isinstance(value, int | float)}


def _reason(trial: Any) -> str:
    try:
        last = Path(trial.error_file).read_text().strip().splitlines()[-1]
    except (OSError, TypeError, IndexError):
        last = "its process died"
    return f"{last} (more in {Path(trial.storage.trial_fs_path, 'error.txt')})"
