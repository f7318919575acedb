"""A sweep's search: Ray Tune runs the trials that its study has left to do.

It imports Ray, whose doors must be shut before: commands import it when they have a cluster.
"""

import logging
import os
import time
from unittest.mock import patch

from ray import tune
from ray.tune import TuneError

from dashboards.tables.terminal import say
from lesions import InputError
from platform.running.addresses import named_address
from platform.running.doors import private_folder
from platform.running.interrupted import stopping_in_order
from platform.tracking.store import Store
from platform.tuning.asking import StudyPruning, StudySearch
from platform.tuning.callback import SweepCallback
from platform.tuning.course import Course
from platform.tuning.orders import Orders, TimeOverError
from platform.tuning.progress import Progress
from platform.tuning.sweeps import Room
from platform.tuning.trials import Trials
from platform.tuning.view import View
from trainables.configs import flatten
from trainables.trial_workers import tune_trial

# Tune is started anew whenever a sweep is gone on with: none of its state is worth a write.
_WITHOUT_STATE = {
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
}
LOGGERS = (
    "ray.tune.execution.tune_controller",
    "ray.tune.tune",
    "ray.air._internal.util",
    "ray.tune.analysis.experiment_analysis",
)

MOST_WAIT_S = 8.0  # for MLflow, when the command is to end


class _StoppedError(Exception):
    """The user, or a scheduler, wants the command to end."""


class _StoppedAtOnceError(BaseException):
    """The same, and Tune is not to wait for trials' processes: a scheduler's signal goes to those
    of a cluster of our own, too, which ends with this process anyway.
    """


def run_trials(trials: Trials, room: Room, store: Store, parent: str, budget: float | None) -> bool:
    """Run what a sweep has left to do, told to MLflow as it comes; then what MLflow missed.

    Whatever ends it, a kill too, the trials that have not ended are taken up again by the next
    search of the same study.

    Args:
        trials: the sweep's.
        room: what they take.
        store, parent: the experiment, and the sweep's run.
        budget: seconds that it may work.

    Returns:
        Whether it came to its end; False where the time was over, or another shell said so.

    Raises:
        KeyboardInterrupt: it was asked to stop.
    """
    sweep = trials.sweep
    course = Course(trials=trials, concurrent=room.concurrent)
    view = View(
        store=store, parent=parent, config=flatten(sweep.config), resources=room.trial,
        goals=[goal.metric for goal in sweep.goals],
    )  # fmt: skip
    if trials.left or len(trials.all) < sweep.trials:
        _search_in_order(course, room, view, budget)
    for trial in trials.all.values():
        view.settle(trial)
    view.close()
    return trials.ended() >= sweep.trials


def _search_in_order(course: Course, room: Room, view: View, budget: float | None) -> None:
    deadline = None if budget is None else time.monotonic() + budget
    orders = Orders(folder=course.trials.place.folder, course=course, deadline=deadline)
    progress = Progress(course=course, room=room)
    with stopping_in_order() as asked:

        def at_step() -> None:
            if asked():
                raise _StoppedAtOnceError if named_address() is None else _StoppedError
            orders.look()

        callback = SweepCallback(course=course, view=view, progress=progress, at_step=at_step)
        try:
            _search(course, room, callback)
        except (_StoppedError, _StoppedAtOnceError):
            pass
        except TimeOverError:
            say("the time is over")
        except TuneError as error:
            raise _what_it_holds(error) from None
        finally:
            if course.running:
                names = ", ".join(str(one.number) for one in course.running.values())
                say(f"stopped, and kept to be gone on with: trial {names}")
            for trial in course.running.values():
                course.trials.interrupt(trial)
                view.end(trial)
            if course.running:  # whoever sent a signal kills before long
                view.outbox.flush(MOST_WAIT_S)


def _what_it_holds(error: BaseException) -> BaseException:
    """What was raised as Tune told us something: it wraps that in an error of words."""
    within: BaseException | None = error
    while within is not None:
        if isinstance(within, InputError | OSError):
            return within
        within = within.__cause__ or within.__context__
    return error


def _search(course: Course, room: Room, callback: SweepCallback) -> None:
    for logger in LOGGERS:  # the callback says each failure, and where the traceback is
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    sweep = course.trials.sweep
    with (
        private_folder() as scratch,
        patch.dict(
            os.environ, _WITHOUT_STATE | {"TUNE_MAX_PENDING_TRIALS_PG": str(room.concurrent)}
        ),
    ):
        tune.run(
            tune.with_parameters(tune_trial, job=sweep.job, shared=sweep.folder),
            name="tune",
            storage_path=str(scratch),
            num_samples=-1,
            search_alg=StudySearch(course),
            scheduler=StudyPruning(course),
            callbacks=[callback],
            resources_per_trial=tune.PlacementGroupFactory([room.worker] * room.workers),
            # A trial's process that ends gives its workers back, whatever became of it.
            reuse_actors=room.workers == 1,
            max_failures=1,
            raise_on_failed_trial=False,
            verbose=0,
        )
