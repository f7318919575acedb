"""Training over Ray: one worker or two, and kills of a worker and of the driver."""

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

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

pytestmark = pytest.mark.ray
VOLATILE = ("epoch_seconds", "images_per_second")


def history_of(storage: Path, name: str) -> list[dict[str, float]]:
    history = read_history(storage / "trainings" / name / "history.jsonl")
    return [{k: v for k, v in row.items() if k not in VOLATILE} for row in history]


def run_of(storage: Path) -> tuple[Any, dict[str, list[int]]]:
    """The one training run, and the steps of its curves."""
    client = MlflowClient(tracking_uri=f"sqlite:///{storage / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("pdnet").experiment_id
    (run,) = runs_of_kind(client, experiment, "train")
    names = ("train_loss", "val_dice", "epoch")
    histories = {name: client.get_metric_history(run.info.run_id, name) for name in names}
    return run, {name: [point.step for point in found] for name, found in histories.items()}


def versions(storage: Path) -> list[Any]:
    client = MlflowClient(tracking_uri=f"sqlite:///{storage / 'mlflow.db'}")
    return list(client.search_model_versions())


def words_for(storage: Path, data: Path, epochs: int, workers: int) -> list[str]:
    words = ("pdnet", "--storage", storage, "--data", data, "--name", "run", "--workers", workers,
             "--config.training.epochs", epochs, *TINY, *QUICK)  # fmt: skip
    return list(map(str, words))


@pytest.mark.slow  # test_rounds.py trains with two workers, test_toy.py without rounds
def test_two_workers_train_one_model(
    ray_cluster: Cluster, tiny_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("train", *words_for(tmp_path, tiny_set, 3, 2)) == 0
    run, steps = run_of(tmp_path)
    assert run.info.status == "FINISHED"
    assert run.data.tags["lesion.state"] == "finished"
    assert all(found == [1, 2, 3] for found in steps.values())
    assert run.data.metrics["test_n"] == 4
    assert {"dice", "long_axis_error", "short_axis_error"} <= set(run.data.metrics)
    assert run.data.params["training.epochs"] == "3"
    shown = capsys.readouterr().out
    assert re.findall(r"^epoch (\d)  loss [\d.]+  validation Dice", shown, re.M) == [*"123"]
    assert "test Dice 0." in shown
    folder = Path(re.findall(r"^checkpoint: (.+)$", shown, re.MULTILINE)[0])
    assert {path.name for path in folder.iterdir()} == {"best.pt", "last.pt", "run.json"}
    assert open_to(0o077, *tmp_path.iterdir()) == []
    assert re.findall("^registered (.+)$", shown, re.MULTILINE) == [
        "pdnet-stage2:1, the champion: the first version"
    ]
    (version,) = versions(tmp_path)
    assert version.run_id == run.info.run_id
    assert float(version.tags["lesion.val_dice"]) == run.data.metrics["best_val_dice"]
    for name in ("lesion.system", "lesion.preset", "lesion.data_fingerprint", "lesion.git_commit"):
        assert version.tags[name] == run.data.tags[name]


@pytest.mark.slow
def test_kills_of_worker_and_driver_cost_no_epoch(
    ray_cluster: Cluster, tiny_set: Path, tmp_path: Path
) -> None:
    """The run goes on by itself, then by --resume, along an uninterrupted run's very curve."""
    epochs, log = 12, tmp_path / "log"
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert command("train", *words_for(whole, tiny_set, epochs, 1)) == 0
    words = words_for(broken, tiny_set, epochs, 1)
    with started(log, "train", *words, address=ray_cluster.address) as driver:
        wait_for_line(driver, log, "epoch 2 ", 90)
        for worker in ray_workers(ray_cluster, "RayTrainWorker"):
            worker.kill()
        killed_at = len(history_of(broken, "run"))
        assert 2 <= killed_at < epochs, "the worker was killed in the middle"
        wait_for_line(driver, log, f"epoch {killed_at + 2} ", 90)
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    wait_until(
        lambda: not ray_workers(ray_cluster, "RayTrainWorker"), 30, "the driver's workers to go"
    )
    assert len(history_of(broken, "run")) < epochs, "the driver was killed in the middle"
    assert command("train", "pdnet", "--storage", broken, "--resume", "run") == 0
    assert history_of(broken, "run") == history_of(whole, "run")
    run, steps = run_of(broken)
    assert run.info.status == "FINISHED"
    assert all(found == [*range(1, epochs + 1)] for found in steps.values())


@pytest.mark.slow
def test_resuming_a_finished_run_trains_no_more(
    ray_cluster: Cluster, tiny_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("train", *words_for(tmp_path, tiny_set, 1, 1)) == 0
    before = time.time()
    plan = tmp_path / "trainings" / "run" / "train.json"
    asked = json.loads(plan.read_text())
    assert asked.pop("register") is None
    plan.write_text(json.dumps(asked))  # as it was before models were registered
    capsys.readouterr()
    assert command("train", "pdnet", "--storage", tmp_path, "--resume", "run") == 0
    assert "epoch 1" not in capsys.readouterr().out
    assert (tmp_path / "trainings" / "run" / "history.jsonl").stat().st_mtime < before
    assert json.loads(plan.read_text())["workers"] == 1
    assert len(versions(tmp_path)) == 1
