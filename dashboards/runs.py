"""Reading a sweep from MLflow: the parent run, its trials, its references, its artifacts."""

import json
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from dashboards.view import LesionResult, Reference, SweepView, Trial
from lesions.errors import InputError

PAGE = 1000  # runs per request
SEARCH = "search."  # prefix of the parameters that the sweep searched
MEASURED = (
    "precision", "recall", "long_axis_error", "short_axis_error", "long_axis_mm", "short_axis_mm",
)  # fmt: skip


def runs_of_kind(client: MlflowClient, experiment_id: str, kind: str) -> list[Run]:
    """All runs of one `lesion.kind`, the oldest first."""
    return _search(client, experiment_id, f"tags.`lesion.kind` = '{kind}'")


def read_sweep(client: MlflowClient, experiment_name: str, sweep: str | None = None) -> SweepView:
    """Read a sweep, the newest by default.

    Raises:
        InputError: no experiment or sweep yet, no sweep of that name (the message lists the
            sweeps), or an artifact that cannot be read.
    """
    experiment = client.get_experiment_by_name(experiment_name)
    parents = runs_of_kind(client, experiment.experiment_id, "sweep") if experiment else []
    if not parents:
        raise InputError(
            f"no sweep of {experiment_name} is recorded here",
            remedy=f"run python -m platform.sweep {experiment_name} first, or set "
            "MLFLOW_TRACKING_URI to where it was recorded",
        )
    named = [run for run in parents if sweep in (None, _sweep_name(run))]
    if not named:
        names = ", ".join(dict.fromkeys(map(_sweep_name, reversed(parents))))
        raise InputError(f"no sweep of {experiment_name} is named {sweep!r}; there are: {names}")
    return _view(client, experiment_name, named[-1])


def _view(client: MlflowClient, experiment: str, parent: Run) -> SweepView:
    children = _search(
        client,
        parent.info.experiment_id,
        f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'",
    )
    trials = [run for run in children if run.data.tags.get("lesion.kind") == "trial"]
    lesions, config, overlays = _artifacts(client, parent.info.run_id)
    return SweepView(
        experiment=experiment,
        run_id=parent.info.run_id,
        status=parent.info.status,
        started=parent.info.start_time,
        ended=parent.info.end_time,
        tags=_lesion_tags(parent) | {"sweep": _sweep_name(parent)},
        config=config if config is not None else parent.data.params,
        test=parent.data.metrics,
        trials=[_trial(client, number, run) for number, run in enumerate(trials)],
        references=[
            Reference(method=run.data.tags.get("lesion.method", "?"), metrics=run.data.metrics)
            for run in children
            if run.data.tags.get("lesion.kind") == "reference"
        ],
        lesions=lesions,
        overlays=overlays,
    )


def _trial(client: MlflowClient, number: int, run: Run) -> Trial:
    curves = [name for name in run.data.metrics if name == "train_loss" or name.startswith("val_")]
    return Trial(
        number=number,
        trial_id=run.data.tags.get("lesion.trial_id", run.info.run_id),
        state=run.data.tags.get("lesion.state", "running"),
        searched={
            name.removeprefix(SEARCH): value
            for name, value in sorted(run.data.params.items())
            if name.startswith(SEARCH)
        },
        history={name: _history(client, run.info.run_id, name) for name in curves},
        final=run.data.metrics,
    )


def _history(client: MlflowClient, run_id: str, metric: str) -> list[tuple[int, float]]:
    points = client.get_metric_history(run_id, metric)
    # A resumed trial repeats the epochs after its checkpoint: the later report stands.
    return sorted({p.step: p.value for p in sorted(points, key=lambda p: p.timestamp)}.items())


def _artifacts(
    client: MlflowClient, run_id: str
) -> tuple[list[LesionResult], Mapping[str, Any] | None, dict[str, bytes]]:
    logged = {item.path for item in client.list_artifacts(run_id, "best")}
    # MLflow's own bar would run through our table; who wants it can switch it on.
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    with tempfile.TemporaryDirectory(prefix="lesion-report-") as folder:
        # Not the whole folder: the best checkpoint lies beside these.
        places = {
            name: Path(client.download_artifacts(run_id, f"best/{name}", folder))
            for name in ("lesions.json", "config.json", "overlays")
            if f"best/{name}" in logged
        }
        lesions = [_lesion(record) for record in _json(places.get("lesions.json"), list)]
        lesions.sort(key=lambda lesion: (-lesion.dice, lesion.file, lesion.row))
        config = _json(places.get("config.json"), dict) or None
        pictures = sorted(places["overlays"].glob("*.png")) if "overlays" in places else []
        overlays = {picture.name: picture.read_bytes() for picture in pictures}
    return lesions, config, overlays


def lesion_records(client: MlflowClient, run_id: str) -> list[dict[str, Any]]:
    """A run's test lesions, one record each as they were logged; empty where none were."""
    with tempfile.TemporaryDirectory(prefix="lesion-report-") as folder:
        if "best/lesions.json" not in {item.path for item in client.list_artifacts(run_id, "best")}:
            return []
        path = Path(client.download_artifacts(run_id, "best/lesions.json", folder))
        records: list[dict[str, Any]] = _json(path, list)
    return records


def _json(path: Path | None, kind: type[list[Any]] | type[dict[str, Any]]) -> Any:
    """The file's content, or an empty one where the sweep has not written the file."""
    if path is None:
        return kind()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"the artifact is no JSON: {error}", file=path.name) from None
    if not isinstance(content, kind):
        raise InputError(f"the artifact is no JSON {kind.__name__}", file=path.name)
    return content


def _lesion(record: Any) -> LesionResult:
    try:
        dice = _finite(record["dice"])
        if dice is None:
            raise ValueError("dice is not a number")
        return LesionResult(
            file=str(record["file"]),
            row=int(record["row"]),
            patient=str(record["patient"]),
            lesion_type=str(record["lesion_type"]),
            dice=dice,
            **{name: _finite(record[name]) for name in MEASURED},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"a lesion of the artifact: {error!r}", file="lesions.json") from None


def _finite(value: Any) -> float | None:
    return None if value is None or not math.isfinite(float(value)) else float(value)


def _search(client: MlflowClient, experiment_id: str, query: str) -> list[Run]:
    runs: list[Run] = []
    token: str | None = None
    while token is None or token:
        page = client.search_runs(
            [experiment_id],
            query,
            order_by=["attributes.start_time ASC"],
            max_results=PAGE,
            page_token=token,
        )
        runs += page
        token = page.token or ""
    return runs


def _sweep_name(run: Run) -> str:
    return str(run.data.tags.get("lesion.sweep", run.info.run_name))


def _lesion_tags(run: Run) -> dict[str, str]:
    prefix = "lesion."
    return {k.removeprefix(prefix): v for k, v in run.data.tags.items() if k.startswith(prefix)}
