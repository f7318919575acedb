"""A run's files in MLflow: the one door through which they are listed, read and written.

Where they are is what the store says. A server that says "on your own disk" would have this
machine's files read or overwritten: such places are a local store's alone.
"""

import posixpath
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
from mlflow.utils.rest_utils import augmented_raise_for_status, http_request

from dashboards.recorded.credentials import is_server, told
from lesions.errors import InputError, shown
from lesions.names import check_name
from lesions.readers.bounded import open_regular

# Never this machine's disk. `runs:` is resolved here; `models:` would lead on to anywhere.
REMOTE = frozenset((
    "mlflow-artifacts", "http", "https", "s3", "r2", "b2", "gs", "wasbs", "abfss", "dbfs", "hdfs",
    "viewfs", "ftp", "sftp",
))  # fmt: skip
OF_A_SERVER = ("mlflow-artifacts", "http", "https")
LAYOUT = ("artifacts", "SYSTEM", "RUN", "artifacts")  # of a run's place, beside a local store
CHUNK = 1 << 20


def check_place(store: str, place: str) -> str:
    """The place of a run's files, as it is.

    Args:
        store: the tracking URI of the store that says so.
        place: the artifact URI.

    Raises:
        InputError: the store is a server, and the place is on this machine, another server's, or
            unknown.
    """
    if not is_server(store):
        return place
    scheme, host = _address(place)
    if scheme in OF_A_SERVER and host not in ("", _address(store)[1]):
        raise InputError(
            f"the MLflow server says that files are at {shown(place)!r}, another server, which "
            "MLflow would send its password",
            remedy="start it with --artifacts-destination",
        )
    if scheme not in REMOTE:
        raise InputError(
            f"the MLflow server says that files are at {shown(place)!r}, on this machine's disk",
            remedy="start it with --artifacts-destination, not --default-artifact-root, for a new "
            "experiment; or on its own machine name its database in MLFLOW_TRACKING_URI",
        )
    return place


def beside(store: str, place: str) -> str:
    """The place of a run's files where the store is now.

    A local store keeps the place that a run had when it began: it is gone, or another store's,
    after the store was moved or copied. Then they are beside the store, in its `artifacts/`; a
    place that is there stands where the store was moved without them.

    Args:
        store: the tracking URI of the store that says so.
        place: the artifact URI.
    """
    file, path = _local(store, "sqlite"), _local(place, "file")
    if file is None or path is None or len(path.parts) < len(LAYOUT):
        return place
    first, system, run_id, last = path.parts[-len(LAYOUT) :]
    if (first, last) != (LAYOUT[0], LAYOUT[-1]):
        return place
    before, now = path.parents[2], file.absolute().parent / first
    there = now / system / run_id / last
    if path.is_dir() or (before.is_dir() and not now.is_dir()):  # or began a moment ago
        return there.as_uri() if there.is_dir() else place
    return there.as_uri()


def _local(uri: str, scheme: str) -> Path | None:
    """The path of a URI of this scheme that names a file or folder of this machine; else None."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme.partition("+")[0] != scheme or parts.netloc or not parts.path:
        return None
    # SQLAlchemy's sqlite:///a.db is a.db, and sqlite:////a.db is /a.db.
    return Path(unquote(parts.path if scheme == "file" else parts.path[1:]))


def _address(uri: str) -> tuple[str, str]:
    """Scheme, and host with port; empty where there are none."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "", ""
    return parts.scheme, parts.netloc.rpartition("@")[2].lower()


def files_of(client: MlflowClient, run_id: str) -> "Files":
    """A run's files; InputError as of `check_place`."""
    return Files(client, str(client.get_run(run_id).info.artifact_uri))


def files_at(client: MlflowClient, place: str) -> "Files":
    """The files of a registered version, by its source; InputError as of `check_place`."""
    if urlsplit(place).scheme == "runs":
        run_id, _, folder = urlsplit(place).path.lstrip("/").partition("/")
        return Files(client, str(client.get_run(run_id).info.artifact_uri), folder)
    return Files(client, place)


class Files:
    """The files at one place. What fails at the store's end is an MlflowException.

    Args:
        client: the store's.
        place: their artifact URI, see `check_place`.
        folder: all paths are below it.
    """

    def __init__(self, client: MlflowClient, place: str, folder: str = "") -> None:
        store, self.folder = client.tracking_uri, folder
        self.place = beside(store, check_place(store, place))
        with at_the_store():
            self.repository: Any = get_artifact_repository(self.place, tracking_uri=store)

    def names(self, folder: str) -> set[str]:
        """Of the files and folders in a folder; what could be no file's name is left out."""
        with at_the_store():
            found = self.repository.list_artifacts(self._path(folder))
        names = {str(one.path).rpartition("/")[2] for one in found}
        return {name for name in names if name not in ("", ".", "..") and name.isprintable()}

    def read(self, path: str, most: int) -> bytes:
        """A file of at most `most` bytes; InputError where it has more."""
        with tempfile.TemporaryFile() as file:
            self.copy(path, file, most)
            file.seek(0)
            return file.read()

    def copy(self, path: str, file: BinaryIO, most: int) -> None:
        """Write a file's content, of at most `most` bytes, into an open one; see `read`."""
        with at_the_store():
            for chunk in self._chunks(self._path(path), most):
                if (most := most - len(chunk)) < 0:
                    raise InputError("is larger than any that was logged", file=shown(path))
                file.write(chunk)

    def _chunks(self, path: str, most: int) -> Iterator[bytes]:
        if isinstance(self.repository, LocalArtifactRepository):
            with open_regular(Path(self.repository.get_local_path(path)), most) as file:
                yield from iter(lambda: file.read(CHUNK), b"")
        elif isinstance(self.repository, HttpArtifactRepository):
            # MLflow's own download has no end where the server's answer has none.
            creds = self.repository._host_creds
            with http_request(creds, f"/{path}", "GET", stream=True) as answer:
                augmented_raise_for_status(answer)
                yield from answer.iter_content(CHUNK)
        else:
            with tempfile.TemporaryDirectory(prefix="lesion-files-") as scratch:
                local = Path(scratch, "file")
                self.repository._download_file(path, str(local))
                with open_regular(local, most) as file:
                    yield from iter(lambda: file.read(CHUNK), b"")

    def write(self, file: Path, folder: str = "") -> None:
        """Add a file, or a folder's content, to a folder."""
        target = self._path(folder) or None
        with at_the_store():
            if file.is_dir():
                self.repository.log_artifacts(str(file), target)
            else:
                self.repository.log_artifact(str(file), target)

    def write_text(self, text: str, name: str, folder: str = "") -> None:
        """Add a text file to a folder."""
        with tempfile.TemporaryDirectory(prefix="lesion-files-") as scratch:
            file = Path(scratch, check_name(name))
            file.write_text(text, encoding="utf-8")
            self.write(file, folder)

    def _path(self, path: str) -> str:
        return posixpath.join(self.folder, path)


@contextmanager
def at_the_store() -> Iterator[None]:
    """Each kind of store, and damage in it, raises its own errors: here all are MLflow's."""
    try:
        yield
    except (InputError, MlflowException):
        raise
    except Exception as error:
        raise MlflowException(told(error)) from None
