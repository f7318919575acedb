"""Optuna inside Tune, told the truth about trials that a scheduler stopped."""

from typing import Any

from optuna.trial import TrialState
from ray.tune.search.optuna import OptunaSearch

from platform.tuning.reports import is_whole


class PrunedOptunaSearch(OptunaSearch):  # type: ignore[misc]
    """OptunaSearch that tells a trial stopped early as PRUNED, and a failed one as FAIL.

    The base class tells both as COMPLETE with their last value, so TPE would compare a trial of
    two epochs with one of twenty; and it ignores what becomes of a failed trial that a resumed
    sweep takes up again. A trial that it does not know, since a kill cut its own state off, is not
    told of.

    Args:
        epochs: how many a whole trial has, where its reports do not say that they are the last.
        options: OptunaSearch's own.
    """

    def __init__(self, *, epochs: int, **options: Any) -> None:
        super().__init__(**options)
        self.epochs = epochs

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Tell an epoch's value, unless the trial was told as failed before: that is closed."""
        if trial_id in self._ot_trials and trial_id not in self._completed_trials:
            super().on_trial_result(trial_id, result)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tell Optuna: without a result it takes a trial for pruned, or failed on an error."""
        if trial_id not in self._ot_trials:
            return
        whole = not error and result is not None and is_whole(result, self.epochs)
        if trial_id not in self._completed_trials:
            super().on_trial_complete(trial_id, result if whole else None, error)
        elif whole and result is not None and self._state(trial_id) == TrialState.FAIL:
            self.add_evaluated_point(self._ot_trials[trial_id].params, result[self.metric])

    def _state(self, trial_id: str) -> TrialState:
        return self._ot_study.trials[self._ot_trials[trial_id].number].state
