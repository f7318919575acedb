"""Search hyper-parameters: Ray Tune with Optuna, every trial in MLflow beside the paper's rows."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import tyro

from dashboards.recorded.trials import OBJECTIVES, RESOURCES
from dashboards.tables.terminal import say
from lesions.names import check_name, inside
from platform.command_line.options import WhichRun, check_positive, parse_system, run
from platform.compare import compare
from platform.running.cluster import cluster, has_gpu
from platform.running.plans import read_plan, start
from platform.running.resumed import said_options
from platform.running.storage import default_storage, writable
from platform.tracking.champions import register
from platform.tracking.provenance import provenance
from platform.tracking.runs import (
    NAME,
    end_run,
    find_or_create_run,
    interruptible,
    merit_tags,
    set_tags,
)
from platform.tracking.store import Store, open_store, reaching
from platform.tuning.choices import grid, pruner, sampler
from platform.tuning.finishing import finish, params_at_start
from platform.tuning.goals import constraints_of, goals_of
from platform.tuning.learning import forked, keep_start
from platform.tuning.opening import open_trials
from platform.tuning.orders import duration
from platform.tuning.spaces import space_of
from platform.tuning.study import check_url
from platform.tuning.sweeps import PLACE, Sweep, check_version, room_of
from platform.tuning.trials import Trials
from trainables.parts import protocol
from trainables.system import System

C = TypeVar("C")


@dataclass(frozen=True, kw_only=True)
class SweepOptions(WhichRun, Generic[C]):
    """Search the system's space; the paper's values are the first trial.

    Attributes:
        config: what every trial starts from.
        data: a prepared set; without it the shipped sample is prepared and taken.
        parts: trained parts of the system that the recipe takes over, where it does: checkpoints'
            folders, NAME@ALIAS or NAME:VERSION.
        trials: how many.
        concurrent: trials at a time; without it as many as the cluster's resources hold.
        workers_per_trial: how many train a trial together; each sees its share of every epoch.
        cpus_per_trial: CPU cores a trial; of several workers, each.
        gpus_per_trial: GPUs a trial, fractions share one (memory is not enforced); of several
            workers, each. Without it 1 where there are GPUs.
        grace: epochs that no trial is stopped before; those of phases whose figure says nothing
            of the whole do not count.
        seed: of the search; a trial's own seed is the config's.
        sampler: tpe, gp, cmaes, random, grid, or a class of Optuna's kind, package.module:Class.
        pruner: asha, hyperband, median, none, or a class of Optuna's kind.
        space: what is searched beside the system's own or in its place: FIELD=log:LOW:HIGH,
            uniform:LOW:HIGH, int:LOW:HIGH, intlog:LOW:HIGH, choice:A,B,C; or fixed, which takes
            one out.
        objective: metrics of an epoch with their directions, as val_dice:max epoch_seconds:min;
            without it the system's figure of merit. Of several no trial is stopped early.
        constraint: what a trial has to keep to be the best, as val_long_axis_error<=8.
        from_sweep: other sweeps here, whose trials are told as points where they lie in what is
            searched.
        fork: NAME:NUMBER, a trial of another sweep: its config is what every trial starts from,
            its own values come first, and its best weights are what every trial begins with.
        study: an Optuna storage that holds the study, as postgresql://user@host/name; without it a
            journal beside the sweep. Passwords come from the database's own variables.
        budget: how long this command may search, as 90s, 30m, 8h, 2d; then running trials are
            stopped and kept, and the best of those that have ended is measured.
        extend: the name of a sweep to give --trials more.
        register: the best model's name in MLflow's registry; without it the system's, "" for none.
        pictures: of lesions in MLflow; `--no-pictures` records none.
        storage: where everything is kept; all nodes must see it.
    """

    config: C
    data: Path | None = None
    parts: tuple[str, ...] = ()
    trials: int = 8
    concurrent: int | None = None
    workers_per_trial: int = 1
    cpus_per_trial: float = 1
    gpus_per_trial: float | None = None
    grace: int = 4
    seed: int = 0
    sampler: str = "tpe"
    pruner: str = "asha"
    space: tuple[str, ...] = ()
    objective: tuple[str, ...] = ()
    constraint: tuple[str, ...] = ()
    from_sweep: Annotated[tuple[str, ...], tyro.conf.arg(name="from")] = ()
    fork: str | None = None
    study: str | None = None
    budget: str | None = None
    extend: str | None = None
    register: str | None = None
    pictures: bool = True
    storage: Path | None = None

    def __post_init__(self) -> None:
        """InputError for what no sweep can be."""
        super().__post_init__()
        check_positive(self, "trials", "concurrent", "workers_per_trial", "cpus_per_trial", "grace")
        if self.register:
            check_name(self.register)
        if self.study is not None:
            check_url(self.study)


def _parent(sweep: Sweep, store: Store, resources: dict[str, float]) -> str:
    key = {"lesion.kind": "sweep", "lesion.sweep": sweep.name}
    shown = {name: amount for name, amount in resources.items() if name in ("CPU", "GPU")}
    tags = {
        NAME: sweep.name,
        "lesion.system": sweep.system.name,
        "lesion.part": sweep.system.part(sweep.config),
        "lesion.preset": sweep.preset,
        "lesion.protocol": protocol(sweep.system, [sweep.config]),
        **merit_tags(sweep.system.merit),
        "lesion.seed": str(sweep.config.training.seed),
        RESOURCES: json.dumps(shown),
        OBJECTIVES: json.dumps([[goal.metric, goal.mode] for goal in sweep.goals]),
        **sweep.data.tags(),
        **provenance(),
    }
    params = params_at_start(sweep.config, sweep.distributions)
    return find_or_create_run(store, key, tags, params)


def sweep_and_compare(
    sweep: Sweep, storage: Path, budget: float | None = None, learn_from: Sequence[str] = ()
) -> None:
    """The whole of it: search, measure the best trial on the test lesions, compare.

    A search that the time, or another shell, ended early is measured where a trial has ended well.
    """
    check_version(sweep)
    store = open_store(storage, sweep.system.name, sweep.system.paper)
    again = f"the trials are kept: start it and go on with --resume {sweep.name}"
    with cluster() as resources, reaching(store, again):
        room = room_of(sweep, resources)
        keep_start(sweep)
        sweep.write()
        parent = _parent(sweep, store, resources)
        trials = open_trials(sweep, learn_from)
        _say_start(trials)
        from platform.tuning.searching import run_trials  # Ray's doors are shut now

        # An error fails trials; the sweep itself can always be gone on with.
        with interruptible(store, parent, at_error="interrupted"), trials.marked():
            whole = run_trials(trials, room, store, parent, budget)
            if not whole and not any(one.state == "finished" for one in trials.all.values()):
                say(f"no trial has ended: nothing is measured; go on with --resume {sweep.name}")
                end_run(store, parent, "interrupted")
                return
            early = "" if whole else f"{trials.ended()} of {sweep.trials} trials have ended"
            set_tags(store, parent, {"lesion.ended_early": early})
            best = finish(store, parent, trials, resources)
        register(store, parent, best, sweep.register)
    with reaching(store, again):
        compare(store, sweep.name, storage)


def _check_words(system: System, options: SweepOptions[Any]) -> None:
    """InputError for a space, a goal, a sampler that is none: now, before lesions are prepared."""
    space = space_of(system, options.config, options.space)
    goals_of(system.merit, options.objective)
    constraints_of(options.constraint)
    sampler(options.sampler, options.seed, options.trials, 0)
    pruner(options.pruner, options.grace, options.grace)
    if options.sampler == "grid":
        grid(space, options.trials)


def _say_start(trials: Trials) -> None:
    sweep, there = trials.sweep, trials.ended()
    so_far = f", {there} of them ended before" if there else ""
    say(f"sweep {sweep.name}: {sweep.trials} trials of at most {sweep.epochs} epochs on "
        f"{sweep.data.description}{so_far}\n  go on after a kill with --resume {sweep.name}\n"
        f"  look at the study with optuna-dashboard {trials.place.words}")  # fmt: skip


def main() -> None:
    """Parse the command line and sweep."""
    make: Callable[[Any], SweepOptions[Any]] = lambda config: SweepOptions(config=config)  # noqa: E731
    system, preset, options = parse_system(
        SweepOptions, prog="python -m platform.sweep", has_gpu=has_gpu, make=make
    )
    budget = None if options.budget is None else duration(options.budget)
    storage = writable(options.storage or default_storage())
    if options.fork is not None and options.resume is None:
        config = forked(system, options.config, said_options(), storage / PLACE, options.fork)
        options = replace(options, config=config)
    _check_words(system, options)
    if options.extend is not None:
        planned = read_plan(inside(storage / PLACE, options.extend) / Sweep.file, Sweep)
        options = replace(options, resume=options.extend, trials=planned["trials"] + options.trials)
    if preset == "tiny":
        say("no GPU here or tiny asked for: the tiny preset, the same structure made small")
    with start(Sweep, system, preset, options, storage) as sweep:
        sweep_and_compare(sweep, storage, budget, options.from_sweep)


if __name__ == "__main__":
    run(main)
