"""A sweep's plan, and its search: Ray Tune with Optuna over trials of one or many workers."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lesions import InputError
from platform.running.doors import check_ours
from platform.running.plans import Planned
from platform.tuning.spaces import first_trials, space_of
from platform.tuning.state import counted_as_noted, mend_state, read_as_before
from trainables.recipe import total_epochs
from trainables.trial_workers import tune_trial

if TYPE_CHECKING:
    from platform.tuning.callback import SweepCallback


@dataclass(frozen=True, kw_only=True)
class Sweep(Planned):
    """One sweep; its own fields are those of its options."""

    place = "sweeps"
    file = "sweep.json"

    trials: int
    concurrent: int | None
    cpus_per_trial: float
    gpus_per_trial: float | None
    grace: int
    seed: int
    workers_per_trial: int = 1
    register: str | None = None
    pictures: bool = True

    @property
    def epochs(self) -> int:
        """How many a trial has at most, in all phases."""
        return total_epochs(self.system.recipe(self.config))


@dataclass(frozen=True, kw_only=True)
class Room:
    """What the trials take of a cluster.

    Attributes:
        worker: of each worker, as {"CPU": 1, "GPU": 0.5}.
        workers: of each trial.
        concurrent: trials at a time.
    """

    worker: dict[str, float]
    workers: int
    concurrent: int


def room_of(sweep: Sweep, resources: dict[str, float]) -> Room:
    """As many trials at a time as the cluster holds, unless the user says how many.

    Raises:
        InputError: it does not hold one.
    """
    gpus = sweep.gpus_per_trial
    if gpus is None:
        gpus = float(resources.get("GPU", 0) > 0)
    worker, workers = {"CPU": sweep.cpus_per_trial, "GPU": gpus}, sweep.workers_per_trial
    for name, each in worker.items():
        if each * workers > (there := resources.get(name, 0)):
            also = "" if workers == 1 else " or --workers-per-trial"
            raise InputError(
                f"a trial wants {each * workers:g} {name.lower()}, the cluster has {there:g}",
                remedy=f"lower --{name.lower()}s-per-trial{also}",
            )
    hold = min(resources.get(name, 0) / (each * workers) for name, each in worker.items() if each)
    concurrent = min(sweep.trials, sweep.concurrent or max(1, int(hold)))
    return Room(worker=worker, workers=workers, concurrent=concurrent)


def search(sweep: Sweep, callback: "SweepCallback", room: Room) -> Any:
    """Run the trials that have not run yet; Tune's results of all.

    Raises:
        KeyboardInterrupt: the user stopped it before all trials had ended.
    """
    from ray import tune

    # The callback says each failure in a line and names the file with the traceback.
    for logger in ("ray.tune.execution.tune_controller", "ray.tune.tune"):
        logging.getLogger(logger).addFilter(_not_a_trials_failure)
    trainable = tune.with_resources(
        tune.with_parameters(tune_trial, job=sweep.job, shared=sweep.folder),
        tune.PlacementGroupFactory([room.worker] * room.workers),
    )
    if tune.Tuner.can_restore(str(sweep.folder)):
        check_ours(sweep.folder)
        mend_state(sweep.folder)
        with read_as_before():
            # Not restart_errored: with Optuna's searcher it raises KeyError.
            tuner = tune.Tuner.restore(str(sweep.folder), trainable, resume_errored=True)
        # The one that was kept knows the store's old place, where the storage was moved.
        tuner._local_tuner.get_run_config().callbacks = [callback]
    else:
        tuner = tune.Tuner(
            trainable,
            tune_config=_tune_config(sweep, room),
            run_config=tune.RunConfig(
                name=sweep.name,
                storage_path=str(sweep.folder.parent),
                callbacks=[callback],
                checkpoint_config=tune.CheckpointConfig(num_to_keep=1),
                failure_config=tune.FailureConfig(max_failures=1),
                verbose=0,
            ),
        )
    with counted_as_noted(sweep.folder):
        results = tuner.fit()
    if results.num_terminated + results.num_errors < sweep.trials:
        raise KeyboardInterrupt  # Tune has caught it, saved its state and returned
    return results


def _not_a_trials_failure(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(("Trial task failed", "Trials did not complete"))


def _tune_config(sweep: Sweep, room: Room) -> Any:
    import optuna
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler

    from platform.tuning.searcher import PrunedOptunaSearch

    optuna.logging.set_verbosity(optuna.logging.WARNING)

    merit, epochs = sweep.system.merit, sweep.epochs
    searcher = PrunedOptunaSearch(
        epochs=epochs,
        space=space_of(sweep.system, sweep.config),
        metric=merit.best,
        mode=merit.mode,
        points_to_evaluate=first_trials(sweep.system, sweep.config),
        study_name=sweep.name,
        sampler=_sampler(sweep),
    )
    # One more than there are epochs: else the code after the last report never runs.
    scheduler = ASHAScheduler(
        metric=merit.best, mode=merit.mode, max_t=epochs + 1,
        grace_period=min(sweep.grace, epochs), reduction_factor=2,
    )  # fmt: skip
    return tune.TuneConfig(
        num_samples=sweep.trials, max_concurrent_trials=room.concurrent, search_alg=searcher,
        # A trial's process that ends gives its workers back, whatever became of it.
        scheduler=scheduler, reuse_actors=room.workers == 1,
    )  # fmt: skip


def _sampler(sweep: Sweep) -> Any:
    """TPE: random for the first half of a short sweep, apart from the trials still running."""
    from optuna.samplers import TPESampler

    random = max(2, min(10, sweep.trials // 2))
    return TPESampler(seed=sweep.seed, n_startup_trials=random, constant_liar=True)
