"""MLflow's database: whether its file is whole, and whether Python has the driver for it."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from sqlalchemy.engine import make_url

from dashboards.recorded.credentials import is_server, told
from lesions.errors import InputError

CHECK_S = 5.0  # a file that takes longer to look through is believed
_STEPS = 10_000  # of SQLite's machine between two looks at the clock
_TRIES = 5  # of MLflow's to reach a database, 3 s in all; its own ten take 100 s
# Packages are not always called as what they are imported by.
_PACKAGES = {
    "psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient",
}  # fmt: skip
_HEADER = 100  # bytes
CONNECT_S, SILENT_S = 10, 20  # a server that does not answer, and one that was cut off
_LIBPQ, _MYSQL = ("psycopg", "psycopg2"), ("mysqldb", "pymysql")


def check_file(uri: str) -> None:
    """InputError where the SQLite file of a store is damaged: MLflow would try for minutes.

    A file that is not there, or empty, is one that MLflow makes.
    """
    file = _file_of(uri)
    if file is not None and file.is_file() and (reason := _damage(file)) is not None:
        raise InputError(
            f"MLflow's database is damaged: {reason}; the runs and registered models in it are "
            "lost, the sweeps and their checkpoints are kept",
            file=file,
            remedy="move it away; --resume NAME then records a sweep again",
        )


def driver_missing(of: str, error: ImportError) -> InputError:
    """What to say where Python cannot import a database's driver; `of` says which database."""
    package = _PACKAGES.get(error.name or "", error.name or "its driver")
    return InputError(
        f"{of} wants a driver that Python cannot import: {told(error)}",
        remedy=f"pip install {package}",
    )


def patience(url: str) -> dict[str, int]:
    """For how long a database's driver waits, as arguments of its `connect`.

    What the address itself says of them stays. A server that is suspended in the midst of an answer
    still acknowledges what comes: PostgreSQL's driver waits for it without end.
    """
    address = make_url(url)
    driver = address.get_driver_name()
    found: dict[str, int] = {}
    if driver in _LIBPQ:
        found = {"connect_timeout": CONNECT_S, "tcp_user_timeout": 1000 * SILENT_S}
    if driver in _MYSQL:
        found = {"connect_timeout": CONNECT_S, "read_timeout": SILENT_S, "write_timeout": SILENT_S}
    return {name: seconds for name, seconds in found.items() if name not in address.query}


def hurry(uri: str) -> None:
    """Let MLflow give up on a database that does not answer while a user still waits."""
    if not is_server(uri) and "://" in uri:
        from mlflow.store.db import utils  # a server's client does without

        utils.MAX_RETRY_COUNT = _TRIES


def _file_of(uri: str) -> Path | None:
    if not uri.startswith("sqlite"):
        return None
    name = make_url(uri).database
    return None if name in (None, "", ":memory:") else Path(str(name))


def _damage(file: Path) -> str | None:
    """What SQLite says of it; None where it is whole, or another process is writing."""
    end = time.monotonic() + CHECK_S
    try:
        with closing(sqlite3.connect(f"file:{_escaped(file)}?mode=rw", uri=True)) as database:
            database.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
            database.execute("BEGIN")  # nobody writes between the two looks
            (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
            cut = _is_cut(file)
    except sqlite3.OperationalError as error:  # locked, interrupted, not ours to write
        return told(error) if "malformed" in str(error) else None
    except sqlite3.DatabaseError as error:
        return told(error)
    if cut:
        return "it is cut off"
    return None if found == "ok" else " ".join(str(found).split())


def _is_cut(file: Path) -> bool:
    """Whether it ends within a page: SQLite itself takes what is missing there for zeros."""
    with file.open("rb") as start:
        header = start.read(_HEADER)
    page = int.from_bytes(header[16:18])
    size = file.stat().st_size
    return 0 < size < _HEADER or (
        size > 0 and page >= 512 and header.startswith(b"SQLite") and size % page != 0
    )


def _escaped(file: Path) -> str:
    return file.absolute().as_uri().removeprefix("file://")
