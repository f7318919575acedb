"""One training over Ray Train: resumed after a kill, followed each epoch, measured, recorded."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboards.tables.comparison import result_words
from dashboards.tables.metrics import metric_of
from dashboards.tables.terminal import say
from lesions import InputError
from lesions.readers.bounded import parse_json, read_text
from platform.running.plans import Planned
from platform.tracking.outbox import Outbox
from platform.tracking.results import record_test
from platform.tracking.runs import end_run, log_metrics
from platform.tracking.store import Store
from trainables.recipe import rounds_of
from trainables.system import System
from trainables.workers import train_worker

HISTORY = "history.jsonl"


@dataclass(frozen=True, kw_only=True)
class Training(Planned):
    """One training run; its own fields are those of its options."""

    place = "trainings"
    file = "train.json"
    may_change = Planned.may_change | {"cpus_per_worker"}

    workers: int
    cpus_per_worker: float
    register: str | None = None
    pictures: bool = True

    @property
    def rounds(self) -> list[range]:
        """The phases of its recipe, cut before each that makes the training masks anew."""
        return rounds_of(self.system.recipe(self.config))

    @property
    def last_checkpoint(self) -> Path:
        """The newest checkpoint's folder: Ray Train names them after their time."""
        count = len(self.rounds)
        return newest_checkpoint(self.folder if count == 1 else self.folder / round_name(count))


def newest_checkpoint(folder: Path) -> Path:
    """The newest in a folder of Ray Train's."""
    return max(folder.glob("checkpoint_[0-9]*"))


def round_name(number: int) -> str:
    """A training round's, in its training's folder."""
    return f"round-{number}"


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
def followed(history: Path, system: System, store: Store, run_id: str) -> Iterator[None]:
    """Print and record each epoch as the workers write it to `history`; say what was not recorded.

    An epoch that MLflow did not take in an earlier run is recorded now.
    """
    ended, outbox = threading.Event(), Outbox()
    recorded, seen = _epochs_recorded(store, run_id), 0

    def follow() -> None:
        nonlocal seen
        while True:
            last_look = ended.wait(0.5)
            for metrics in _news(history, seen):
                seen += 1
                if metrics["epoch"] not in recorded:
                    say(_line(metrics, system))
                    outbox.send(_recording(store, run_id, metrics), f"epoch {metrics['epoch']:.0f}")
            if last_look:
                return

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        outbox.flush()
        for line in outbox.report():
            say(line)


def _news(history: Path, seen: int) -> list[dict[str, float]]:
    try:
        return read_history(history)[seen:]
    except InputError:  # the workers write it anew after the next epoch
        return []


def _line(metrics: dict[str, float], system: System) -> str:
    merit = system.merit
    line = f"epoch {metrics['epoch']:.0f}  loss {metrics['train_loss']:.4f}"
    if merit.validated not in metrics:
        return line
    return f"{line}  validation {metric_of(merit.name).words} {metrics[merit.validated]:.3f}"


def _recording(store: Store, run_id: str, metrics: dict[str, float]) -> Any:
    return lambda: log_metrics(store, run_id, metrics, int(metrics["epoch"]))


def _epochs_recorded(store: Store, run_id: str) -> set[int]:
    return {point.step for point in store.client.get_metric_history(run_id, "epoch")}


def read_history(path: Path) -> list[dict[str, float]]:
    """The epochs that the workers have finished so far; a line that was cut off is left out.

    Raises:
        InputError: another line is damaged.
    """
    try:
        lines = read_text(path).split("\n")[:-1]  # what follows the last end of a line was cut off
    except FileNotFoundError:
        return []
    return [_epoch(line, path, row) for row, line in enumerate(lines, 1)]


def _epoch(line: str, path: Path, row: int) -> dict[str, float]:
    try:
        metrics = parse_json(line, dict, path)
    except InputError as error:
        raise InputError(error.reason, file=path, row=row) from None
    numbers = all(type(value) in (int, float) for value in metrics.values())
    if not {"epoch", "train_loss"} <= metrics.keys() or not numbers:
        raise InputError("is not an epoch's object of numbers", file=path, row=row)
    return metrics


def record_training(
    training: Training, store: Store, run_id: str, gpu: bool, resources: dict[str, float]
) -> Path:
    """Train, from the last checkpoint if there is one, and measure, into a run; the checkpoint."""
    with followed(training.folder / HISTORY, training.system, store, run_id):
        checkpoint = train(training, gpu)
    record_test(store, run_id, training.job, checkpoint, resources, training.pictures)
    end_run(store, run_id, "finished")
    metrics = store.client.get_run(run_id).data.metrics
    for line in result_words(metrics, training.system.reported):
        say(line)
    return checkpoint
