"""The papers' rows in a real MLflow store: once, whoever asks and however often."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from dashboards.recorded.baselines import KEY, log_baselines
from dashboards.recorded.runs import runs_of_kind
from dashboards.tables.papers import paper_rows

RACER = """
import sys, time
from pathlib import Path
from mlflow import MlflowClient
from dashboards.recorded.baselines import log_baselines
uri, experiment, here, there = sys.argv[1:]
client = MlflowClient(tracking_uri=uri)
client.search_runs([experiment])
Path(here).touch()
while not Path(there).exists():
    time.sleep(0.001)
log_baselines(client, experiment, "pdnet")
"""


@pytest.fixture
def empty(client: MlflowClient, tmp_path: Path) -> str:
    """A new experiment's id."""
    return str(client.create_experiment(tmp_path.name, artifact_location=tmp_path.as_uri()))


def keys(client: MlflowClient, experiment: str) -> list[str]:
    return sorted(run.data.tags[KEY] for run in runs_of_kind(client, experiment, "baseline"))


def wanted(paper: str) -> list[str]:
    return sorted(row.key for row in paper_rows(paper))


def test_every_row_becomes_one_finished_run(client: MlflowClient, empty: str) -> None:
    assert log_baselines(client, empty, "pdnet") == len(paper_rows("pdnet"))
    assert keys(client, empty) == wanted("pdnet")
    (run,) = [
        run
        for run in runs_of_kind(client, empty, "baseline")
        if run.data.tags[KEY] == "pdnet/1/deeplesion_test/all/PDNet"
    ]
    assert run.info.run_name == "paper: PDNet · deeplesion_test"
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {
        "precision": 0.961, "precision_std": 0.044, "recall": 0.898, "recall_std": 0.077,
        "dice": 0.924, "dice_std": 0.045, "long_axis_error": 1.733, "long_axis_error_std": 1.470,
        "short_axis_error": 1.524, "short_axis_error_std": 1.374,
    }  # fmt: skip
    tags = {name: run.data.tags[f"lesion.{name}"] for name in ("paper", "table", "dataset")}
    assert tags == {"paper": "pdnet", "table": "1", "dataset": "deeplesion_test"}
    assert run.data.tags["lesion.subgroup"] == "all"
    assert run.data.tags["lesion.method"] == "PDNet"


def test_the_second_call_logs_nothing(client: MlflowClient, empty: str) -> None:
    log_baselines(client, empty, "ahrnet")
    assert log_baselines(client, empty, "ahrnet") == 0
    assert keys(client, empty) == wanted("ahrnet")


def test_papers_share_an_experiment(client: MlflowClient, empty: str) -> None:
    log_baselines(client, empty, "pdnet")
    log_baselines(client, empty, "coseg")
    assert keys(client, empty) == sorted(wanted("pdnet") + wanted("coseg"))


def test_a_deleted_row_comes_back(client: MlflowClient, empty: str) -> None:
    log_baselines(client, empty, "coseg")
    client.delete_run(runs_of_kind(client, empty, "baseline")[0].info.run_id)
    assert log_baselines(client, empty, "coseg") == 1
    assert keys(client, empty) == wanted("coseg")


def test_what_a_killed_process_left_is_logged_again(client: MlflowClient, empty: str) -> None:
    row = paper_rows("coseg")[0]
    tags = {"lesion.kind": "baseline", KEY: row.key}
    long_ago = client.create_run(empty, tags=tags, start_time=1_000)
    assert log_baselines(client, empty, "coseg") == len(paper_rows("coseg"))
    assert keys(client, empty) == wanted("coseg")
    assert client.get_run(long_ago.info.run_id).info.lifecycle_stage == "deleted"


def test_the_oldest_of_two_runs_stays(client: MlflowClient, empty: str) -> None:
    tags = {"lesion.kind": "baseline", KEY: paper_rows("coseg")[0].key}
    younger, older = (
        client.create_run(empty, tags=tags, start_time=time).info.run_id for time in (2_000, 1_000)
    )
    for run_id in (younger, older):
        client.set_terminated(run_id)
    log_baselines(client, empty, "coseg")
    assert keys(client, empty) == wanted("coseg")
    assert client.get_run(older).info.lifecycle_stage == "active"


def test_two_processes_at_once_leave_one_run_each(client: MlflowClient, empty: str) -> None:
    folder = Path(client.get_experiment(empty).artifact_location.removeprefix("file://"))
    here, there = folder / "here", folder / "there"
    command = [sys.executable, "-c", RACER, client.tracking_uri, empty, there, here]
    with subprocess.Popen(command, cwd=Path(__file__).parents[3]) as racer:
        while not there.exists():
            assert racer.poll() is None
            time.sleep(0.001)
        here.touch()
        log_baselines(client, empty, "pdnet")
        assert racer.wait(timeout=60) == 0
    assert keys(client, empty) == wanted("pdnet")


@pytest.mark.parametrize("paper", ["", "resnet"])
def test_a_system_without_a_paper_has_no_baselines(
    client: MlflowClient, empty: str, paper: str
) -> None:
    assert log_baselines(client, empty, paper) == 0
    assert keys(client, empty) == []
