"""MLflow: where runs are recorded. The driver alone talks to it.

One experiment a system; the tags and metric names are those of `dashboards`.
"""

import logging
import os
import subprocess  # nosec B404
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from google.protobuf.json_format import Error as BadMessage  # type: ignore[import-untyped]
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from requests import RequestException
from sqlalchemy.exc import SQLAlchemyError

from dashboards.recorded.artifacts import check_place
from dashboards.recorded.baselines import log_baselines
from dashboards.recorded.credentials import URI, Scrubbing, told, whole_address, without_credentials
from dashboards.recorded.runs import quoted
from dashboards.tables.terminal import say
from lesions import InputError
from lesions.files import locked
from platform.running.storage import ROOT

PARENT = "mlflow.parentRunId"
NAME = "mlflow.runName"
RETRY_S = 15.0
FAULTS = (MlflowException, RequestException, SQLAlchemyError, BadMessage)  # of the store
_SCRUBBING = Scrubbing()


@dataclass
class Store:
    """An experiment in an MLflow server or file; it may be kept and sent: it holds no password.

    Attributes:
        uri: the tracking URI without user, password and query.
        experiment: the experiment's name: the system's.
        experiment_id: its id there.
    """

    uri: str
    experiment: str
    experiment_id: str

    def __post_init__(self) -> None:
        """Credentials that came with the URI stay in the environment, where they came from."""
        self.uri = without_credentials(self.uri)

    @property
    def client(self) -> MlflowClient:
        """A client; made when asked for, because Tune pickles what holds the store."""
        try:
            return MlflowClient(tracking_uri=whole_address(self.uri))
        except (ImportError, SQLAlchemyError) as error:  # of a database's driver
            raise MlflowException(told(error)) from None


def open_store(storage: Path, system: str, paper: str) -> Store:
    """The system's experiment with the paper's baselines in it, made if need be.

    `MLFLOW_TRACKING_URI` names a server; without it a SQLite file in `storage` serves.

    Raises:
        InputError: the server is away or refuses.
    """
    uri, local = tracking_uri(storage)
    artifacts = None if local is None else (storage / "artifacts" / system).as_uri()
    store = Store(uri=uri, experiment=system, experiment_id="")
    try:
        # Two first uses of a store at once would corrupt its migration.
        with locked(storage / "mlflow.lock"):
            client = store.client
            found = client.get_experiment_by_name(system) or client.get_experiment(
                client.create_experiment(system, artifacts)
            )
            check_place(store.uri, found.artifact_location)  # now, not when a training has ended
            log_baselines(client, found.experiment_id, paper)
    except FAULTS as error:
        raise InputError(
            f"the MLflow server at {store.uri} does not answer as it should: {told(error)}",
            remedy="start it, or unset MLFLOW_TRACKING_URI to record in a local file",
        ) from None
    return replace(store, experiment_id=found.experiment_id)


def tracking_uri(storage: Path) -> tuple[str, Path | None]:
    """Where MLflow records, without credentials; the SQLite file where no server is named.

    What MLflow reads from the environment is set too; a user's own settings stay.
    """
    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for handler in logging.getLogger("mlflow").handlers:
        handler.addFilter(_SCRUBBING)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    if given := os.environ.get(URI):
        return without_credentials(given), None
    file = storage / "mlflow.db"
    return f"sqlite:///{file}", file


def find_run(store: Store, tags: Mapping[str, str]) -> str | None:
    """The id of the run with all these tags, if there is one."""
    wanted = " and ".join(f"tags.`{name}` = {quoted(value)}" for name, value in tags.items())
    runs = store.client.search_runs([store.experiment_id], wanted, max_results=1)
    return runs[0].info.run_id if runs else None


@contextmanager
def reaching(store: Store, remedy: str) -> Iterator[None]:
    """InputError, with what to do then, when the server is away or errs inside the block."""
    try:
        yield
    except FAULTS as error:
        raise InputError(
            f"the MLflow server at {store.uri} is away or errs: {told(error)}", remedy=remedy
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
            except FAULTS as error:
                if self.away_until is None:
                    say(f"MLflow is away; its records wait: {told(error)}")
                self.away_until = time.monotonic() + RETRY_S
                break
            del self.waiting[0]
            if self.away_until is not None:
                say("MLflow is back")
            self.away_until = None
        return len(self.waiting)


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
    try:  # git, with words of ours
        done = subprocess.run(  # nosec B603
            command, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
