"""The house's own test: a system of fifty lines, kept elsewhere, goes through every command."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from dashboards.recorded.evidence import lesion_records
from dashboards.recorded.runs import runs_of_kind
from lesions.prepared import PreparedSet
from lesions.prompts import TellClick
from lesions.readers.png import decode_labels
from tests.house.toy import Toy
from tests.platform.conftest import Cluster, command

TOY = "tests.house.toy:Toy"
SHORT = ("--config.training.epochs", 2)

pytestmark = pytest.mark.ray


def runs(storage: Path, kind: str) -> list[Run]:
    client = MlflowClient(tracking_uri=f"sqlite:///{storage / 'mlflow.db'}")
    return runs_of_kind(client, client.get_experiment_by_name("toy").experiment_id, kind)


@pytest.fixture(scope="module")
def storage(ray_cluster: Cluster, tiny_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one training of the toy, longer than the others."""
    folder = tmp_path_factory.mktemp("toy")
    words = ("--system", TOY, "--data", tiny_set, "--storage", folder, "--name", "once")
    assert command("train", *words, "--config.training.epochs", 12) == 0
    return folder


def test_train(storage: Path) -> None:
    (run,) = runs(storage, "train")
    assert run.info.status == "FINISHED"
    assert run.data.params["channels"] == "4"
    assert run.data.metrics["test_n"] == 4
    client = MlflowClient(tracking_uri=f"sqlite:///{storage / 'mlflow.db'}")
    losses = [point.value for point in client.get_metric_history(run.info.run_id, "train_loss")]
    assert len(losses) == 12
    assert losses[-1] < losses[0]
    assert client.get_model_version_by_alias("toy", "champion").run_id == run.info.run_id


