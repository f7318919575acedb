"""A sweep's search: Ray Tune runs the trials that its study has left to do.

It imports Ray, whose doors must be shut before: commands import it when they have a cluster.
"""

import logging
import os
import tempfile
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from ray import tune

from platform.tracking.store import Store
from platform.tuning.asking import Course, StudyPruning, StudySearch
from platform.tuning.callback import SweepCallback
from platform.tuning.sweeps import Room
from platform.tuning.trials import Trial, Trials
from platform.tuning.view import View
from trainables.configs import flatten
from trainables.trial_workers import tune_trial

# Tune is started anew whenever a sweep is gone on with: none of its state is worth a write.
_WITHOUT_STATE = {
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
}
LOGGERS = ("ray.tune.execution.tune_controller", "ray.tune.tune", "ray.air._internal.util")


def search(
    course: Course, room: Room, callback: SweepCallback, begun: Callable[[Trial], None]
) -> None:
    """Run the trials that are left, to their ends.

    Whatever it is ended by, a kill too, the trials that have not ended are taken up again by the
    next search of the same study.
    """
    for logger in LOGGERS:  # the callback says each failure, and where the traceback is
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    sweep = course.trials.sweep
    with tempfile.TemporaryDirectory(prefix="lesion-tune-") as scratch, _without_state():
        tune.run(
            tune.with_parameters(tune_trial, job=sweep.job, shared=sweep.folder),
            name="tune",
            storage_path=scratch,
            num_samples=-1,
            search_alg=StudySearch(course, begun),
            scheduler=StudyPruning(course),
            callbacks=[callback],
            resources_per_trial=tune.PlacementGroupFactory([room.worker] * room.workers),
            # A trial's process that ends gives its workers back, whatever became of it.
            reuse_actors=room.workers == 1,
            max_failures=1,
            raise_on_failed_trial=False,
            verbose=0,
        )


def _without_state() -> Any:
    return patch.dict(os.environ, _WITHOUT_STATE)


def run_trials(trials: Trials, room: Room, store: Store, parent: str) -> None:
    """Run what a sweep has left to do, told to MLflow as it comes; then what MLflow missed."""
    sweep = trials.sweep
    course = Course(trials=trials, concurrent=room.concurrent)
    view = View(store=store, parent=parent, config=flatten(sweep.config), resources=room.trial)
    if trials.left or len(trials.all) < sweep.trials:
        search(course, room, SweepCallback(course=course, view=view), lambda trial: None)
    for trial in trials.all.values():
        view.settle(trial)
