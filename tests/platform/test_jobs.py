"""`ray job submit` against a real `ray start --head`, with the working directory and without."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from mlflow import MlflowClient

from dashboards.recorded.runs import runs_of_kind
from tests.platform.conftest import BIN, ROOT, TINY, Cluster, head_node

pytestmark = pytest.mark.ray


def submit(cluster: Cluster, storage: Path, data: Path, *options: str) -> str:
    """Submit a sweep of one trial as users do, and wait for it; what it printed."""
    sweep = ["python", "-m", "platform.sweep", "pdnet", "--storage", str(storage), "--data",
             str(data), "--trials", "1", "--config.training.epochs", "1", *TINY]  # fmt: skip
    done = subprocess.run(
        [str(BIN / "ray"), "job", "submit", "--address", cluster.dashboard, *options, "--", *sweep],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=False,
        env={k: v for k, v in os.environ.items() if k not in ("RAY_ADDRESS", "PYTHONPATH")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return re.sub(r"\x1b\[\d*m", "", done.stdout)


def check(storage: Path, shown: str) -> None:
    client = MlflowClient(tracking_uri=f"sqlite:///{storage / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("pdnet").experiment_id
    (trial,) = runs_of_kind(client, experiment, "trial")
    assert trial.info.status == "FINISHED"
    assert "[1/1] trial 0 finished" in shown
    assert "PDNet, ours" in shown
    assert "succeeded" in shown


def test_a_job_in_the_clusters_own_folder(
    two_nodes: Cluster, tiny_set: Path, tmp_path: Path
) -> None:
    check(tmp_path, submit(two_nodes, tmp_path, tiny_set))


@pytest.mark.slow
def test_a_job_with_the_working_directory(tiny_set: Path, tmp_path: Path) -> None:
    """On one node: two on one machine share the folder of uploads, and one clears it away."""
    with head_node() as head:
        check(tmp_path, submit(head, tmp_path, tiny_set, "--working-dir", "."))
