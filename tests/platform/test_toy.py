"""The house's own test: a system of fifty lines, kept elsewhere, goes through every command."""

import json
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from dashboards.recorded.runs import runs_of_kind
from lesions.prepared import PreparedSet
from lesions.prompts import TellClick
from lesions.readers.png import decode_labels
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


def test_reproduce(storage: Path, tiny_set: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each row of its own table; it has no paper beside it."""
    words = ("toy-1", "--system", TOY, "--data", tiny_set, "--storage", storage, "--name", "all")
    assert command("reproduce", *words, *SHORT) == 0
    rows = {run.data.tags["lesion.method"]: run.data.metrics for run in runs(storage, "row")}
    assert sorted(rows) == ["Toy", "Toy, narrow"]
    assert all(0 <= metrics["dice"] <= 1 and metrics["test_n"] == 4 for metrics in rows.values())
    parts = {run.data.tags["lesion.train"]: run.data.params["channels"]
             for run in runs(storage, "part")}  # fmt: skip
    assert sorted(parts.values()) == ["2", "4"]
    shown = capsys.readouterr().out
    assert "Toy, Table 1" in shown
    assert "the paper's" not in shown
    assert (storage / "reports" / "all-toy-1.html").exists()
