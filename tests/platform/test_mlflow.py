"""An MLflow server that is away: told at once at the start, and waited for in the middle."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow import MlflowClient

from dashboards.recorded.runs import runs_of_kind
from dashboards.tables.papers import paper_rows
from platform.tracking.store import Store, open_store
from tests.platform.conftest import TINY, Cluster, answers, command, free_port, wait_until


@contextmanager
def mlflow_server(folder: Path, port: int) -> Iterator[Callable[[int], None]]:
    """A real server over SQLite, and what sends its processes a signal."""
    words = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
             "--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/server.db",
             "--artifacts-destination", str(folder / "artifacts")]  # fmt: skip
    env = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "server.log").open("a") as log:
        server = subprocess.Popen(words, env=env, stdout=log, stderr=log, start_new_session=True)

    def send(number: int) -> None:
        if server.poll() is None:
            os.killpg(server.pid, number)

    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"), 60, "the MLflow server")
        yield send
    finally:
        send(signal.SIGKILL)
        server.wait()


@pytest.mark.parametrize("name", ["sweep", "train"])
def test_a_dead_server_is_told_within_seconds(
    name: str,
    tiny_set: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    began = time.monotonic()
    assert command(name, "pdnet", "--storage", tmp_path, "--data", tiny_set) == 2
    assert time.monotonic() - began < 15
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(said) == 1
    assert f"the MLflow server at {uri} does not answer" in said[0]
    assert "start it, or unset MLFLOW_TRACKING_URI to record in a local file" in said[0]


def trials(store: Store) -> dict[str, tuple[str, list[int]]]:
    """Each trial's state and recorded epochs, each as often as it was recorded.

    MLflow lists points by their time, and Tune keeps whole seconds of what is told later.
    """
    client = MlflowClient(tracking_uri=store.uri)

    def steps(run_id: str) -> list[int]:
        return sorted(point.step for point in client.get_metric_history(run_id, "train_loss"))

    return {
        str(run.info.run_name): (run.data.tags["lesion.state"], steps(run.info.run_id))
        for run in runs_of_kind(client, store.experiment_id, "trial")
    }


@pytest.mark.slow
@pytest.mark.ray
def test_a_sweep_outlives_its_server(
    ray_cluster: Cluster,
    tiny_set: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Killed after the first trial: the sweep runs to its end, and --resume records the rest."""
    port = free_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    sweep = tmp_path / "sweeps" / "lonely"
    words = ["pdnet", "--storage", tmp_path, "--data", tiny_set, "--name", "lonely", "--trials", 3,
             "--concurrent", 1, "--config.training.epochs", 3, "--grace", 3, *TINY]  # fmt: skip
    with mlflow_server(tmp_path, port) as send:

        def kill_after_the_first_trial() -> None:
            wait_until(
                lambda: len([*sweep.glob("trials/0001/trial.json")]) > 0, 120, "a second trial"
            )
            send(signal.SIGKILL)

        watcher = threading.Thread(target=kill_after_the_first_trial)
        watcher.start()
        assert command("sweep", *words) == 2
        watcher.join()
    shown = capfd.readouterr()
    assert len(re.findall(r"^\[\d/3\] trial \d finished", shown.out, re.MULTILINE)) == 3
    assert "MLflow is away; its records wait" in shown.out
    assert "the trials are kept: start it and go on with --resume lonely" in shown.err
    assert "Traceback" not in shown.err
    with mlflow_server(tmp_path, port):
        assert command("sweep", "pdnet", "--storage", tmp_path, "--resume", "lonely") == 0
        store = open_store(tmp_path, "pdnet", "pdnet")
        assert trials(store) == {f"trial {n}": ("finished", [1, 2, 3]) for n in range(3)}
        (parent,) = runs_of_kind(store.client, store.experiment_id, "sweep")
        assert parent.info.status == "FINISHED"
        assert parent.data.metrics["test_n"] == 4
        baselines = runs_of_kind(store.client, store.experiment_id, "baseline")
        assert len(baselines) == len(paper_rows("pdnet"))
    assert "trial 0 finished" not in capfd.readouterr().out
