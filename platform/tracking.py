"""MLflow: where runs are recorded. The driver alone talks to it.

One experiment a system; the tags and metric names are those of `dashboards`.
"""

import logging
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from dashboards.baselines import log_baselines
from dashboards.terminal import say
from lesions import InputError
from lesions.files import locked
from platform.storage import ROOT

PARENT = "mlflow.parentRunId"
NAME = "mlflow.runName"
RETRY_S = 15.0


@dataclass
class Store:
    """An experiment in an MLflow server or file.

    Attributes:
        uri: the tracking URI.
        experiment: the experiment's name: the system's.
        experiment_id: its id there.
    """

    uri: str
    experiment: str
    experiment_id: str

    @property
    def client(self) -> MlflowClient:
        """A client; made when asked for, because Tune pickles what holds the store."""
        return MlflowClient(tracking_uri=self.uri)


def open_store(storage: Path, system: str, paper: str) -> Store:
    """The system's experiment with the paper's baselines in it, made if need be.

    `MLFLOW_TRACKING_URI` names a server; without it a SQLite file in `storage` serves.

    Raises:
        InputError: the server is away or refuses.
    """
    uri, local = tracking_uri(storage)
    artifacts = None if local is None else (storage / "artifacts" / system).as_uri()
    try:
        # Two first uses of a store at once would corrupt its migration.
        with locked(storage / "mlflow.lock"):
            client = MlflowClient(tracking_uri=uri)
            found = client.get_experiment_by_name(system)
            known = found.experiment_id if found else None
            experiment_id = known or client.create_experiment(system, artifacts)
            log_baselines(client, experiment_id, paper)
    except MlflowException as error:
        raise InputError(
            f"the MLflow server at {uri} does not answer as it should: {_first_line(error)}",
            remedy="start it, or unset MLFLOW_TRACKING_URI to record in a local file",
        ) from None
    return Store(uri=uri, experiment=system, experiment_id=experiment_id)


def tracking_uri(storage: Path) -> tuple[str, Path | None]:
    """Where MLflow records, and the SQLite file that serves where no server is named.

    What MLflow reads from the environment is set too; a user's own settings stay.
    """
    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.WARNING)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    if given := os.environ.get("MLFLOW_TRACKING_URI"):
        return given, None
    file = storage / "mlflow.db"
    return f"sqlite:///{file}", file


def find_run(store: Store, tags: Mapping[str, str]) -> str | None:
    """The id of the run with all these tags, if there is one."""
    wanted = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
    runs = store.client.search_runs([store.experiment_id], wanted, max_results=1)
    return runs[0].info.run_id if runs else None


@contextmanager
def reaching(store: Store, remedy: str) -> Iterator[None]:
    """InputError, with what to do then, when the server is away inside the block."""
    try:
        yield
    except MlflowException as error:
        raise InputError(
            f"the MLflow server at {store.uri} is away: {_first_line(error)}", remedy=remedy
        ) from None


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


def reopen_run(store: Store, run_id: str) -> None:
    """A run that was closed goes on."""
    if store.client.get_run(run_id).info.status != "RUNNING":
        set_tags(store, run_id, {"lesion.state": "running"})
        store.client.update_run(run_id, status="RUNNING")


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


@dataclass
class Outbox:
    """Calls to a server that may be away for a while: kept in order, sent when it is back."""

    waiting: list[Callable[[], object]] = field(default_factory=list)
    away_until: float | None = None

    def send(self, call: Callable[[], object]) -> None:
        """Make the call after those that wait; a failure keeps it and never raises."""
        self.waiting.append(call)
        self.flush()

    def flush(self) -> int:
        """Make the calls that wait; how many still do."""
        if self.away_until is not None and time.monotonic() < self.away_until:
            return len(self.waiting)  # every try on a dead server would hold the trials up
        while self.waiting:
            try:
                self.waiting[0]()
            except MlflowException as error:
                if self.away_until is None:
                    say(f"MLflow is away; its records wait: {_first_line(error)}")
                self.away_until = time.monotonic() + RETRY_S
                break
            del self.waiting[0]
            if self.away_until is not None:
                say("MLflow is back")
            self.away_until = None
        return len(self.waiting)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]


def provenance() -> dict[str, str]:
    """The code's version: the git commit, with `-dirty` when files differ from it."""
    return {"lesion.git_commit": git_commit()}


def git_commit() -> str:
    """The commit of the working tree; "unknown" outside a repository."""
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return "unknown"
    return commit + ("-dirty" if _git("status", "--porcelain", "--untracked-files=no") else "")


def _git(*words: str) -> str:
    command: Sequence[str] = ("git", "-C", str(ROOT), *words)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