def test_sweep(storage: Path, tiny_set: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--system", TOY, "--data", tiny_set, "--storage", storage, "--name", "few")
    assert command("sweep", *words, "--trials", 2, *SHORT) == 0
    trials = runs(storage, "trial")
    assert [run.info.run_name for run in trials] == ["trial 0", "trial 1"]
    rates = [float(run.data.params["training.learning_rate"]) for run in trials]
    assert rates[0] == 1e-3  # the "paper" preset's
    assert rates[1] != rates[0]
    assert (storage / "reports" / "few.html").exists()
    assert command("compare", "--system", TOY, "--storage", storage) == 0
    assert "few" in capsys.readouterr().out


def test_evaluate(storage: Path, tiny_set: Path) -> None:
    words = ("--system", TOY, "--model", "toy@champion", "--data", tiny_set)
    assert command("evaluate", *words, "--storage", storage, "--name", "measured") == 0
    (run,) = runs(storage, "evaluate")
    assert run.data.tags["lesion.protocol"] == "Given are the slice and a click."
    assert run.data.metrics["test_n"] == 4
    (trained,) = runs(storage, "train")
    assert run.data.metrics["dice"] == pytest.approx(trained.data.metrics["dice"])


def test_predict(storage: Path, tiny_set: Path, tmp_path: Path) -> None:
    """The answer to a click is what evaluation measured of the lesion."""
    lesion = PreparedSet(tiny_set, "test")[0]
    (tmp_path / "slice.png").write_bytes(lesion.slice_png)
    x, y = TellClick().of(lesion).at
    low, high = lesion.window
    words = ("--system", TOY, "--model", "toy@champion", "--storage", storage,
             "--image", tmp_path / "slice.png", "--click", f"{x},{y}", "--window", low, high,
             "--spacing", *lesion.spacing[:2], "--out", tmp_path / "out")  # fmt: skip
    assert command("predict", *words, "--precision", "fp32") == 0
    found = json.loads((tmp_path / "out" / "answer.json").read_text())
    mask = decode_labels((tmp_path / "out" / "mask.png").read_bytes())
    assert mask.shape == lesion.shape
    assert found["mask"]["pixels"] == np.count_nonzero(mask) > 0
    assert found["recist"]["long_axis"]["mm"] > 0  # measured from the mask


def test_reproduce(
    storage: Path,
    tiny_set: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each row of its own table, and what that tells of the lesions; it has no paper beside it."""
    told = replace(Toy().tables()["1"], of_lesions=("worst_dice", "fraction_dice_ge_0.10"))
    monkeypatch.setattr(Toy, "tables", lambda self: {"1": told})
    words = ("toy-1", "--system", TOY, "--data", tiny_set, "--storage", storage, "--name", "all")
    assert command("reproduce", *words, *SHORT) == 0
    rows = {run.data.tags["lesion.method"]: run.data.metrics for run in runs(storage, "row")}
    assert sorted(rows) == ["Toy", "Toy, narrow"]
    assert all(0 <= metrics["dice"] <= 1 and metrics["test_n"] == 4 for metrics in rows.values())
    parts = {run.data.tags["lesion.train"]: run.data.params["channels"]
             for run in runs(storage, "part")}  # fmt: skip
    assert sorted(parts.values()) == ["2", "4"]
    client = MlflowClient(tracking_uri=f"sqlite:///{storage / 'mlflow.db'}")
    for run in runs(storage, "part"):
        dices = [one["dice"] for one in lesion_records(client, run.info.run_id)]
        ours = rows["Toy" if run.data.tags["lesion.train"] == "whole" else "Toy, narrow"]
        assert ours["worst_dice"] == min(dices)
        assert ours["fraction_dice_ge_0.10"] == sum(dice >= 0.1 for dice in dices) / 4
    shown = capsys.readouterr().out
    assert "Toy, Table 1" in shown
    assert "Of the lesions" in shown
    assert "the paper's" not in shown
    assert "Dice over the lesions of" in (storage / "reports" / "all-toy-1.html").read_text()


@pytest.mark.slow
@pytest.mark.timeout(600)  # four starts of Ray Train
def test_seeds_are_added_to_a_table(
    storage: Path, tiny_set: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What one seed trained stays; the rows are then over both, and each seed's is kept."""
    words = ("toy-1", "--system", TOY, "--storage", storage)
    own = ("--data", tiny_set, "--name", "more", *SHORT)
    again = (*words, "--resume", "more")
    assert command("reproduce", *words, *own) == 0
    capfd.readouterr()
    before = {run.info.run_id: run.info.end_time for run in _of("more", storage, "part")}

    assert command("reproduce", *again, "--seeds", 0, 1) == 0
    shown = capfd.readouterr().out
    assert "whole is finished" in shown
    assert shown.count("Toy, Table 1") == 2, "the first seed's table, then that of both"
    assert "Differences" in shown
    parts = _of("more", storage, "part")
    seeds = {run.data.tags["lesion.train"]: run.data.tags["lesion.seed"] for run in parts}
    assert seeds == {"whole": "0", "narrow": "0", "whole-seed1": "1", "narrow-seed1": "1"}
    assert all(run.data.params["training.seed"] == run.data.tags["lesion.seed"] for run in parts)
    ended = {run.info.run_id: run.info.end_time for run in parts}
    assert before.items() <= ended.items()
    (table,) = _of("more", storage, "reproduce")
    assert (table.info.status, table.data.tags["lesion.seeds"]) == ("FINISHED", "0 1")
    rows = [run for run in runs(storage, "row")
            if run.data.tags["mlflow.parentRunId"] == table.info.run_id]  # fmt: skip
    assert sorted(run.data.tags["lesion.method"] for run in rows) == ["Toy", "Toy, narrow"]
    dice = {run.data.tags["lesion.train"]: run.data.metrics["dice"] for run in parts}
    for row in rows:
        variant = "narrow" if "narrow" in row.data.tags["lesion.method"] else "whole"
        each = [row.data.metrics[f"dice_seed{seed}"] for seed in (0, 1)]
        assert each == pytest.approx([dice[variant], dice[f"{variant}-seed1"]])
        assert row.data.metrics["dice"] == pytest.approx(sum(each) / 2)
        assert row.info.status == "FINISHED"

    assert command("reproduce", *again) == 0
    shown = capfd.readouterr().out
    assert "epoch" not in shown.partition("Toy, Table 1")[0]
    assert shown.count("Toy, Table 1") == 1
    assert command("reproduce", *again, "--seeds", 1, 2) == 2
    assert "more is trained with the seed 0, which --seeds lacks" in capfd.readouterr().err


def _of(name: str, storage: Path, kind: str) -> list[Run]:
    """The runs of one reproduction."""
    return [run for run in runs(storage, kind) if run.data.tags["lesion.reproduce"] == name]
