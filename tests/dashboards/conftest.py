"""A real MLflow store with a sweep in it, logged the way `platform.sweep` logs."""

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from numpy.typing import NDArray

from dashboards.pages.view import LesionResult, SweepView, overlay_name
from dashboards.plots.overlays import overlay
from dashboards.recorded.runs import read_sweep
from lesions.lesion import Lesion
from lesions.readers.deeplesion import read_deeplesion
from lesions.recist import Recist
from lesions.sample import ROOT as SAMPLE

DATA = "shipped sample (STS + LIDC), 4 test patients, 46 slices"
REFERENCES = {
    "untrained network": (0.212, 0.101),
    "best centred disc": (0.785, 0.094),
    "RECIST ellipse (oracle)": (0.921, 0.032),
}
STATES = ["finished", "pruned", "finished", "pruned", "finished", "failed", "pruned", "finished"]


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> MlflowClient:
    """One store for all tests: making the database takes seconds."""
    folder = tmp_path_factory.mktemp("mlflow")
    return MlflowClient(tracking_uri=f"sqlite:///{folder}/mlflow.db")


@pytest.fixture(scope="session")
def experiment(client: MlflowClient, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An experiment's id, with two sweeps: a short old one, and "evening"."""
    folder = tmp_path_factory.mktemp("artifacts")
    experiment_id = str(client.create_experiment("pdnet", artifact_location=folder.as_uri()))
    log_parent(client, experiment_id, "morning", {"lesion.data": DATA}, started=1)
    log_evening(client, experiment_id)
    return experiment_id


@pytest.fixture(scope="session")
def view(client: MlflowClient, experiment: str) -> SweepView:
    """The sweep "evening", as read back."""
    return read_sweep(client, "pdnet", "evening")


@pytest.fixture(scope="session")
def located(client: MlflowClient, tmp_path_factory: pytest.TempPathFactory) -> SweepView:
    """A sweep of the made system of `locator`, as read back."""
    from tests.dashboards.locator import log_located  # it takes its tools from here

    folder = tmp_path_factory.mktemp("located")
    log_located(client, str(client.create_experiment("locator", folder.as_uri())))
    return read_sweep(client, "locator")


@pytest.fixture(scope="session")
def sample() -> list[Lesion]:
    """Seven real lesions with human masks, from several patients of the shipped sample."""
    return read_some()


def read_some() -> list[Lesion]:
    """The same seven lesions, outside a fixture."""
    lesions, _ = read_deeplesion(SAMPLE)
    return [lesion for lesion in lesions if "human" in lesion.masks][::40][:7]


def log_parent(
    client: MlflowClient, experiment_id: str, name: str, tags: Mapping[str, str], started: int
) -> str:
    """An empty sweep; its run id."""
    kind = {"lesion.kind": "sweep", "lesion.sweep": name, "lesion.system": "pdnet"}
    run = client.create_run(experiment_id, start_time=started, run_name=name, tags={**kind, **tags})
    return str(run.info.run_id)


def log_evening(client: MlflowClient, experiment_id: str) -> None:
    """A whole sweep of eight trials whose predictions are discs."""
    tags = {
        "lesion.stage": "2",
        "lesion.preset": "tiny",
        "lesion.data": DATA,
        "lesion.data_fingerprint": "sha256:6f1c2e0a9b",
        "lesion.truth": "human masks",
        "lesion.git_commit": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        "lesion.seed": "7",
        "lesion.resources": "2 CPU, 0 GPU, 2 trials at a time",
        "lesion.best_trial": "trial_4",
    }
    parent = log_parent(client, experiment_id, "evening", tags, started=1_795_000_000_000)
    for number, state in enumerate(STATES):
        log_trial(client, experiment_id, parent, number, state)
    for method, (dice, std) in REFERENCES.items():
        child(client, experiment_id, parent, {"lesion.kind": "reference", "lesion.method": method},
              metrics={"dice": dice, "dice_std": std, "test_n": 7})  # fmt: skip
    results = log_best(client, parent)
    values = {"test_n": float(len(results))}
    for name in ("precision", "recall", "dice", "long_axis_error", "short_axis_error"):
        measured = [result.metrics[name] for result in results]
        values |= {name: float(np.mean(measured)), f"{name}_std": float(np.std(measured))}
    client.log_batch(
        parent,
        metrics=[Metric(name, value, 0, 0) for name, value in values.items()],
        params=[Param("loss.weight", "0.01"), Param("epochs", "12")],
    )
    client.set_terminated(parent, end_time=1_795_000_360_000)


def log_trial(
    client: MlflowClient, experiment_id: str, parent: str, number: int, state: str
) -> str:
    """A trial with curves as smooth as a formula; its run id."""
    epochs = {"finished": 12, "pruned": 3, "failed": 1}.get(state, 2)
    rate, weight = 10 ** (-4 + number / 4), 10 ** (-3 + (number * 3 % 8) / 4)
    peak = 0.84 - 0.05 * abs(number - 4)
    metrics = []
    for epoch in range(1, epochs + 1):
        metrics += [
            Metric("val_dice", peak * (1 - math.exp(-epoch / 3)), epoch, epoch),
            Metric("train_loss", 0.2 + (1.2 - peak) * math.exp(-epoch / 4), epoch, epoch),
        ]
    run_id = child(
        client, experiment_id, parent,
        {"lesion.kind": "trial", "lesion.trial_id": f"trial_{number}", "lesion.state": state},
        params={"search.learning_rate": str(rate), "search.loss.weight": str(weight)},
        started=1_795_000_000_000 + number,
    )  # fmt: skip
    client.log_batch(run_id, metrics=metrics)
    return run_id


def child(
    client: MlflowClient,
    experiment_id: str,
    parent: str,
    tags: Mapping[str, str],
    *,
    params: Mapping[str, str] | None = None,
    metrics: Mapping[str, float] | None = None,
    started: int | None = None,
) -> str:
    """A run below `parent`; its run id."""
    tags = {"mlflow.parentRunId": parent, **tags}
    run = client.create_run(experiment_id, start_time=started, tags=dict(tags))
    client.log_batch(
        run.info.run_id,
        metrics=[Metric(name, value, 0, 0) for name, value in (metrics or {}).items()],
        params=[Param(name, value) for name, value in (params or {}).items()],
    )
    return str(run.info.run_id)


def log_best(client: MlflowClient, parent: str) -> list[LesionResult]:
    """Discs on real lesions: results, configuration and pictures."""
    measured = [(disc_result(lesion, disc(lesion)), lesion) for lesion in read_some()]
    measured.sort(key=lambda pair: -pair[0].metrics["dice"])
    client.log_dict(parent, [record_of(result) for result, _ in measured], "best/lesions.json")
    client.log_dict(parent, {"model": {"width": 32}, "loss": {"weight": 0.01}}, "best/config.json")
    with tempfile.TemporaryDirectory() as folder:
        for rank, (_, lesion) in enumerate(measured, start=1):
            ours = disc(lesion)
            recist = Recist.from_mask(ours, lesion.spacing)
            picture = overlay(lesion, lesion.mask("human"), ours, lesion.recist, recist)
            (Path(folder) / overlay_name(rank, lesion.file)).write_bytes(picture)
        client.log_artifacts(parent, folder, "best/overlays")
    return [result for result, _ in measured]


def record_of(result: LesionResult) -> dict[str, Any]:
    """A lesion as its row in `lesions.json`."""
    about = {name: value for name, value in vars(result).items() if name != "metrics"}
    return about | dict(result.metrics)


def disc(lesion: Lesion) -> NDArray[np.uint8]:
    """A disc around the RECIST's centre, as wide as the mean diameter."""
    x, y = lesion.recist.centre
    rows, columns = np.indices(lesion.shape)
    mean = np.mean(lesion.recist.diameters_mm(lesion.spacing)) / lesion.spacing[0]
    return np.asarray(np.hypot(columns - x, rows - y) <= mean / 2, dtype=np.uint8)


def disc_result(lesion: Lesion, predicted: NDArray[np.uint8]) -> LesionResult:
    """What `predicted` scores against the human mask."""
    truth, ours = lesion.mask("human") == 1, predicted == 1
    overlap = np.sum(truth & ours)
    true = lesion.recist.diameters_mm(lesion.spacing)
    measured = Recist.from_mask(predicted, lesion.spacing).diameters_mm(lesion.spacing)
    return LesionResult(
        file=lesion.file,
        row=lesion.row,
        patient=lesion.patient,
        lesion_type=lesion.lesion_type,
        metrics={
            "precision": float(overlap / ours.sum()),
            "recall": float(overlap / truth.sum()),
            "dice": float(2 * overlap / (truth.sum() + ours.sum())),
            "long_axis_error": abs(true[0] - measured[0]),
            "short_axis_error": abs(true[1] - measured[1]),
        },
        long_axis_mm=true[0],
        short_axis_mm=true[1],
    )
