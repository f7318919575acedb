"""Optuna inside Tune, told the truth about trials that a scheduler stopped."""

from typing import Any

from ray.tune.search.optuna import OptunaSearch


class PrunedOptunaSearch(OptunaSearch):  # type: ignore[misc]
    """OptunaSearch that tells a trial stopped early as PRUNED, and a failed one as FAIL.

    The base class tells both as COMPLETE with their last value, so TPE would compare a trial of
    two epochs with one of twenty.

    Args:
        epochs: how many a whole trial has.
        options: OptunaSearch's own.
    """

    def __init__(self, *, epochs: int, **options: Any) -> None:
        super().__init__(**options)
        self.epochs = epochs

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tell Optuna: without a result it takes a trial for pruned, or failed on an error."""
        stopped = result is not None and result.get("epoch", 0) < self.epochs
        super().on_trial_complete(trial_id, None if error or stopped else result, error)
