"""Whether all that tells of a sweep tells the same: the study, the folders, MLflow."""

import json
from pathlib import Path
from typing import Any

import optuna
from mlflow import MlflowClient
from mlflow.entities import Run
from optuna.storages.journal import JournalFileBackend

from dashboards.recorded.runs import runs_of_kind
from platform.tuning.study import JOURNAL, latest
from platform.tuning.trials import STATES

MLFLOWS = {"finished": "FINISHED", "pruned": "FINISHED", "failed": "FAILED", "running": "RUNNING",
           "interrupted": "KILLED"}  # fmt: skip


def study_at(folder: Path, url: str | None = None) -> optuna.Study:
    """A sweep's, opened as anybody would."""
    file = str(folder / JOURNAL)
    storage: Any = url or optuna.storages.JournalStorage(JournalFileBackend(file))
    return optuna.load_study(study_name=folder.name, storage=storage)


def runs_of_sweep(
    storage: Path, system: str, name: str, uri: str | None = None
) -> tuple[Run, dict[int, Run]]:
    """A sweep's run, and its trials' by number, in the storage's MLflow or at `uri`; none twice."""
    client = MlflowClient(tracking_uri=uri or f"sqlite:///{storage / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(system).experiment_id
    (parent,) = (
        run for run in runs_of_kind(client, experiment, "sweep")
        if run.data.tags["lesion.sweep"] == name
    )  # fmt: skip
    trials = [
        run for run in runs_of_kind(client, experiment, "trial")
        if run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    ]  # fmt: skip
    found = {int(run.data.tags["lesion.trial_id"]): run for run in trials}
    assert len(found) == len(trials), "a trial is recorded twice"
    return parent, found


def check_agree(
    storage: Path, system: str, name: str, url: str | None = None, uri: str | None = None
) -> dict[int, str]:
    """The trials' states by number, once study, folders and MLflow have said the same.

    Args:
        storage, system, name: the sweep's.
        url: its study's, where that is in a database.
        uri: MLflow's, where that is not in the storage.
    """
    folder = storage / "sweeps" / name
    told = {number: STATES[one.state] for number, one in
            latest(study_at(folder, url).trials).items()}  # fmt: skip
    for path in sorted(folder.glob("trials/[0-9]*")):
        end = path / "end.json"
        if end.exists():
            state = optuna.trial.TrialState[json.loads(end.read_text())["state"]]
            assert STATES[state] == told[int(path.name)], path
    _, runs = runs_of_sweep(storage, system, name, uri)
    assert runs.keys() == told.keys()
    for number, state in told.items():
        tag = runs[number].data.tags["lesion.state"]
        # A trial that was stopped where it is runs on, as Optuna has it.
        assert tag == state or (tag, state) == ("interrupted", "running"), number
        assert runs[number].info.status == MLFLOWS[tag], number
    return told


def epochs_recorded(storage: Path, run: Run) -> list[int]:
    """The epochs that MLflow has of a trial; none twice with two values."""
    client = MlflowClient(tracking_uri=f"sqlite:///{storage / 'mlflow.db'}")
    points = client.get_metric_history(run.info.run_id, "train_loss")
    values: dict[int, float] = {}
    for point in points:
        assert values.setdefault(point.step, point.value) == point.value
    return sorted(values)
