"""MLflow's view of a sweep's trials: a run each, that can be made again at any time."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dashboards.recorded.runs import SEARCH
from platform.tracking.outbox import Outbox
from platform.tracking.runs import (
    NAME,
    PARENT,
    end_run,
    find_or_create_run,
    log_metrics,
    reopen_run,
    set_tags,
)
from platform.tracking.store import Store
from platform.tuning.trials import Trial
from trainables.trial_folder import AT

TRIAL = {"lesion.kind": "trial"}
_NOT_SHOWN = {AT, "done"}


@dataclass
class View:
    """What MLflow is told of the trials.

    Attributes:
        store: the experiment.
        parent: the sweep's run.
        config: the job's config, flat; a trial's params are this with its own values.
        resources: what a trial takes of the cluster.
    """

    store: Store
    parent: str
    config: Mapping[str, Any]
    resources: Mapping[str, float]
    outbox: Outbox = field(default_factory=Outbox)
    runs: dict[int, str] = field(default_factory=dict)

    def begin(self, trial: Trial) -> None:
        """Open a trial's run."""
        self.outbox.send(lambda: reopen_run(self.store, self._run(trial)))

    def epoch(self, trial: Trial, metrics: Mapping[str, float], at: float) -> None:
        """Record an epoch."""
        self.outbox.send(
            lambda: log_metrics(
                self.store, self._run(trial), shown(metrics), int(metrics["epoch"]), at
            )
        )

    def end(self, trial: Trial) -> None:
        """Close a trial's run."""
        now, busy = time.time(), busy_seconds(trial)
        self.outbox.send(lambda: self._close(trial, now, busy))

    def _close(self, trial: Trial, at: float, busy: float) -> None:
        tags = {
            "lesion.busy_s": f"{busy:.1f}",
            "lesion.resources": json.dumps(dict(self.resources)),
        }
        if trial.reason:
            tags["lesion.reason"] = trial.reason
        set_tags(self.store, self._run(trial), tags)
        end_run(self.store, self._run(trial), trial.state, at)

    def settle(self, trial: Trial) -> None:
        """Record what MLflow missed: it was away, or a driver was killed before it told."""
        self.outbox.send(lambda: self._settle(trial))

    def _settle(self, trial: Trial) -> None:
        run_id, client = self._run(trial), self.store.client
        told = {point.step for point in client.get_metric_history(run_id, "epoch")}
        history = trial.folder.history()
        for metrics in history:
            if int(metrics["epoch"]) not in told:
                at = metrics.get(AT)
                log_metrics(self.store, run_id, shown(metrics), int(metrics["epoch"]), at)
        if client.get_run(run_id).data.tags.get("lesion.state") != trial.state:
            ended = max([metrics[AT] for metrics in history if AT in metrics], default=time.time())
            self._close(trial, ended, busy_seconds(trial))

    def _run(self, trial: Trial) -> str:
        if trial.number not in self.runs:
            key = {PARENT: self.parent, "lesion.trial_id": f"{trial.number:04d}"}
            tags = {**TRIAL, "lesion.state": "running", NAME: f"trial {trial.number}"}
            params = {**self.config, **trial.values}
            params |= {f"{SEARCH}{name}": value for name, value in trial.values.items()}
            self.runs[trial.number] = find_or_create_run(self.store, key, tags, params)
        return self.runs[trial.number]


def shown(metrics: Mapping[str, float]) -> dict[str, float]:
    """The numbers of an epoch that MLflow gets."""
    return {name: value for name, value in metrics.items() if name not in _NOT_SHOWN}


def busy_seconds(trial: Trial) -> float:
    """How long a trial has held its share of the cluster: by this driver's clock, and what the
    epochs before it took.
    """
    here = time.monotonic() - trial.began if trial.began else 0.0
    epochs = sum(metrics.get("epoch_seconds", 0.0) for metrics in trial.folder.history())
    return max(here, epochs)
