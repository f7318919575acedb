"""Runs in MLflow: found by their tags or made, filled, and closed."""

import time
from collections.abc import Mapping
from typing import Any

from mlflow.entities import Metric, Param, RunTag

from dashboards.recorded.runs import quoted
from lesions.metrics.merit import Merit
from platform.tracking.store import Store

PARENT = "mlflow.parentRunId"
NAME = "mlflow.runName"


def find_run(store: Store, tags: Mapping[str, str]) -> str | None:
    """The id of the run with all these tags, if there is one."""
    wanted = " and ".join(f"tags.`{name}` = {quoted(value)}" for name, value in tags.items())
    runs = store.client.search_runs([store.experiment_id], wanted, max_results=1)
    return runs[0].info.run_id if runs else None


def find_or_create_run(
    store: Store, key: Mapping[str, str], tags: Mapping[str, str], params: Mapping[str, Any]
) -> str:
    """The id of the run that has the tags `key`; made, with all tags and params, if need be."""
    run_id = find_run(store, key)
    if run_id is None:
        run = store.client.create_run(store.experiment_id, tags={**key, **tags})
        run_id = str(run.info.run_id)
        log_params(store, run_id, params)
    return run_id


def log_params(store: Store, run_id: str, params: Mapping[str, Any]) -> None:
    """Write params in one call (MLflow takes 100 at most)."""
    listed = [Param(name, str(value)) for name, value in params.items()]
    for at in range(0, len(listed), 100):
        store.client.log_batch(run_id, params=listed[at : at + 100])


def log_metrics(
    store: Store, run_id: str, metrics: Mapping[str, Any], step: int = 0, at: float | None = None
) -> None:
    """Write every number of `metrics` in one call; `at` is when they came about (default: now)."""
    milliseconds = int((at or time.time()) * 1000)
    listed = [
        Metric(name, float(value), milliseconds, step)
        for name, value in metrics.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    store.client.log_batch(run_id, metrics=listed)


def set_tags(store: Store, run_id: str, tags: Mapping[str, str]) -> None:
    """Write tags in one call."""
    store.client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])


def merit_tags(merit: Merit) -> dict[str, str]:
    """The figure that chooses, and its direction."""
    return {"lesion.merit": merit.name, "lesion.better": merit.better}


def reopen_run(store: Store, run_id: str) -> None:
    """A run that was closed goes on."""
    if store.client.get_run(run_id).info.status != "RUNNING":
        set_tags(store, run_id, {"lesion.state": "running"})
        store.client.update_run(run_id, status="RUNNING")


def reopen_for_news(store: Store, run_id: str, tags: Mapping[str, str]) -> None:
    """A run goes on where one of these tags is news to it; then it has them."""
    known = store.client.get_run(run_id).data.tags
    if any(known.get(name) != value for name, value in tags.items()):
        reopen_run(store, run_id)
        set_tags(store, run_id, tags)


def end_run(store: Store, run_id: str, state: str, at: float | None = None) -> None:
    """Close a run as finished, pruned or failed; MLflow itself knows no pruned.

    `at` is when it ended, in seconds since 1970 (default: now).
    """
    set_tags(store, run_id, {"lesion.state": state})
    status = {"failed": "FAILED", "interrupted": "KILLED"}.get(state, "FINISHED")
    store.client.set_terminated(run_id, status, int((at or time.time()) * 1000))


def is_finished(store: Store, run_id: str) -> bool:
    """Whether the run was closed as finished: nothing of it is to be done again."""
    return bool(store.client.get_run(run_id).data.tags.get("lesion.state") == "finished")
