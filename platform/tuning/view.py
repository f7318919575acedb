"""MLflow's view of a sweep's trials: a run each, that can be made again at any time."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dashboards.recorded.runs import SEARCH
from dashboards.recorded.trials import BREAKS, BUSY, REASON, RESOURCES, VALUES
from dashboards.tables.terminal import say
from platform.tracking.faults import is_passing
from platform.tracking.outbox import Outbox
from platform.tracking.runs import log_metrics
from platform.tracking.store import Store
from platform.tracking.view import record_trial
from platform.tuning.trials import Trial, trained_seconds
from trainables.trial_folder import AT

_NOT_SHOWN = {AT, "done"}


@dataclass
class View:
    """What MLflow is told of the trials.

    Attributes:
        store: the experiment.
        parent: the sweep's run.
        config: the job's config, flat; a trial's params are this with its own values.
        resources: what a trial takes of the cluster.
        goals: the metrics that trials are judged by.
    """

    store: Store
    parent: str
    config: Mapping[str, Any]
    resources: Mapping[str, float]
    goals: Sequence[str]
    outbox: Outbox = field(default_factory=Outbox)
    runs: dict[int, str] = field(default_factory=dict)
    begun: dict[int, float] = field(default_factory=dict)  # when, seconds since 1970
    recorded: dict[int, str] = field(default_factory=dict)  # states

    def begin(self, trial: Trial) -> None:
        """Open a trial's run, or open it again; once a driver."""
        if trial.number in self.begun:
            return
        # MLflow lists by the millisecond.
        began = max(time.time(), max(self.begun.values(), default=0.0) + 0.002)
        self.begun[trial.number] = began
        self._send(trial, lambda: self._record(trial, "running", 0.0, started=began))

    def epoch(self, trial: Trial, metrics: Mapping[str, float], at: float) -> None:
        """Record an epoch."""
        self._send(trial, lambda: self._log(trial, metrics, at))

    def end(self, trial: Trial) -> None:
        """Close a trial's run, with whatever it lacks."""
        ended, held, state = time.time(), trial.held_s, trial.state
        self._send(trial, lambda: self._record(trial, state, held, ended=ended))

    def settle(self, trial: Trial) -> None:
        """Record what MLflow missed: it was away, or a driver was killed before it told."""
        if trial.state != "running" and self.recorded.get(trial.number) != trial.state:
            held, state = trial.held_s, trial.state
            self._send(trial, lambda: self._record(trial, state, held))

    def close(self) -> None:
        """Wait for MLflow a while, and say what it did not take."""
        self.outbox.flush()
        for line in self.outbox.report():
            say(line)

    def _send(self, trial: Trial, call: Any) -> None:
        self.outbox.send(call, of=f"trial {trial.number}")

    def _log(self, trial: Trial, metrics: Mapping[str, float], at: float) -> None:
        try:
            run_id = self.runs[trial.number]
            log_metrics(self.store, run_id, shown(metrics), int(metrics["epoch"]), at)
        except Exception as error:
            if is_passing(error):
                raise
            # It would fail for ever, as of a deleted run: the trial's end records it whole.

    def _record(
        self, trial: Trial, state: str, held: float, started: float | None = None,
        ended: float | None = None,
    ) -> None:  # fmt: skip
        history = trial.folder.history()
        times = [metrics[AT] for metrics in history if AT in metrics]
        params = {**self.config, **trial.values}
        params |= {f"{SEARCH}{name}": value for name, value in trial.values.items()}
        busy = max(held, trained_seconds(history))  # drivers before this one had it, too
        tags = {RESOURCES: json.dumps(dict(self.resources)), BUSY: f"{busy:.1f}"}
        if trial.reason:
            tags[REASON] = trial.reason
        if trial.breaks:
            tags[BREAKS] = ", ".join(trial.breaks)
        if trial.objectives:
            tags[VALUES] = json.dumps(dict(zip(self.goals, trial.objectives, strict=True)))
        self.runs[trial.number] = record_trial(
            self.store, self.parent, trial.id, f"trial {trial.number}", params, tags,
            [{**shown(metrics), AT: metrics.get(AT, time.time())} for metrics in history], state,
            started=started or min(times, default=None), ended=ended or max(times, default=None),
        )  # fmt: skip
        self.recorded[trial.number] = state


def shown(metrics: Mapping[str, float]) -> dict[str, float]:
    """The numbers of an epoch that MLflow gets."""
    return {name: value for name, value in metrics.items() if name not in _NOT_SHOWN}
