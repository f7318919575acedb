"""kill -9 of a sweep's driver, then --resume: nothing is run twice, nothing is recorded twice."""

import os
import re
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from optuna.trial import TrialState

from dashboards.recorded.runs import runs_of_kind
from tests.platform.agreement import check_agree, study_at
from tests.platform.conftest import (
    TINY,
    Cluster,
    command,
    ray_workers,
    started,
    wait_for_line,
    wait_until,
)

pytestmark = pytest.mark.ray
SECOND = "sweeps/killed/trials/0001/checkpoint-*"


def trials_of(storage: Path) -> dict[str, Run]:
    client = MlflowClient(tracking_uri=f"sqlite:///{storage / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("pdnet").experiment_id
    runs = runs_of_kind(client, experiment, "trial")
    assert len({run.data.tags["lesion.trial_id"] for run in runs}) == len(runs)
    return {run.data.tags["lesion.trial_id"]: run for run in runs}


def recorded(storage: Path, run: Run) -> Any:
    """When a run was, and every point of its curves."""
    client = MlflowClient(tracking_uri=f"sqlite:///{storage / 'mlflow.db'}")
    points = client.get_metric_history(run.info.run_id, "train_loss")
    times = (run.info.start_time, run.info.end_time, run.info.status)
    return times, [(point.step, point.value, point.timestamp) for point in points]


def ended(storage: Path) -> set[str]:
    """The trials that have ended, by their ids."""
    return {path.parent.name for path in storage.glob("sweeps/killed/trials/*/end.json")}


def test_a_killed_sweep_goes_on_where_it_was(
    ray_cluster: Cluster, tiny_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And that in a storage that was moved with the data in it, as to another disk."""
    begun, storage, log = tmp_path / "begun", tmp_path / "store", tmp_path / "log"
    data = shutil.copytree(tiny_set, begun / "prepared" / "tiny")
    words = ("pdnet", "--storage", begun, "--data", data, "--name", "killed", "--trials", 3,
             "--concurrent", 1, "--config.training.epochs", 6, "--grace", 6, *TINY)  # fmt: skip
    with started(log, "sweep", *words, address=ray_cluster.address) as driver:
        wait_for_line(driver, log, "[1/3]", 90)
        wait_until(lambda: any(begun.glob(SECOND)), 60, "the second trial's first checkpoint")
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    wait_until(lambda: not ray_workers(ray_cluster, "ImplicitFunc"), 60, "the trial's process")
    begun.rename(storage)
    before, finished = trials_of(storage), ended(storage)
    assert finished >= {"0000"}
    kept = {name: recorded(storage, before[name]) for name in finished}

    assert command("sweep", "pdnet", "--storage", storage, "--resume", "killed") == 0
    after = trials_of(storage)
    assert len(after) == 3
    assert {run.info.status for run in after.values()} == {"FINISHED"}
    assert {name: recorded(storage, after[name]) for name in finished} == kept
    for run in after.values():
        assert [step for step, *_ in recorded(storage, run)[1]][-1] == 6
    shown = capsys.readouterr().out
    lines = re.findall(r"^\[(\d)/3\] trial (\d)", shown, re.MULTILINE)
    assert [int(done) for done, _ in lines] == list(range(4 - len(lines), 4))
    assert len(lines) <= 3 - len(finished)
    assert "Measured on" in shown
    assert set(check_agree(storage, "pdnet", "killed").values()) == {"finished"}
    assert [trial.state for trial in study_at(storage / "sweeps" / "killed").trials] == [
        TrialState.COMPLETE
    ] * 3
    assert "best validation Dice" in shown
    assert not begun.exists(), "nothing is written to the old place"


@pytest.mark.slow
def test_a_sweep_killed_before_its_first_trial_ends(
    ray_cluster: Cluster, tiny_set: Path, tmp_path: Path
) -> None:
    """On a cluster of its own, whose processes must go when their driver is gone."""
    storage, log = tmp_path / "store", tmp_path / "log"
    words = ("pdnet", "--storage", storage, "--data", tiny_set, "--name", "early", "--trials", 2,
             "--config.training.epochs", 2, *TINY)  # fmt: skip
    with started(log, "sweep", *words, address="local") as driver:
        wait_until(lambda: (storage / "sweeps" / "early" / "study.log").exists(), 60, "the start")
        time.sleep(0.5)
        own = psutil.Process(driver.pid).children(recursive=True)
        assert any("raylet" in process.name() for process in own)
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    assert not any("[" in line[:1] for line in log.read_text().splitlines())
    assert command("sweep", "pdnet", "--storage", storage, "--resume", "early") == 0
    _, alive = psutil.wait_procs(own, timeout=60)
    assert alive == [], "Ray's processes outlived their driver"
    runs = trials_of(storage)
    assert len(runs) == 2
    assert {run.info.status for run in runs.values()} == {"FINISHED"}


@pytest.mark.slow
def test_resuming_a_finished_sweep_changes_nothing(
    ray_cluster: Cluster, tiny_set: Path, tmp_path: Path
) -> None:
    words = ("pdnet", "--storage", tmp_path, "--data", tiny_set, "--name", "done", "--trials", 1,
             "--config.training.epochs", 1, *TINY)  # fmt: skip
    assert command("sweep", *words) == 0
    kept = {name: recorded(tmp_path, run) for name, run in trials_of(tmp_path).items()}
    assert command("sweep", "pdnet", "--storage", tmp_path, "--resume", "done") == 0
    assert {name: recorded(tmp_path, run) for name, run in trials_of(tmp_path).items()} == kept
