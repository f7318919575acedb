"""Runs in MLflow: found by their tags or made, filled, and closed."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mlflow.entities import Metric, Param, Run, RunTag

from dashboards.recorded.credentials import told
from dashboards.recorded.runs import quoted
from dashboards.recorded.trials import REASON
from dashboards.tables.terminal import say
from lesions.metrics.merit import Merit
from platform.running.interrupted import asked_to_stop, lost_to_another
from platform.tracking.faults import FAULTS
from platform.tracking.store import Store

PARENT = "mlflow.parentRunId"
NAME = "mlflow.runName"


def find_run(store: Store, tags: Mapping[str, str]) -> str | None:
    """The id of the run with all these tags, if there is one: the first, where a server that
    answered too late made two.
    """
    runs = _runs_with(store, tags, most=1)
    return str(runs[0].info.run_id) if runs else None


def _runs_with(store: Store, tags: Mapping[str, str], most: int) -> list[Run]:
    wanted = " and ".join(f"tags.`{name}` = {quoted(value)}" for name, value in tags.items())
    found = store.client.search_runs(
        [store.experiment_id], wanted, max_results=most, order_by=["attributes.start_time ASC"]
    )
    return list(found)


def find_or_create_run(
    store: Store, key: Mapping[str, str], tags: Mapping[str, str], params: Mapping[str, Any]
) -> str:
    """The id of the run that has the tags `key`; made, with all tags and params, if need be.

    One that was interrupted, or had failed, goes on.
    """
    for run in _runs_with(store, key, most=1):
        if run.data.tags.get("lesion.state") in ("interrupted", "failed"):
            reopen_run(store, run.info.run_id)
        return str(run.info.run_id)
    run_id = new_run(store, {**key, **tags})
    log_params(store, run_id, params)
    return run_id


def new_run(store: Store, tags: Mapping[str, str], started: float | None = None) -> str:
    """The id of a new run; `started` is when it began, in seconds since 1970 (default: now)."""
    at = None if started is None else int(started * 1000)
    return str(store.client.create_run(store.experiment_id, at, dict(tags)).info.run_id)


def log_params(store: Store, run_id: str, params: Mapping[str, Any]) -> None:
    """Write params in one call (MLflow takes 100 at most)."""
    listed = [Param(name, str(value)) for name, value in params.items()]
    for at in range(0, len(listed), 100):
        store.client.log_batch(run_id, params=listed[at : at + 100])


def log_metrics(
    store: Store, run_id: str, metrics: Mapping[str, Any], step: int = 0, at: float | None = None
) -> None:
    """Write every number of `metrics` in one call; `at` is when they came about (default: now)."""
    store.client.log_batch(run_id, metrics=points_of(metrics, step, at))


def points_of(metrics: Mapping[str, Any], step: int, at: float | None = None) -> list[Metric]:
    """Every number of `metrics` at one step, as MLflow takes it."""
    milliseconds = int((at or time.time()) * 1000)
    return [
        Metric(name, float(value), milliseconds, step)
        for name, value in metrics.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]


def set_tags(store: Store, run_id: str, tags: Mapping[str, str]) -> None:
    """Write tags in one call."""
    store.client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])


def merit_tags(merit: Merit) -> dict[str, str]:
    """The figure that chooses, and its direction."""
    return {"lesion.merit": merit.name, "lesion.better": merit.better}


def reopen_run(store: Store, run_id: str) -> None:
    """A run that was closed goes on."""
    run = store.client.get_run(run_id)
    if run.info.status != "RUNNING":
        reason = {REASON: ""} if run.data.tags.get(REASON) else {}
        set_tags(store, run_id, {"lesion.state": "running", **reason})
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
    begun = store.client.get_run(run_id).info.start_time  # a clock may have gone back since
    store.client.set_terminated(run_id, status, max(begun, int((at or time.time()) * 1000)))


@contextmanager
def interruptible(store: Store, run_id: str, at_error: str = "failed") -> Iterator[None]:
    """Where the block does not come to its end, the run and those below it that run say so.

    After a signal they are "interrupted". MLflow's own errors are not recorded: it is away.

    Args:
        store, run_id: the run.
        at_error: what any other error makes of them; the reason is told beside.
    """
    try:
        yield
    except BaseException as error:
        signalled = asked_to_stop()
        recorded = isinstance(error, Exception) and not isinstance(error, FAULTS)
        if (signalled or recorded) and not lost_to_another():
            _close(store, run_id, *(("interrupted", "") if signalled else (at_error, told(error))))
        raise


def _close(store: Store, run_id: str, state: str, reason: str) -> None:
    # Whoever sent the signal kills before long: a server that is away gets one short try.
    os.environ.update(MLFLOW_HTTP_REQUEST_MAX_RETRIES="0", MLFLOW_HTTP_REQUEST_TIMEOUT="5")
    try:
        _close_all(store, run_id, state, {REASON: reason} if reason else {})
    except FAULTS as error:
        say(f"MLflow is away, where the run still runs: {told(error)}")


def _close_all(store: Store, run_id: str, state: str, reason: Mapping[str, str]) -> None:
    for run in _runs_with(store, {PARENT: run_id}, most=10_000):
        if run.info.status == "RUNNING":
            _close_all(store, run.info.run_id, state, reason)
    if store.client.get_run(run_id).info.status == "RUNNING":
        set_tags(store, run_id, reason)
        end_run(store, run_id, state)


def is_finished(store: Store, run_id: str) -> bool:
    """Whether the run was closed as finished: nothing of it is to be done again."""
    return bool(store.client.get_run(run_id).data.tags.get("lesion.state") == "finished")
