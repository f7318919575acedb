"""Two objectives and a constraint with a real driver: who is on the front, and who may not be."""

import json
import os
import signal
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from platform.tuning.study import latest
from tests.platform.agreement import check_agree, runs_of_sweep, study_at
from tests.platform.conftest import Cluster, started, wait_for_line
from tests.platform.sleeping import again, check_slept, new

pytestmark = [pytest.mark.ray, pytest.mark.slow]
# A wider square finds more, and is less often right.
GOALS = ("val_precision:max", "val_recall:max")
BOUND = "val_recall>=0.5"


def front_of(values: dict[int, list[float]]) -> set[int]:
    """Those that no other beats in both."""
    return {
        number for number, one in values.items()
        if not any(other != one and other[0] >= one[0] and other[1] >= one[1]
                   for other in values.values())
    }  # fmt: skip


def test_several_objectives_and_a_constraint_are_gone_on_with(
    ray_cluster: Cluster, tiny_set: Path, storage: Path, tmp_path: Path
) -> None:
    log, folder = tmp_path / "log", storage / "sweeps" / "night"
    words = new(storage, tiny_set, "night", "--config.seconds", 0.5, "--objective", *GOALS,
                "--constraint", BOUND, trials=8)  # fmt: skip
    with started(log, "sweep", *words, address=ray_cluster.address) as driver:
        wait_for_line(driver, log, "[3/8]", 120)
        os.kill(driver.pid, signal.SIGKILL)
        driver.wait()
    with started(log, "sweep", *again(storage, "night"), address=ray_cluster.address) as driver:
        assert driver.wait(150) == 0, log.read_text()
    assert check_agree(storage, "sleeper", "night") == dict.fromkeys(range(8), "finished")
    check_slept(storage, 8, twice=2)

    study = study_at(folder)
    trials = latest(study.trials)
    values = {number: list(one.values) for number, one in trials.items()}
    breaking = {number for number, one in trials.items() if one.values[1] < 0.5}
    assert 0 < len(breaking) < 8, values
    kept = {number: one for number, one in values.items() if number not in breaking}
    front = front_of(kept)
    assert {trials_number(one) for one in study.best_trials} == front
    for number in range(8):
        end = json.loads((folder / "trials" / f"{number:04d}" / "end.json").read_text())
        assert end["values"] == values[number]
        assert (end["constraints"][BOUND] > 0) == (number in breaking)

    parent, runs = runs_of_sweep(storage, "sleeper", "night")
    assert json.loads(parent.data.tags["lesion.objectives"]) == [
        ["val_precision", "max"], ["val_recall", "max"],
    ]  # fmt: skip
    for number, run in runs.items():
        assert json.loads(run.data.tags["lesion.values"]) == dict(
            zip(("val_precision", "val_recall"), values[number], strict=True)
        )
        assert (run.data.tags.get("lesion.breaks") == BOUND) == (number in breaking)
    assert int(parent.data.tags["lesion.best_trial"]) not in breaking

    by_precision = sorted(front, key=lambda number: -values[number][0])
    shown = ", ".join(map(str, by_precision))
    said = " ".join(log.read_text().split())
    assert f"Pareto front, by val_precision: trial {shown}." in said
    page = unescape((storage / "reports" / "night.html").read_text())
    assert "Table of the Pareto front" in page
    assert page.count(f"breaks {BOUND}") == len(breaking)


def trials_number(trial: Any) -> int:
    return int(trial.user_attrs["lesion.trial"])
