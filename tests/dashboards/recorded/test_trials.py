"""What a trial's tags tell: what it held, for how long, why it failed; and a sweep's objectives."""

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from dashboards.pages.view import SweepView, Trial
from dashboards.recorded.runs import read_sweep
from dashboards.recorded.trials import numbers_of, objectives_of, resources_of
from lesions.metrics.merit import Merit
from tests.dashboards.conftest import child, log_parent


@pytest.fixture
def fresh(client: MlflowClient, tmp_path: Path) -> tuple[str, str]:
    """A new experiment's id, and an empty sweep's of two objectives."""
    experiment = client.create_experiment(tmp_path.name, artifact_location=tmp_path.as_uri())
    pairs = json.dumps([["val_dice", "max"], ["seconds", "min"]])
    return experiment, log_parent(client, experiment, "n", {"lesion.objectives": pairs}, started=1)


def log(
    client: MlflowClient, fresh: tuple[str, str], trial_id: str, started: int, **tags: str
) -> str:
    wanted = {f"lesion.{name}": text for name, text in tags.items() if name != "name"}
    wanted |= {"lesion.kind": "trial", "lesion.trial_id": trial_id}
    if "name" in tags:
        wanted["mlflow.runName"] = tags["name"]
    numbers = {"seconds": 0.25, "val_dice": 0.5, "images_per_second": 40.0}
    return child(client, *fresh, wanted, metrics=numbers, started=started)


def read(client: MlflowClient, fresh: tuple[str, str]) -> SweepView:
    return read_sweep(client, client.get_experiment(fresh[0]).name)


def test_what_a_trial_took(client: MlflowClient, fresh: tuple[str, str]) -> None:
    run_id = log(client, fresh, "a", 1000, state="failed", resources='{"CPU": 2, "GPU": 0.5}',
                 busy_s="1800", reason="no memory\n  left", breaks="val_n>=9")  # fmt: skip
    client.set_terminated(run_id, "FAILED", 5_000_000)
    log(client, fresh, "b", 2000, state="finished")
    view = read(client, fresh)
    failed, before = view.trials
    assert (failed.hours_of("CPU"), failed.hours_of("GPU")) == (1.0, 0.25)
    assert (failed.seconds, failed.reason) == (1800, "no memory left")
    assert (failed.images_per_second, failed.breaks) == (40, "val_n>=9")
    assert (failed.started, failed.ended) == (1000, 5_000_000)
    assert failed.values == {"seconds": 0.25, "val_dice": 0.5}
    assert (before.hours_of("CPU"), before.seconds, before.reason) == (None, None, "")
    assert view.objectives == [Merit(name="val_dice"), Merit(name="seconds", better="lower")]


def test_trials_have_the_numbers_of_their_names(
    client: MlflowClient, fresh: tuple[str, str]
) -> None:
    """The first was made anew, later than the others; and one has two runs."""
    log(client, fresh, "b", 2000, name="trial 1", state="pruned")
    log(client, fresh, "c", 3000, name="trial 2")
    log(client, fresh, "a", 9000, name="trial 0")
    log(client, fresh, "b", 9500, name="trial 1", state="running")
    trials = read(client, fresh).trials
    assert [(one.number, one.trial_id) for one in trials] == [(0, "a"), (1, "b"), (2, "c")]
    assert trials[1].state == "pruned"


def test_numbers_of_names() -> None:
    assert numbers_of(["trial 3", "trial 0"]) == [3, 0]
    assert numbers_of(["trial 3", "trial 3"]) == [0, 1]
    assert numbers_of(["trial 3", None, "sly-fox-12"]) == [0, 1, 2]
    assert numbers_of(["trial 3", "trial ४"]) == [0, 1]
    assert numbers_of([]) == []


NONSENSE = ["", "x", "[]", "{}", "null", "[1, 2]", '[["a"]]', '[["a", ["max"]]]', '{"a": {}}',
            '[["a", "up"]]', '[[1, "max"]]', "[" * 9999]  # fmt: skip


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_tells_nothing(text: str) -> None:
    assert objectives_of(text) == []
    assert resources_of(text) == {}


def test_resources_are_amounts() -> None:
    assert resources_of('{"CPU": 1, "GPU": -1, "x": "a", "y": NaN, "z": 1e99}') == {"CPU": 1.0}


@pytest.mark.parametrize("pair", [["val_dice", "max"], ["best_val_dice", "maximize"]])
def test_one_objective_that_is_the_merit_is_none(
    client: MlflowClient, fresh: tuple[str, str], pair: list[str]
) -> None:
    client.set_tag(fresh[1], "lesion.objectives", json.dumps([pair]))
    assert read(client, fresh).objectives == []


def test_a_time_of_no_trial() -> None:
    odd = Trial(number=0, trial_id="a", state="finished", searched={}, history={}, started=9.0,
                ended=1.0)  # fmt: skip
    assert odd.seconds == 0
