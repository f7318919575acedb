"""Training in rounds over Ray: what is told of each, and a kill -9 that repeats nothing."""

import json
import os
import re
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from dashboards.recorded.runs import runs_of_kind
from lesions.prepared import PreparedSet
from lesions.prepared.round_masks import RoundLesions, read_figures
from platform.running.datasets import Data
from platform.running.rounds import round_of
from platform.running.training import Training, read_history
from tests.platform.conftest import (
    QUICK,
    TINY,
    Cluster,
    command,
    open_to,
    started,
    wait_for_line,
    wait_until,
)
from trainables.pdnet import PDNetSystem
from trainables.pdnet.config import tiny

pytestmark = pytest.mark.ray
VOLATILE = ("epoch_seconds", "images_per_second")


def words_for(storage: Path, data: Path, epochs: int, rounds: int) -> list[str]:
    words = ("pdnet", "--storage", storage, "--data", data, "--name", "run",
             "--config.rounds", rounds, "--config.training.epochs", epochs,
             *TINY, *QUICK)  # fmt: skip
    return list(map(str, words))


def runs_in(storage: Path, kind: str) -> list[Run]:
    client = MlflowClient(tracking_uri=f"sqlite:///{storage / 'mlflow.db'}")
    return runs_of_kind(client, client.get_experiment_by_name("pdnet").experiment_id, kind)


def steps_of(storage: Path, run: Run, metric: str) -> list[tuple[int, float]]:
    client = MlflowClient(tracking_uri=f"sqlite:///{storage / 'mlflow.db'}")
    return [(p.step, p.value) for p in client.get_metric_history(run.info.run_id, metric)]


def curve(storage: Path, number: int) -> list[dict[str, float]]:
    history = read_history(storage / "trainings" / "run" / f"round-{number}" / "history.jsonl")
    return [{k: v for k, v in row.items() if k not in VOLATILE} for row in history]


def test_the_last_rounds_checkpoint_is_the_trainings(tmp_path: Path) -> None:
    for place in ("checkpoint_2026-01", "round-1/checkpoint_2026-02", "round-2/checkpoint_2026-03"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "round-2" / "checkpoint_manager_snapshot.json").touch()
    for rounds, place in ((1, "checkpoint_2026-01"), (2, "round-2/checkpoint_2026-03")):
        training = Training(
            name="run", folder=tmp_path, system=PDNetSystem(), preset="tiny",
            config=replace(tiny(), rounds=rounds),
            data=Data(root=tmp_path, fingerprint="", description="", truth=""),
            workers=1, cpus_per_worker=1,
        )  # fmt: skip
        assert training.last_checkpoint == tmp_path / place
        assert round_of(training, 1).last_checkpoint == (
            tmp_path / "round-1" / "checkpoint_2026-02"
        )


@pytest.mark.slow
def test_two_rounds_by_two_workers(
    ray_cluster: Cluster, tiny_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("train", *words_for(tmp_path, tiny_set, 2, 2), "--workers", 2) == 0
    assert open_to(0o077, *tmp_path.iterdir()) == []
    shown = capsys.readouterr().out
    assert re.findall(r"^epoch (\d)  loss [\d.]+  validation Dice", shown, re.M) == [*"1234"]
    assert "registered pdnet-stage2:1, the champion: the first version" in shown
    masks = tmp_path / "trainings" / "run" / "masks-2"
    figures = read_figures(masks)
    assert (figures["lesions"], figures["human"], figures["kept"]) == (8, 8, 0)
    assert (
        f"round 2: masks of 8 lesions, Dice against 8 human masks {figures['dice_before']:.3f}"
        in shown
    )
    (parent,) = runs_in(tmp_path, "train")
    rounds = runs_in(tmp_path, "round")
    assert [run.data.tags["lesion.round"] for run in rounds] == ["1", "2"]
    assert {run.info.status for run in (parent, *rounds)} == {"FINISHED"}
    for run, steps in zip(rounds, ([1, 2], [3, 4]), strict=True):
        assert [step for step, _ in steps_of(tmp_path, run, "train_loss")] == steps
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.metrics["test_n"] == 4
    assert rounds[1].data.metrics["mask_dice"] == pytest.approx(figures["dice"])
    assert steps_of(tmp_path, parent, "mask_dice") == [(2, pytest.approx(figures["dice"]))]
    both = [(n, pytest.approx(run.data.metrics["dice"])) for n, run in enumerate(rounds, 1)]
    assert steps_of(tmp_path, parent, "dice") == both
    before = PreparedSet(tiny_set, "train")
    after = RoundLesions(before, masks)
    assert any(
        ours.masks["snakes"] != theirs.masks["snakes"]
        for ours, theirs in zip(after, before, strict=True)
    )
    (version,) = MlflowClient(
        tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}"
    ).search_model_versions("name = 'pdnet-stage2'")
    assert version.run_id == rounds[1].info.run_id, "the last round's model is registered"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_kill_repeats_no_round(ray_cluster: Cluster, tiny_set: Path, tmp_path: Path) -> None:
    """Killed in the second round, it ends as an uninterrupted training does, to the bit."""
    epochs, log = 6, tmp_path / "log"
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert command("train", *words_for(whole, tiny_set, epochs, 3)) == 0
    words = words_for(broken, tiny_set, epochs, 3)

    def killed_after(said: str, then: str, *given: str) -> dict[str, Any]:
        with started(log, "train", *given, address=ray_cluster.address) as driver:
            wait_for_line(driver, log, said, 120)
            wait_until(lambda: then in log.read_text().partition(said)[2], 60, then)
            os.kill(driver.pid, signal.SIGKILL)
            driver.wait()
        (first,) = [r for r in runs_in(broken, "round") if r.data.tags["lesion.round"] == "1"]
        return {"ended": first.info.end_time, "curve": steps_of(broken, first, "train_loss")}

    early = killed_after("round 2: masks of 8", "round 2 of 3", *words)
    late = killed_after(
        "round 2 of 3", "epoch 9 ", "pdnet", "--storage", str(broken), "--resume", "run"
    )
    assert late == early
    masks = broken / "trainings" / "run" / "masks-2" / "manifest.json"
    made = masks.stat().st_mtime_ns
    assert command("train", "pdnet", "--storage", broken, "--resume", "run") == 0
    assert masks.stat().st_mtime_ns == made, "the masks were made once"
    for number in (1, 2, 3):
        assert len(curve(broken, number)) == epochs
        assert curve(broken, number) == curve(whole, number)
    rounds = runs_in(broken, "round")
    assert len(rounds) == 3
    assert rounds[0].info.end_time == early["ended"]
    for run, first in zip(rounds, (1, 7, 13), strict=True):
        told = [step for step, _ in steps_of(broken, run, "train_loss")]
        assert told == [*range(first, first + epochs)]
    (parent,) = runs_in(broken, "train")
    assert [step for step, _ in steps_of(broken, parent, "dice")] == [1, 2, 3]
    plan = json.loads((broken / "trainings" / "run" / "train.json").read_text())
    assert plan["config"]["rounds"] == 3
