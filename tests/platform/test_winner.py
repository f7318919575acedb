"""A sweep's own run has the winner's params, over a real SQLite store; MLflow lets none change."""

import json
from pathlib import Path
from typing import Any

import pytest

from platform.tracking.runs import find_or_create_run
from platform.tracking.store import Store
from platform.tuning.finishing import params_at_start, record_winner
from tests.boxed import Boxed, Config, save
from trainables.checkpoint import RUN
from trainables.configs import flatten
from trainables.registry import SYSTEMS

RATE = "training.learning_rate"


@pytest.fixture
def winner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkpoint of a trial with a learning rate of its own."""
    monkeypatch.setitem(SYSTEMS, "boxed", Boxed())
    folder = save(Boxed(), tmp_path / "best")
    with_rate(folder, 0.25)
    return folder


def with_rate(folder: Path, rate: float) -> None:
    run = json.loads((folder / RUN).read_text())
    run["config"][RATE] = rate
    (folder / RUN).write_text(json.dumps(run))


def begun(store: Store, params: dict[str, Any]) -> str:
    return find_or_create_run(store, {"lesion.sweep": "one"}, {"lesion.kind": "sweep"}, params)


def test_what_is_searched_is_recorded_when_the_winner_is_known(
    store: Store, winner: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = params_at_start(Config(), {RATE})
    assert {RATE, *start} == flatten(Config()).keys()
    run_id = begun(store, start)
    for _ in range(2):  # a resumed sweep records it again
        record_winner(store, run_id, winner, {RATE})
    data = store.client.get_run(run_id).data
    assert data.params == {
        **{name: str(value) for name, value in flatten(Config()).items()},
        RATE: "0.25", f"search.{RATE}": "0.25",
    }  # fmt: skip
    assert json.loads(data.tags["lesion.best_params"]) == {RATE: 0.25}
    assert "lesion.stale_params" not in data.tags
    assert capsys.readouterr().out == ""


def test_a_run_of_a_version_before_says_that_its_params_are_the_starts(
    store: Store, winner: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = begun(store, flatten(Config()))
    record_winner(store, run_id, winner, {RATE})
    data = store.client.get_run(run_id).data
    assert data.params[RATE] == str(flatten(Config())[RATE])
    assert data.params[f"search.{RATE}"] == "0.25"
    assert data.tags["lesion.stale_params"] == RATE
    assert f"MLflow cannot change params: {RATE} of the sweep's" in capsys.readouterr().out


def test_another_winner_after_failed_trials_were_tried_again(store: Store, winner: Path) -> None:
    run_id = begun(store, params_at_start(Config(), {RATE}))
    record_winner(store, run_id, winner, {RATE})
    with_rate(winner, 0.5)
    record_winner(store, run_id, winner, {RATE})
    data = store.client.get_run(run_id).data
    assert json.loads(data.tags["lesion.best_params"]) == {RATE: 0.5}
    assert data.tags["lesion.stale_params"].split() == [RATE, f"search.{RATE}"]
