"""Train one model: Ray Train on one or many workers, resumed after a kill."""

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from dashboards.tables.terminal import say
from lesions.names import check_name
from platform.command_line.options import WhichRun, check_positive, parse_system, run
from platform.running.cluster import cluster, has_gpu
from platform.running.plans import start
from platform.running.rounds import record_rounds
from platform.running.storage import default_storage, writable
from platform.running.training import Training, check_room
from platform.tracking.champions import register
from platform.tracking.provenance import provenance
from platform.tracking.runs import NAME, find_or_create_run, interruptible, merit_tags
from platform.tracking.store import Store, open_store, reaching
from trainables.configs import flatten
from trainables.parts import protocol

C = TypeVar("C")


@dataclass(frozen=True, kw_only=True)
class TrainOptions(WhichRun, Generic[C]):
    """Train a system once.

    Attributes:
        config: what is trained, and how.
        data: a prepared set; without it the shipped sample is prepared and taken.
        parts: trained parts of the system that the recipe takes over, where it does: checkpoints'
            folders, NAME@ALIAS or NAME:VERSION.
        workers: how many train together; each sees its share of every epoch.
        cpus_per_worker: CPU cores a worker.
        register: the model's name in MLflow's registry; without it the system's, "" for none.
        pictures: of lesions in MLflow; `--no-pictures` records none.
        storage: where everything is kept; all nodes must see it.
    """

    config: C
    data: Path | None = None
    parts: tuple[str, ...] = ()
    workers: int = 1
    cpus_per_worker: float = 1
    register: str | None = None
    pictures: bool = True
    storage: Path | None = None

    def __post_init__(self) -> None:
        """InputError for what no training can be."""
        super().__post_init__()
        check_positive(self, "workers", "cpus_per_worker")
        if self.register:
            check_name(self.register)


def train_and_record(training: Training, storage: Path) -> Path:
    """Train, measure the best epoch on the test lesions, record all; the checkpoint's folder."""
    store = open_store(storage, training.system.name, training.system.paper)
    again = f"the checkpoints are kept: start it and go on with --resume {training.name}"
    with cluster() as resources, reaching(store, again):
        gpu = check_room(training, resources)
        training.write()
        run_id = _open_run(training, store)
        say(f"training {training.name} on {training.data.description}\n"
            f"  go on after a kill with --resume {training.name}")  # fmt: skip
        with interruptible(store, run_id):
            checkpoint, result = record_rounds(training, store, run_id, gpu, resources)
        register(store, result, checkpoint, training.register)
    say(f"checkpoint: {checkpoint}")
    return checkpoint


def _open_run(training: Training, store: Store) -> str:
    key = {"lesion.kind": "train", "lesion.train": training.name}
    tags = {NAME: training.name, "lesion.system": training.system.name,
            "lesion.preset": training.preset, "lesion.state": "running",
            "lesion.protocol": protocol(training.system, [training.config]),
            **merit_tags(training.system.merit), **training.data.tags(),
            **provenance()}  # fmt: skip
    return find_or_create_run(store, key, tags, flatten(training.config))


def main() -> None:
    """Parse the command line and train."""
    system, preset, options = parse_system(
        TrainOptions,
        prog="python -m platform.train",
        has_gpu=has_gpu,
        make=lambda config: TrainOptions(config=config),
    )
    storage = writable(options.storage or default_storage())
    if preset == "tiny":
        say("no GPU here or tiny asked for: the tiny preset, the same structure made small")
    with start(Training, system, preset, options, storage) as training:
        train_and_record(training, storage)


if __name__ == "__main__":
    run(main)
