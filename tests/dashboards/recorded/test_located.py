"""Reading the sweep of a system that is judged by an error: the least is the best."""

import json
import math
from typing import Any

import pytest
from mlflow import MlflowClient

from dashboards.pages.view import SweepView
from dashboards.recorded.evidence import MOST_METRICS
from dashboards.recorded.runs import read_sweep
from lesions.errors import InputError
from lesions.metrics.merit import DICE, ENDPOINTS
from tests.dashboards.conftest import log_parent
from tests.dashboards.locator import BEST, MERIT, TAGS, lesion_of


def read_lesion(client: MlflowClient, name: str, lesion: Any, tags: dict[str, str]) -> SweepView:
    """A sweep of one lesion, as read back."""
    experiment = client.create_experiment(name)
    parent = log_parent(client, experiment, "night", tags, started=1)
    client.log_text(parent, json.dumps([lesion]), "best/lesions.json")
    return read_sweep(client, name)


def test_the_best_value_of_a_trial_is_its_least(located: SweepView) -> None:
    assert located.merit == MERIT
    assert [trial.best_value(MERIT) for trial in located.trials] == BEST
    assert located.best is located.trials[1]
    assert all(set(trial.history) == {MERIT.validated, "train_loss"} for trial in located.trials)
    assert located.trials[0].best_value(DICE) is None


def test_lesions_rank_from_the_least_error(located: SweepView) -> None:
    assert [lesion.metrics.get(MERIT.name) for lesion in located.lesions] == [
        2.0, 4.0, 7.5, 31.25, None,
    ]  # fmt: skip
    worst = located.lesions[-1]
    assert (worst.metrics, worst.long_axis_mm, worst.short_axis_mm) == ({}, 23.0, 13.0)
    assert set(located.lesions[0].metrics) == set(ENDPOINTS)


@pytest.mark.parametrize("value", ["2.0", None, True, [1], 10**400, math.nan, math.inf, 1e14])
def test_what_is_no_number_is_no_metric(client: MlflowClient, tmp_path: Any, value: Any) -> None:
    lesion = {**lesion_of(1, 2.0), MERIT.name: value}
    view = read_lesion(client, str(tmp_path), lesion, TAGS)
    assert MERIT.name not in view.lesions[0].metrics
    assert view.lesions[0].metrics["long_axis_length_error"] == 1.0


def test_metrics_are_bounded(client: MlflowClient, tmp_path: Any) -> None:
    lesion = {**lesion_of(1, 2.0), **{f"made_{n}": n for n in range(5000)}}
    view = read_lesion(client, str(tmp_path), lesion, TAGS)
    assert len(view.lesions[0].metrics) == MOST_METRICS


def test_a_fraction_that_is_none_is_refused(client: MlflowClient, tmp_path: Any) -> None:
    tags = {"lesion.merit": "recall", "lesion.better": "higher"}
    with pytest.raises(InputError, match="recall is not a number from 0 to 1"):
        read_lesion(client, str(tmp_path), {**lesion_of(1, 2.0), "recall": 1.5}, tags)
