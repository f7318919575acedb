"""Reading a sweep from MLflow: the parent run, its trials, its references, its artifacts."""

from collections.abc import Mapping, Sequence
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Run

from dashboards.pages.view import Reference, SweepView, Trial
from dashboards.recorded.artifacts import at_the_store, files_of
from dashboards.recorded.evidence import ATTENTION, OVERLAYS, lost, read_evidence
from dashboards.recorded.merits import merit_of
from dashboards.recorded.numbers import count_of, number_of
from dashboards.recorded.trials import (
    BREAKS,
    BUSY,
    OBJECTIVES,
    REASON,
    RESOURCES,
    VALUES,
    numbers_of,
    objectives_of,
    resources_of,
    values_of,
)
from lesions.errors import InputError, shown
from lesions.metrics.merit import Merit

PAGE = 1000  # runs per request
LISTED = 20  # names of sweeps in a message
SEARCH = "search."  # prefix of the parameters that the sweep searched
LOSS = "train_loss"  # drawn by epoch, as the merit is


def runs_of_kind(client: MlflowClient, experiment_id: str, kind: str) -> list[Run]:
    """All runs of one `lesion.kind`, the oldest first."""
    return _search(client, experiment_id, f"tags.`lesion.kind` = {quoted(kind)}")


def read_sweep(client: MlflowClient, experiment_name: str, sweep: str | None = None) -> SweepView:
    """Read a sweep, the newest by default.

    Raises:
        InputError: no experiment or sweep yet, no sweep of that name (the message lists the
            sweeps), or an artifact that cannot be read.
    """
    with at_the_store():
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
        named = list(dict.fromkeys(shown(_sweep_name(run)) for run in reversed(parents)))
        names = ", ".join(named[:LISTED]) + (", …" if len(named) > LISTED else "")
        raise InputError(f"no sweep of {experiment_name} is named {sweep!r}; there are: {names}")
    return _view(client, experiment_name, named[-1])


def _view(client: MlflowClient, experiment: str, parent: Run) -> SweepView:
    children = _search(
        client,
        parent.info.experiment_id,
        f"tags.`mlflow.parentRunId` = {quoted(parent.info.run_id)}",
    )
    trials = _trials_of(children)
    merit = merit_of(words_of(parent.data.tags))
    objectives = objectives_of(words_of(parent.data.tags).get(OBJECTIVES, ""))
    numbers = numbers_of([run.info.run_name for run in trials])
    files = files_of(client, parent.info.run_id)
    lesions, config, pictures = read_evidence(files, merit)
    return SweepView(
        experiment=experiment,
        run_id=parent.info.run_id,
        status=str(parent.info.status),
        started=parent.info.start_time,
        ended=parent.info.end_time,
        tags=_lesion_tags(parent) | {"sweep": _sweep_name(parent)},
        config=config or words_of(parent.data.params),
        test=_numbers(parent),
        trials=sorted(
            (
                _trial(client, number, run, merit, objectives)
                for number, run in zip(numbers, trials, strict=True)
            ),
            key=lambda trial: trial.number,
        ),
        references=[
            Reference(method=tags.get("lesion.method", "?"), metrics=_numbers(run))
            for run in children
            for tags in [words_of(run.data.tags)]
            if tags.get("lesion.kind") == "reference"
        ],
        lesions=lesions,
        overlays=pictures[OVERLAYS],
        attention=pictures[ATTENTION],
        merit=merit,
        lost="" if lesions else lost(parent, files),
        objectives=[]
        if [one.name for one in objectives] in ([merit.validated], [merit.best])
        else objectives,
    )


def _trials_of(children: list[Run]) -> list[Run]:
    """The trials' runs; the first, where a server that answered too late made two of one trial."""
    found: dict[str, Run] = {}
    for run in children:
        tags = words_of(run.data.tags)
        if tags.get("lesion.kind") == "trial":
            found.setdefault(tags.get("lesion.trial_id", run.info.run_id), run)
    return list(found.values())


def words_of(texts: Mapping[Any, Any]) -> dict[str, str]:
    """Tags or params, without those that a damaged store holds as something else than text."""
    return {
        name: text
        for name, text in texts.items()
        if isinstance(name, str) and isinstance(text, str)
    }


def _trial(
    client: MlflowClient, number: int, run: Run, merit: Merit, objectives: Sequence[Merit]
) -> Trial:
    tags, params = words_of(run.data.tags), words_of(run.data.params)
    measured = _numbers(run) | values_of(tags.get(VALUES, ""))
    busy_s = number_of(tags.get(BUSY))
    return Trial(
        number=number,
        trial_id=tags.get("lesion.trial_id", run.info.run_id),
        state=tags.get("lesion.state", "running"),
        searched={
            name.removeprefix(SEARCH): value
            for name, value in sorted(params.items())
            if name.startswith(SEARCH)
        },
        history={
            name: _history(client, run.info.run_id, name)
            for name in (merit.validated, *merit.ends, merit.best, LOSS)
            if name in run.data.metrics
        },
        lesions=count_of(run.data.metrics.get("val_n")),
        patients=count_of(run.data.metrics.get("val_patients")),
        values={one.name: measured[one.name] for one in objectives if one.name in measured},
        started=number_of(run.info.start_time),
        ended=number_of(run.info.end_time),
        resources=resources_of(tags.get(RESOURCES, "")),
        busy_s=busy_s if busy_s is None or busy_s >= 0 else None,
        images_per_second=measured.get("images_per_second"),
        reason=" ".join(tags.get(REASON, "").split()),
        breaks=" ".join(tags.get(BREAKS, "").split()),
    )


def _history(client: MlflowClient, run_id: str, metric: str) -> list[tuple[int, float]]:
    """The points by epoch; one of no epoch, or beyond what a number can be, is left out."""
    with at_the_store():
        points = client.get_metric_history(run_id, metric)
    # A resumed trial repeats the epochs after its checkpoint: the later report stands.
    told = {point.step: point.value for point in sorted(points, key=_told_at)}
    return sorted((step, x) for step, x in told.items()
                  if number_of(x) is not None and count_of(step) is not None)  # fmt: skip


def _told_at(point: Metric) -> float:
    return number_of(point.timestamp) or 0.0


def _numbers(run: Run) -> dict[str, float]:
    """A run's metrics that are numbers: a diverged loss or a foreign hand writes others."""
    return {name: x for name, x in run.data.metrics.items() if number_of(x) is not None}


def quoted(value: str) -> str:
    """A value in a query of MLflow's; InputError where it would end its own quotes."""
    for quote in "\"'":
        if quote not in value:
            return f"{quote}{value}{quote}"
    raise InputError(f"{shown(value)!r} has quotes of both kinds", remedy="rename it")


def _search(client: MlflowClient, experiment_id: str, query: str) -> list[Run]:
    runs: list[Run] = []
    token: str | None = None
    while token is None or token:
        with at_the_store():
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
    return str(words_of(run.data.tags).get("lesion.sweep") or run.info.run_name or run.info.run_id)


def _lesion_tags(run: Run) -> dict[str, str]:
    prefix = "lesion."
    tags = words_of(run.data.tags)
    return {k.removeprefix(prefix): v for k, v in tags.items() if k.startswith(prefix)}
