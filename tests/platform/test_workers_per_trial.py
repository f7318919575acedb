"""Sweeps whose trials are trained by two workers each: figures, resources, kills."""

import os
import re
import signal
from itertools import pairwise
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from dashboards.recorded.runs import runs_of_kind
from platform.running.training import read_history
from tests.platform.conftest import (
    QUICK,
    TINY,
    Cluster,
    command,
    open_to,
    ray_workers,
    started,
    wait_for_line,
    wait_until,
)

pytestmark = [pytest.mark.ray, pytest.mark.slow]
MADE = "tests.platform.made:Millimetres"
RATE, ERROR = "training.learning_rate", "best_val_long_axis_error"
EPOCHS = 3


def children(storage: Path, experiment: str) -> tuple[Run, list[Run]]:
    """The one sweep's run, and its trials' in order."""
    client = MlflowClient(tracking_uri=f"sqlite:///{storage / 'mlflow.db'}")
    found = client.get_experiment_by_name(experiment).experiment_id
    (parent,) = runs_of_kind(client, found, "sweep")
    return parent, runs_of_kind(client, found, "trial")


def curve(storage: Path, run: Run, name: str = "train_loss") -> dict[int, float]:
    client = MlflowClient(tracking_uri=f"sqlite:///{storage / 'mlflow.db'}")
    points = client.get_metric_history(run.info.run_id, name)
    # An epoch that a kill took from Tune is trained again, to the same figure.
    found = {(point.step, point.value) for point in points}
    assert len({step for step, _ in found}) == len(found)
    return dict(sorted(found))


def all_is_given_back() -> bool:
    import ray

    return bool(ray.available_resources().get("CPU") == 2)


@pytest.fixture(scope="module")
def storage(ray_cluster: Cluster, tiny_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep over both nodes, a CPU each, of a system from elsewhere that an error judges."""
    folder = tmp_path_factory.mktemp("two")
    assert command("sweep", MADE, "--storage", folder, "--data", tiny_set, "--name", "two",
                   "--trials", 2, "--workers-per-trial", 2, "--grace", 2, "--no-pictures",
                   "--config.training.epochs", EPOCHS, *TINY, *QUICK) == 0  # fmt: skip
    return folder


def test_a_trial_takes_two_cpus_and_gives_them_back(storage: Path, ray_cluster: Cluster) -> None:
    _, trials = children(storage, "millimetres")
    ended = sorted((run.info.start_time, run.info.end_time) for run in trials)
    for (_, end), (start, _) in pairwise(ended):
        assert start >= end - 1000, "a trial began while another had both CPUs"
    wait_until(all_is_given_back, 30, "both CPUs")
    assert ray_workers(ray_cluster, "_Worker") == []
    assert not [*(storage / "sweeps" / "two").glob("team-*")]
    assert open_to(0o077, *storage.iterdir()) == []


def test_the_smallest_error_is_the_best(storage: Path) -> None:
    parent, trials = children(storage, "millimetres")
    assert [float(run.data.params[RATE]) for run in trials] == [1e-3, 3e-2]
    states = [run.data.tags["lesion.state"] for run in trials]
    whole = [run for run, state in zip(trials, states, strict=True) if state == "finished"]
    assert [len(curve(storage, run)) for run in whole] == [EPOCHS] * len(whole)
    assert len({run.data.metrics[ERROR] for run in trials}) > 1
    best = min(whole, key=lambda run: run.data.metrics[ERROR])
    assert parent.data.tags["lesion.best_trial"] == best.data.tags["lesion.trial_id"]
    assert (parent.data.tags["lesion.merit"], parent.data.tags["lesion.better"]) == (
        "long_axis_error", "lower",
    )  # fmt: skip
    for run in trials:
        errors = curve(storage, run, "val_long_axis_error").values()
        assert run.data.metrics[ERROR] == min(errors)


def test_its_curve_is_that_of_a_training_with_two_workers(
    storage: Path, ray_cluster: Cluster, tiny_set: Path, tmp_path: Path
) -> None:
    _, (first, *_) = children(storage, "millimetres")
    wait_until(all_is_given_back, 30, "both CPUs")
    assert command("train", MADE, "--storage", tmp_path, "--data", tiny_set, "--name", "run",
                   "--workers", 2, "--register", "", "--no-pictures", "--config.training.epochs",
                   EPOCHS, *TINY, *QUICK, "--config.training.learning-rate", 1e-3) == 0  # fmt: skip
    history = read_history(tmp_path / "trainings" / "run" / "history.jsonl")
    for name in ("train_loss", "val_dice", "val_long_axis_error"):
        trained = {int(row["epoch"]): row[name] for row in history}
        assert curve(storage, first, name) == trained


def words_for(storage: Path, data: Path, trials: int, epochs: int) -> tuple[object, ...]:
    return ("pdnet", "--storage", storage, "--data", data, "--name", "killed", "--trials", trials,
            "--workers-per-trial", 2, "--grace", epochs, "--no-pictures",
            "--config.training.epochs", epochs, *TINY)  # fmt: skip


def test_a_killed_sweep_of_two_workers_goes_on(
    ray_cluster: Cluster, tiny_set: Path, tmp_path: Path
) -> None:
    storage, log, epochs = tmp_path / "store", tmp_path / "log", 12
    words = words_for(storage, tiny_set, 2, epochs)
    with started(log, "sweep", *words, address=ray_cluster.address) as driver:
        wait_until(lambda: any(storage.glob("sweeps/killed/trials/0000/checkpoint-*")), 90,
                   "the first trial's first checkpoint")  # fmt: skip
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    wait_until(lambda: not ray_workers(ray_cluster, "_Worker"), 60, "the second worker's end")
    assert command("sweep", "pdnet", "--storage", storage, "--resume", "killed") == 0
    _, trials = children(storage, "pdnet")
    assert [run.data.tags["lesion.state"] for run in trials] == ["finished"] * 2
    for run in trials:
        assert list(curve(storage, run)) == list(range(1, epochs + 1))


def test_a_trial_that_loses_a_worker_is_taken_up_again(
    ray_cluster: Cluster, tiny_set: Path, tmp_path: Path
) -> None:
    storage, log, epochs = tmp_path / "store", tmp_path / "log", 12
    words = words_for(storage, tiny_set, 1, epochs)
    with started(log, "sweep", *words, address=ray_cluster.address) as driver:
        wait_for_line(driver, log, "go on after a kill", 90)
        wait_until(lambda: any(storage.glob("sweeps/killed/trials/*/checkpoint-*")), 90,
                   "a checkpoint")  # fmt: skip
        (worker,) = ray_workers(ray_cluster, "_Worker")
        worker.kill()
        assert driver.wait(120) == 0, log.read_text()
    _, (trial,) = children(storage, "pdnet")
    assert list(curve(storage, trial)) == list(range(1, epochs + 1))
    assert re.search(r"^\[1/1\] trial 0 finished after 12 epochs", log.read_text(), re.MULTILINE)
