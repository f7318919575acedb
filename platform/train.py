"""Train one model: Ray Train on one or many workers, resumed after a kill."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from lesions import InputError
from platform.cli import check_positive, parse_system, run
from platform.cluster import cluster, has_gpu
from platform.plans import Planned, start
from platform.results import record_test
from platform.storage import default_storage, writable
from platform.tracking import (
    NAME,
    Outbox,
    Store,
    end_run,
    find_or_create_run,
    log_metrics,
    open_store,
    provenance,
    reaching,
)
from trainables.configs import flatten
from trainables.evaluate import REPORTED
from trainables.workers import train_worker

C = TypeVar("C")
HISTORY = "history.jsonl"


@dataclass(frozen=True, kw_only=True)
class TrainOptions(Generic[C]):
    """Train a system once.

    Attributes:
        config: what is trained, and how.
        data: a prepared set; without it the shipped sample is prepared and taken.
        workers: how many train together; each sees its share of every epoch.
        cpus_per_worker: CPU cores a worker.
        name: the run's name; without it one is made from the time.
        resume: the name of a run to go on with, as it was started.
        storage: where everything is kept; all nodes must see it.
    """

    config: C
    data: Path | None = None
    workers: int = 1
    cpus_per_worker: float = 1
    name: str | None = None
    resume: str | None = None
    storage: Path | None = None

    def __post_init__(self) -> None:
        """InputError for what no training can be."""
        check_positive(self, "workers", "cpus_per_worker")


@dataclass(frozen=True, kw_only=True)
class Training(Planned):
    """One training run; its own fields are those of its options."""

    place = "trainings"
    file = "train.json"

    workers: int
    cpus_per_worker: float


def check_room(training: Training, resources: dict[str, float]) -> bool:
    """Whether the workers use GPUs; InputError when the cluster cannot hold them."""
    gpu = resources.get("GPU", 0) > 0
    wanted = {"CPU": training.workers * training.cpus_per_worker, "GPU": training.workers * gpu}
    for name, amount in wanted.items():
        if amount > (there := resources.get(name, 0)):
            raise InputError(
                f"{training.workers} workers want {amount:g} {name}, the cluster has {there:g}",
                remedy="lower --workers or --cpus-per-worker",
            )
    return gpu


def train(training: Training, gpu: bool) -> Path:
    """Train to the last epoch, going on from the last checkpoint if there is one; its folder.

    Raises:
        InputError: training failed for good.
    """
    from ray import train as ray_train
    from ray.train.torch import TorchTrainer

    trainer = TorchTrainer(
        train_worker,
        train_loop_config={"job": training.job, "history": str(training.folder / HISTORY)},
        scaling_config=ray_train.ScalingConfig(
            num_workers=training.workers,
            use_gpu=gpu,
            resources_per_worker={"CPU": training.cpus_per_worker},
        ),
        run_config=ray_train.RunConfig(
            name=training.name,
            storage_path=str(training.folder.parent),
            checkpoint_config=ray_train.CheckpointConfig(num_to_keep=2),
            failure_config=ray_train.FailureConfig(max_failures=3),
        ),
    )
    result = trainer.fit()
    if result.error is not None or result.checkpoint is None:
        raise InputError(f"training failed: {result.error}", file=training.folder)
    return Path(result.checkpoint.path)


@contextmanager
def followed(history: Path, store: Store, run_id: str) -> Iterator[None]:
    """Print and record each epoch as the workers write it to `history`."""
    ended, outbox = threading.Event(), Outbox()
    seen = _epochs_recorded(store, run_id)

    def follow() -> None:
        nonlocal seen
        while True:
            last_look = ended.wait(0.5)
            for metrics in read_history(history)[seen:]:
                seen += 1
                dice = (
                    f"  validation Dice {metrics['val_dice']:.3f}" if "val_dice" in metrics else ""
                )
                print(f"epoch {seen}  loss {metrics['train_loss']:.4f}{dice}", flush=True)
                outbox.send(_recording(store, run_id, metrics, seen))
            if last_look:
                return

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _recording(store: Store, run_id: str, metrics: dict[str, float], step: int) -> Any:
    return lambda: log_metrics(store, run_id, metrics, step)


def _epochs_recorded(store: Store, run_id: str) -> int:
    return int(store.client.get_run(run_id).data.metrics.get("epoch", 0))


def read_history(path: Path) -> list[dict[str, float]]:
    """The epochs that the workers have finished so far."""
    try:
        return [json.loads(line) for line in path.read_text().splitlines()]
    except FileNotFoundError:
        return []


def train_and_record(training: Training, storage: Path) -> Path:
    """Train, measure the best epoch on the test lesions, record all; the checkpoint's folder."""
    store = open_store(storage, training.system.name, training.system.paper)
    again = f"the checkpoints are kept: start it and go on with --resume {training.name}"
    with cluster() as resources, reaching(store, again):
        gpu = check_room(training, resources)
        training.write()
        run_id = _open_run(training, store)
        print(f"training {training.name} on {training.data.description}\n"
              f"  go on after a kill with --resume {training.name}", flush=True)  # fmt: skip
        checkpoint = record_training(training, store, run_id, gpu, resources)
    print(f"checkpoint: {checkpoint}")
    return checkpoint


def record_training(
    training: Training, store: Store, run_id: str, gpu: bool, resources: dict[str, float]
) -> Path:
    """Train, from the last checkpoint if there is one, and measure, into a run; the checkpoint."""
    with followed(training.folder / HISTORY, store, run_id):
        checkpoint = train(training, gpu)
    record_test(store, run_id, training.job, checkpoint, resources)
    end_run(store, run_id, "finished")
    _print_test(store.client.get_run(run_id).data.metrics)
    return checkpoint


def _open_run(training: Training, store: Store) -> str:
    key = {"lesion.kind": "train", "lesion.train": training.name}
    tags = {NAME: training.name, "lesion.system": training.system.name,
            "lesion.preset": training.preset, "lesion.state": "running",
            **training.data.tags(), **provenance()}  # fmt: skip
    return find_or_create_run(store, key, tags, flatten(training.config))


def _print_test(metrics: dict[str, float]) -> None:
    for name in REPORTED:
        if name in metrics:
            print(f"test {name}: {metrics[name]:.3f} ± {metrics[f'{name}_std']:.3f}")


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
        print("no GPU here or tiny asked for: the tiny preset, the same structure made small")
    train_and_record(start(Training, system, preset, options, storage), storage)


if __name__ == "__main__":
    run(main)
