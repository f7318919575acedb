"""Search hyper-parameters: Ray Tune with Optuna, every trial in MLflow beside the paper's rows."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from dashboards.tables.terminal import say
from lesions import InputError
from lesions.names import check_name
from platform.command_line.options import Outputs, check_positive, parse_system, run
from platform.compare import compare
from platform.running.cluster import cluster, has_gpu
from platform.running.doors import check_ours
from platform.running.plans import Planned, start
from platform.running.storage import default_storage, writable
from platform.tracking.champions import register
from platform.tracking.provenance import provenance
from platform.tracking.results import finish
from platform.tracking.runs import NAME, find_or_create_run
from platform.tracking.store import Store, open_store, reaching
from platform.tuning.state import mend_state
from search_spaces import SPACES
from trainables.configs import flatten
from trainables.parts import protocol
from trainables.workers import tune_trial

if TYPE_CHECKING:
    from platform.tuning.callback import SweepCallback

C = TypeVar("C")
OBJECTIVE = "best_val_dice"


@dataclass(frozen=True, kw_only=True)
class SweepOptions(Outputs, Generic[C]):
    """Search the system's space; the paper's values are the first trial.

    Attributes:
        config: what every trial starts from.
        data: a prepared set; without it the shipped sample is prepared and taken.
        trials: how many.
        concurrent: trials at a time; without it as many as the cluster's resources hold.
        cpus_per_trial: CPU cores a trial.
        gpus_per_trial: GPUs a trial, fractions share one (memory is not enforced); without it 1
            where there are GPUs.
        grace: epochs that no trial is stopped before.
        seed: of the search; a trial's own seed is the config's.
        name: the sweep's name; without it one is made from the time.
        resume: the name of a sweep to go on with, as it was started.
        register: the best model's name in MLflow's registry; without it the system's, "" for none.
        pictures: of lesions in MLflow; `--no-pictures` records none.
        storage: where everything is kept; all nodes must see it.
    """

    config: C
    data: Path | None = None
    trials: int = 8
    concurrent: int | None = None
    cpus_per_trial: float = 1
    gpus_per_trial: float | None = None
    grace: int = 4
    seed: int = 0
    name: str | None = None
    resume: str | None = None
    register: str | None = None
    pictures: bool = True
    storage: Path | None = None

    def __post_init__(self) -> None:
        """InputError for what no sweep can be."""
        check_positive(self, "trials", "concurrent", "cpus_per_trial", "grace")
        if self.register:
            check_name(self.register)


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
    register: str | None = None
    pictures: bool = True


def search(
    sweep: Sweep, callback: "SweepCallback", per_trial: dict[str, float], concurrent: int
) -> Any:
    """Run the trials that have not run yet; Tune's results of all.

    Raises:
        KeyboardInterrupt: the user stopped it before all trials had ended.
    """
    from ray import tune

    # The callback says each failure in a line and names the file with the traceback.
    for logger in ("ray.tune.execution.tune_controller", "ray.tune.tune"):
        logging.getLogger(logger).addFilter(_not_a_trials_failure)
    trainable = tune.with_resources(tune.with_parameters(tune_trial, job=sweep.job), per_trial)
    if tune.Tuner.can_restore(str(sweep.folder)):
        check_ours(sweep.folder)
        mend_state(sweep.folder)
        # Not restart_errored: with Optuna's searcher it raises KeyError.
        tuner = tune.Tuner.restore(str(sweep.folder), trainable, resume_errored=True)
    else:
        tuner = tune.Tuner(
            trainable,
            tune_config=_tune_config(sweep, concurrent),
            run_config=tune.RunConfig(
                name=sweep.name,
                storage_path=str(sweep.folder.parent),
                callbacks=[callback],
                checkpoint_config=tune.CheckpointConfig(num_to_keep=1),
                failure_config=tune.FailureConfig(max_failures=1),
                verbose=0,
            ),
        )
    results = tuner.fit()
    if results.num_terminated + results.num_errors < sweep.trials:
        raise KeyboardInterrupt  # Tune has caught it, saved its state and returned
    return results


def _not_a_trials_failure(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(("Trial task failed", "Trials did not complete"))


def _tune_config(sweep: Sweep, concurrent: int) -> Any:
    import optuna
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler

    from platform.tuning.searcher import PrunedOptunaSearch

    optuna.logging.set_verbosity(optuna.logging.WARNING)

    epochs = sweep.config.training.epochs
    space = SPACES[sweep.system.name]
    searcher = PrunedOptunaSearch(
        epochs=epochs,
        space=space.space(sweep.config),
        metric=OBJECTIVE,
        mode="max",
        points_to_evaluate=[space.paper(sweep.config)],
        study_name=sweep.name,
        sampler=_sampler(sweep),
    )
    # One more than there are epochs: else the code after the last report never runs.
    scheduler = ASHAScheduler(
        metric=OBJECTIVE, mode="max", max_t=epochs + 1,
        grace_period=min(sweep.grace, epochs), reduction_factor=2,
    )  # fmt: skip
    return tune.TuneConfig(
        num_samples=sweep.trials, max_concurrent_trials=concurrent, search_alg=searcher,
        scheduler=scheduler, reuse_actors=True,
    )  # fmt: skip


def _sampler(sweep: Sweep) -> Any:
    """TPE: random for the first half of a short sweep, apart from the trials still running."""
    from optuna.samplers import TPESampler

    random = max(2, min(10, sweep.trials // 2))
    return TPESampler(seed=sweep.seed, n_startup_trials=random, constant_liar=True)


def _resources_per_trial(sweep: Sweep, resources: dict[str, float]) -> dict[str, float]:
    gpus = (
        sweep.gpus_per_trial
        if sweep.gpus_per_trial is not None
        else float(resources.get("GPU", 0) > 0)
    )
    wanted = {"cpu": sweep.cpus_per_trial, "gpu": gpus}
    for name, amount in wanted.items():
        if amount > (there := resources.get(name.upper(), 0)):
            raise InputError(
                f"a trial wants {amount:g} {name}, the cluster has {there:g}",
                remedy=f"lower --{name}s-per-trial",
            )
    return wanted


def _concurrent(sweep: Sweep, per_trial: dict[str, float], resources: dict[str, float]) -> int:
    """As many trials at a time as the cluster holds, unless the user says how many."""
    room = [resources.get(name.upper(), 0) / each for name, each in per_trial.items() if each > 0]
    return min(sweep.trials, sweep.concurrent or max(1, int(min(room))))


def _parent(sweep: Sweep, store: Store, resources: dict[str, float]) -> str:
    key = {"lesion.kind": "sweep", "lesion.sweep": sweep.name}
    shown = {name: amount for name, amount in resources.items() if name in ("CPU", "GPU")}
    tags = {
        NAME: sweep.name,
        "lesion.system": sweep.system.name,
        "lesion.stage": str(getattr(sweep.config, "stage", "")),
        "lesion.preset": sweep.preset,
        "lesion.protocol": protocol(sweep.system, [sweep.config]),
        "lesion.seed": str(sweep.config.training.seed),
        "lesion.resources": json.dumps(shown),
        **sweep.data.tags(),
        **provenance(),
    }
    return find_or_create_run(store, key, tags, flatten(sweep.config))


def sweep_and_compare(sweep: Sweep, storage: Path) -> None:
    """The whole of it: search, measure the best trial on the test lesions, compare."""
    store = open_store(storage, sweep.system.name, sweep.system.paper)
    again = f"the trials are kept: start it and go on with --resume {sweep.name}"
    with cluster() as resources, reaching(store, again):
        per_trial = _resources_per_trial(sweep, resources)
        sweep.write()
        parent = _parent(sweep, store, resources)
        epochs = sweep.config.training.epochs
        say(
            f"sweep {sweep.name}: {sweep.trials} trials of at most {epochs} epochs on "
            f"{sweep.data.description}\n  go on after a kill with --resume {sweep.name}"
        )
        from platform.tuning.callback import (
            SweepCallback,  # it imports Ray, whose doors are shut now
        )

        callback = SweepCallback(store, parent, sweep.trials, epochs, flatten(sweep.config))
        results = search(sweep, callback, per_trial, _concurrent(sweep, per_trial, resources))
        best = finish(store, parent, sweep.job, results, OBJECTIVE, resources, sweep.pictures)
        register(store, parent, best, sweep.register)
    with reaching(store, again):
        compare(store, sweep.name, storage)


def main() -> None:
    """Parse the command line and sweep."""
    make: Callable[[Any], SweepOptions[Any]] = lambda config: SweepOptions(config=config)  # noqa: E731
    system, preset, options = parse_system(
        SweepOptions, prog="python -m platform.sweep", has_gpu=has_gpu, make=make
    )
    storage = writable(options.storage or default_storage())
    if preset == "tiny":
        say("no GPU here or tiny asked for: the tiny preset, the same structure made small")
    sweep_and_compare(start(Sweep, system, preset, options, storage), storage)


if __name__ == "__main__":
    run(main)
