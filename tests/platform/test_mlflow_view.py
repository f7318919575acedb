"""A trial's run in MLflow, made from what is known elsewhere: whole, once, no deletion."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import ViewType

from platform.tracking.runs import find_run
from platform.tracking.store import Store
from platform.tracking.view import record_trial

STARTED = 1_700_000_000.0
PARAMS = {"search.loss.weight": 0.25, "model.features": 4}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with an experiment: making one takes a second, copying it none."""
    file = tmp_path_factory.mktemp("empty") / "mlflow.db"
    store = Store(uri=f"sqlite:///{file}", experiment="any", experiment_id="")
    assert store.client.create_experiment("any") == "1"
    return file


@pytest.fixture
def store(empty: Path, tmp_path: Path) -> Store:
    file = shutil.copy(empty, tmp_path / "mlflow.db")
    return Store(uri=f"sqlite:///{file}", experiment="any", experiment_id="1")


def epochs(*steps: int) -> list[dict[str, Any]]:
    return [
        {"epoch": step, "val_dice": step / 100, "note": "x", "whole": True,
         "timestamp": STARTED + step}
        for step in steps
    ]  # fmt: skip


def record(store: Store, told: Sequence[dict[str, Any]], state: str, **changed: Any) -> str:
    given = {
        "parent": "p", "trial_id": "t_1", "name": "trial 1", "params": PARAMS,
        "tags": {"lesion.busy_s": "7"}, "started": STARTED, "ended": STARTED + 9,
    }  # fmt: skip
    return record_trial(store, epochs=told, state=state, **given | changed)


def steps(store: Store, run_id: str, metric: str = "val_dice") -> list[tuple[int, float, int]]:
    points = store.client.get_metric_history(run_id, metric)
    return sorted((point.step, point.value, point.timestamp) for point in points)


def wanted(*numbers: int) -> list[tuple[int, float, int]]:
    return [(step, step / 100, int((STARTED + step) * 1000)) for step in numbers]


def test_a_whole_run_and_once(store: Store) -> None:
    for _ in range(2):
        run_id = record(store, epochs(1, 2, 3), "pruned")
    (run,) = store.client.search_runs(["1"])
    assert run.info.run_id == run_id
    assert run.info.run_name == "trial 1"
    assert (run.info.status, run.info.start_time, run.info.end_time) == (
        "FINISHED", STARTED * 1000, (STARTED + 9) * 1000,
    )  # fmt: skip
    assert run.data.params == {"search.loss.weight": "0.25", "model.features": "4"}
    assert run.data.tags.items() >= {
        "lesion.kind": "trial", "lesion.trial_id": "t_1", "lesion.state": "pruned",
        "lesion.busy_s": "7", "mlflow.parentRunId": "p",
    }.items()  # fmt: skip
    assert steps(store, run_id) == wanted(1, 2, 3)
    assert run.data.metrics.keys() == {"epoch", "val_dice"}


def test_only_what_is_missing_is_added(store: Store) -> None:
    run_id = record(store, epochs(1), "running", params={"model.features": 9}, tags={})
    assert store.client.get_run(run_id).info.status == "RUNNING"
    assert record(store, epochs(1, 2), "failed", tags={"lesion.reason": "no memory"}) == run_id
    run = store.client.get_run(run_id)
    assert run.data.params == {"search.loss.weight": "0.25", "model.features": "9"}
    assert (run.info.status, run.data.tags["lesion.reason"]) == ("FAILED", "no memory")
    # Tried again and whole now; its first epoch is told with another value.
    again = [*epochs(2, 3), {"epoch": 1, "val_dice": 0.9}]
    assert record(store, again, "finished") == run_id
    assert store.client.get_run(run_id).info.status == "FINISHED"
    assert steps(store, run_id) == wanted(1, 2, 3)


def test_a_reason_goes_with_the_failure_that_it_is_of(store: Store) -> None:
    run_id = record(store, epochs(1), "failed", tags={"lesion.reason": "no memory"})
    record(store, epochs(1, 2), "finished")
    assert store.client.get_run(run_id).data.tags["lesion.reason"] == ""


def test_no_run_ends_before_it_begins(store: Store) -> None:
    """A clock has gone back nine hours meanwhile."""
    run_id = record(store, epochs(1), "finished", ended=STARTED - 9 * 3600)
    run = store.client.get_run(run_id)
    assert run.info.end_time == run.info.start_time == STARTED * 1000


def test_a_run_that_goes_on_is_open_again(store: Store) -> None:
    run_id = record(store, epochs(1), "interrupted")
    assert store.client.get_run(run_id).info.status == "KILLED"
    record(store, epochs(1), "running")
    run = store.client.get_run(run_id)
    assert (run.info.status, run.data.tags["lesion.state"]) == ("RUNNING", "running")


def test_a_deleted_run_is_made_anew_and_stays_deleted(store: Store) -> None:
    first = record(store, epochs(1, 2), "finished")
    store.client.delete_run(first)
    second = record(store, epochs(1, 2), "finished")
    assert second != first
    assert steps(store, second) == wanted(1, 2)
    runs = store.client.search_runs(["1"], run_view_type=ViewType.ALL)
    assert {run.info.run_id for run in runs} == {first, second}
    assert store.client.get_run(first).info.lifecycle_stage == "deleted"


def test_another_store_gets_all_and_the_first_keeps_its_own(
    store: Store, empty: Path, tmp_path: Path
) -> None:
    before = record(store, epochs(1, 2), "running")
    file = shutil.copy(empty, tmp_path / "other.db")
    other = Store(uri=f"sqlite:///{file}", experiment="any", experiment_id="1")
    for number in range(3):
        run_id = record(other, epochs(1, 2, 3), "finished", trial_id=f"t_{number}")
        assert steps(other, run_id) == wanted(1, 2, 3)
    assert len(other.client.search_runs(["1"])) == 3
    (run,) = store.client.search_runs(["1"])
    assert (run.info.run_id, run.info.status) == (before, "RUNNING")
    assert steps(store, before) == wanted(1, 2)


def test_many_epochs_and_params_go_in_batches(store: Store) -> None:
    wide = [epoch | {f"metric_{i}": float(i) for i in range(8)} for epoch in epochs(*range(1, 301))]
    params = {f"name_{i}": i for i in range(150)}
    run_id = record(store, wide, "finished", params=params)
    assert len(store.client.get_run(run_id).data.params) == 150
    for metric in ("val_dice", "metric_7", "epoch"):
        assert [step for step, _, _ in steps(store, run_id, metric)] == list(range(1, 301))


def test_of_two_runs_of_a_trial_the_first_is_filled(store: Store) -> None:
    """A server that was too slow to answer has made both."""
    tags = {"mlflow.parentRunId": "p", "lesion.trial_id": "t_1"}
    late, first = (
        store.client.create_run("1", start_time=at, tags=tags).info.run_id for at in (2, 1)
    )
    assert record(store, epochs(1), "finished") == find_run(store, tags) == first
    assert steps(store, late) == []


def test_a_trial_without_an_epoch(store: Store) -> None:
    run_id = record(store, [], "failed", started=None, ended=None, params={})
    run = store.client.get_run(run_id)
    assert run.info.status == "FAILED"
    assert run.info.end_time >= run.info.start_time > 0
