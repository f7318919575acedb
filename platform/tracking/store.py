"""MLflow's store: where runs and models are recorded. The driver alone talks to it.

One experiment a system; the tags and metric names are those of `dashboards`.
"""

import logging
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from dashboards.recorded.artifacts import check_place
from dashboards.recorded.baselines import log_baselines
from dashboards.recorded.credentials import URI, Scrubbing, told, whole_address, without_credentials
from lesions import InputError
from lesions.files import locked
from platform.tracking.database import check_file, driver_missing, hurry
from platform.tracking.faults import FAULTS

_SCRUBBING = Scrubbing()
_FULL = "disk is full"  # as SQLite says it


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
    def browsed_by(self) -> str:
        """The command that shows all of it."""
        return f"mlflow ui --backend-store-uri {shlex.quote(self.uri)}"

    @property
    def client(self) -> MlflowClient:
        """A client; made when asked for, as a store may be kept and sent.

        Raises:
            InputError: the driver of the database that it names is not installed.
        """
        hurry(self.uri)
        try:
            return MlflowClient(tracking_uri=whole_address(self.uri))
        except ImportError as error:
            raise driver_missing(f"MLflow's database {self.uri}", error) from None
        except SQLAlchemyError as error:
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
            check_file(store.uri)
            client = store.client
            found = client.get_experiment_by_name(system) or client.get_experiment(
                client.create_experiment(system, artifacts)
            )
            check_place(store.uri, found.artifact_location)  # now, not when a training has ended
            log_baselines(client, found.experiment_id, paper)
    except FAULTS as error:
        raise _failing(
            store, "does not answer as it should", error,
            "start it, or unset MLFLOW_TRACKING_URI to record in a local file",
        ) from None  # fmt: skip
    return replace(store, experiment_id=found.experiment_id)


def find_store(storage: Path, system: str) -> Store:
    """The system's experiment, for a command that only reads: where there is none, none is made.

    Raises:
        InputError: nothing was recorded; or the server is away or refuses.
    """
    uri, local = tracking_uri(storage)
    store = Store(uri=uri, experiment=system, experiment_id="")
    found = None
    check_file(store.uri)
    if local is None or local.exists():  # a client would make one
        with reaching(store, "start it, or unset MLFLOW_TRACKING_URI to use a local file"):
            found = store.client.get_experiment_by_name(system)
    if found is None:
        raise InputError(f"nothing of {system} was recorded here", file=local or uri,
                         remedy="sweep first, or say --storage")  # fmt: skip
    return replace(store, experiment_id=found.experiment_id)


def tracking_uri(storage: Path) -> tuple[str, Path | None]:
    """Where MLflow records, without credentials; the SQLite file where no server is named.

    What MLflow reads from the environment is set too; a user's own settings stay.
    """
    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Each of its errors comes to us as well, and is said in a line.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    for handler in logging.getLogger("mlflow").handlers:
        handler.addFilter(_SCRUBBING)
    # A server that takes calls and never answers is told of within half a minute.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "12")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    if given := os.environ.get(URI):
        return without_credentials(given), None
    file = storage / "mlflow.db"
    return sqlite_uri(file), file


def sqlite_uri(file: Path) -> str:
    """The tracking URI of a SQLite file: as its path, but for what would end or change a URI."""
    path, odd = re.subn("[%?#]", lambda found: f"%{ord(found[0]):02X}", str(file))
    # Where no driver is named MLflow would make a folder that is called as the URI is written.
    return f"sqlite{'+pysqlite' if odd else ''}:///{path}"


@contextmanager
def reaching(store: Store, remedy: str) -> Iterator[None]:
    """InputError, with what to do then, when the server is away or errs inside the block."""
    try:
        yield
    except FAULTS as error:
        raise _failing(store, "is away or errs", error, remedy) from None


def _failing(store: Store, how: str, error: Exception, remedy: str) -> InputError:
    words = told(error)
    if _FULL in words:
        remedy = remedy.replace("start it", "make room")
    return InputError(f"the MLflow server at {store.uri} {how}: {words}", remedy=remedy)
