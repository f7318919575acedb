"""A sweep's plan, and what its trials take of a cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from optuna.distributions import BaseDistribution

from lesions import InputError
from platform.running.plans import Planned
from platform.tuning.goals import (
    Constraint,
    Goal,
    constraints_of,
    goals_of,
    judged_epoch,
    values_of,
)
from platform.tuning.spaces import space_of
from platform.tuning.study import OWNER, Place
from trainables.recipe import total_epochs
from trainables.workers import Job

PLACE = "sweeps"
_TUNES = "tuner.pkl"  # of a version before, to which Tune's state was the truth
FORK = "fork"  # in the folder of one that began as another's trial: its checkpoint


@dataclass(frozen=True, kw_only=True)
class Sweep(Planned):
    """One sweep; its own fields are those of its options."""

    place = PLACE
    file = "sweep.json"
    may_change = Planned.may_change | {"trials", "concurrent", "cpus_per_trial", "gpus_per_trial"}

    trials: int
    concurrent: int | None
    cpus_per_trial: float
    gpus_per_trial: float | None
    grace: int
    seed: int
    workers_per_trial: int = 1
    register: str | None = None
    pictures: bool = True
    study: str | None = None
    sampler: str = "tpe"
    pruner: str = "asha"
    space: tuple[str, ...] = ()
    objective: tuple[str, ...] = ()
    constraint: tuple[str, ...] = ()
    fork: str | None = None

    @property
    def epochs(self) -> int:
        """How many a trial has at most, in all phases."""
        return total_epochs(self.system.recipe(self.config))

    @property
    def judged_epochs(self) -> int:
        """How many of them say something of the whole."""
        return sum(phase.epochs for phase in self.system.recipe(self.config) if phase.answers)

    @property
    def place_of_study(self) -> Place:
        """Where its study is."""
        return Place(folder=self.folder, name=self.name, url=self.study)

    @property
    def goals(self) -> list[Goal]:
        """What its trials are judged by."""
        return goals_of(self.system.merit, self.objective)

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """What is searched: the system's space, with what `--space` says."""
        return space_of(self.system, self.config, self.space)

    @property
    def bounds(self) -> list[Constraint]:
        """What a trial has to keep, to be the best."""
        return constraints_of(self.constraint)

    @property
    def job(self) -> Job:
        """What a trial trains; that of a fork begins with the weights of the trial that it left."""
        start = self.folder / FORK
        return replace(super().job, start=start if start.exists() else None)

    def judged(
        self, history: Sequence[Mapping[str, float]]
    ) -> tuple[list[float], list[float], str]:
        """A whole trial's values of the goals, and by how much it breaks each bound; or why not."""
        epoch = judged_epoch(self.goals, self.system.merit, history)
        values, why = values_of([goal.metric for goal in self.goals], epoch)
        bounded, why_not = values_of([one.metric for one in self.bounds], epoch)
        excess = [one.excess(value) for one, value in zip(self.bounds, bounded, strict=False)]
        return values, excess, why or why_not


def check_version(sweep: Sweep) -> None:
    """InputError for a sweep that a version before began: its trials are in no study."""
    if (sweep.folder / _TUNES).exists() and not (sweep.folder / OWNER).exists():
        raise InputError(
            "a version before this one began the sweep, which cannot be gone on with; its trials "
            "are in MLflow", file=sweep.folder,
            remedy="finish it with the version that began it, or begin a new one",
        )  # fmt: skip


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

    @property
    def trial(self) -> dict[str, float]:
        """What a trial takes, all its workers."""
        return {name: each * self.workers for name, each in self.worker.items()}


def room_of(sweep: Sweep, resources: Mapping[str, Any]) -> Room:
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
