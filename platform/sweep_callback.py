"""What the driver does as a sweep's trials report: a line each, and an MLflow run each."""

from dataclasses import dataclass, field
from typing import Any

from ray.tune import Callback

from platform.tracking import (
    NAME,
    PARENT,
    Outbox,
    Store,
    end_run,
    find_or_create_run,
    log_metrics,
)


@dataclass
class SweepCallback(Callback):  # type: ignore[misc]
    """One child run a trial, found again by the trial's id when a sweep is resumed.

    Attributes:
        store: the experiment.
        parent: the sweep's run.
        epochs: how many a whole trial has.
        config: the job's config, flat; a trial's params are this with its own values.
    """

    store: Store
    parent: str
    epochs: int
    config: dict[str, Any]
    outbox: Outbox = field(default_factory=Outbox)
    runs: dict[str, str] = field(default_factory=dict)

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Open the trial's run."""
        self.outbox.send(lambda: self._run(trial))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Record an epoch."""
        metrics = {
            name: value
            for name, value in result.items()
            if name.startswith(("train_", "val_", "best_val_"))
            or name in ("seg_loss", "heatmap_loss", "learning_rate", "epoch_seconds", "epoch",
                        "images_per_second")
        }  # fmt: skip
        step = int(result["epoch"])
        self.outbox.send(lambda: log_metrics(self.store, self._run(trial), metrics, step))

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Close the trial's run: finished, or pruned when the scheduler stopped it."""
        self._end(trials, trial, "finished" if self._epoch(trial) >= self.epochs else "pruned")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Close the trial's run as failed; the sweep goes on."""
        self._end(trials, trial, "failed")

    def _end(self, trials: list[Any], trial: Any, state: str) -> None:
        self.outbox.send(lambda: end_run(self.store, self._run(trial), state))
        done = sum(other.is_finished() for other in trials)
        values = ", ".join(f"{name} {value:.4g}" for name, value in _searched(trial).items())
        dice = (trial.last_result or {}).get("best_val_dice")
        score = f"validation Dice {dice:.3f}" if dice is not None else "no result"
        print(f"[{done} done] trial {trial.trial_id} {state} after {self._epoch(trial)} epochs: "
              f"{score} ({values})", flush=True)  # fmt: skip
        if state == "failed":
            print(f"  why: {trial.error_file or trial.pickled_error_file}", flush=True)

    def _epoch(self, trial: Any) -> int:
        return int((trial.last_result or {}).get("epoch", 0))

    def _run(self, trial: Any) -> str:
        if trial.trial_id not in self.runs:
            key = {PARENT: self.parent, "lesion.trial_id": trial.trial_id}
            tags = {"lesion.kind": "trial", "lesion.state": "running",
                    NAME: f"trial {trial.trial_id}"}  # fmt: skip
            searched = _searched(trial)
            params = self.config | searched
            params |= {f"search.{name}": value for name, value in searched.items()}
            self.runs[trial.trial_id] = find_or_create_run(self.store, key, tags, params)
        return self.runs[trial.trial_id]

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles callbacks: what waits in the outbox cannot travel."""
        return self.__dict__ | {"outbox": Outbox()}


def _searched(trial: Any) -> dict[str, Any]:
    return {name: value for name, value in trial.config.items() if isinstance(value, int | float)}
