"""MLflow's database is damaged, or its driver missing: one sentence, soon."""

import os
import random
import re
import sys
import time
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import DatabaseError

from dashboards.recorded.credentials import told
from lesions import InputError
from platform.tracking.database import check_file
from platform.tracking.store import Store, find_store, open_store
from tests.platform.conftest import command, free_port


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("whole") / "mlflow.db"
    client = Store(uri=f"sqlite:///{file}", experiment="any", experiment_id="").client
    run_id = client.create_run(client.create_experiment("any")).info.run_id
    for step in range(20):
        client.log_metric(run_id, "dice", step / 20, step=step)
    return file.read_bytes()


def lengths(size: int) -> list[int]:
    chance = random.Random(0)
    pages = [4096 * n for n in range(1, size // 4096)]
    odd = [1, 15, 16, 17, 99, 100, 101, 1000, 4095, 4097, size // 2, size - 4096, size - 1]
    return sorted({*odd, *pages, *(chance.randrange(1, size) for _ in range(100))})


def test_a_file_cut_off_at_any_length_is_told(whole: bytes, tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    check_file(f"sqlite:///{file}")
    for length in lengths(len(whole)):
        file.write_bytes(whole[:length])
        began = time.monotonic()
        with pytest.raises(InputError, match=r"MLflow's database is damaged: .+ are kept \(move"):
            check_file(f"sqlite:///{file}")
        assert time.monotonic() - began < 2
        assert file.read_bytes() == whole[:length], "it is looked at, not changed"
    for fine in (b"", whole):
        file.write_bytes(fine)
        check_file(f"sqlite:///{file}")


def test_odd_names_and_no_files(whole: bytes, tmp_path: Path) -> None:
    for name in ("a b?c#d%41ü.db", "mlflow.db"):
        file = tmp_path / name
        file.write_bytes(whole[:5000])
        if "?" not in name:
            with pytest.raises(InputError, match="damaged"):
                check_file(f"sqlite:///{file}")
    for uri in ("sqlite://", "sqlite:///:memory:", "http://127.0.0.1:1", "postgresql://h/d"):
        check_file(uri)


@pytest.mark.parametrize("damage", ["cut", "torn", "other"])
def test_a_command_says_so_at_once(
    whole: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str], damage: str
) -> None:
    file = tmp_path / "mlflow.db"
    torn = whole[:8192] + os.urandom(len(whole) - 8192)
    file.write_bytes({"cut": whole[:50_000], "torn": torn, "other": b"no database" * 99}[damage])
    began = time.monotonic()
    assert command("compare", "pdnet", "--storage", tmp_path) == 2
    with pytest.raises(InputError, match="damaged"):
        open_store(tmp_path, "pdnet", "pdnet")
    assert time.monotonic() - began < 10
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"error: {file}: MLflow's database is damaged: ")
    assert "the sweeps and their checkpoints are kept" in line
    assert "--resume NAME then records a sweep again" in line


@pytest.mark.parametrize(
    ("uri", "package"),
    [
        ("postgresql://me:hush@127.0.0.1/db", "psycopg[binary]"),
        ("postgresql+psycopg2://me:hush@127.0.0.1/db", "psycopg2-binary"),
        ("mysql://me:hush@127.0.0.1/db", "mysqlclient"),
        ("mysql+pymysql://me:hush@127.0.0.1/db", "pymysql"),
        ("mssql+pyodbc://me:hush@127.0.0.1/db", "pyodbc"),
    ],
)
def test_a_missing_driver_is_one_sentence(
    uri: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setitem(sys.modules, "psycopg", None)  # the others are not installed here
    for ask in (lambda: open_store(tmp_path, "pdnet", "pdnet"), lambda: find_store(tmp_path, "x")):
        with pytest.raises(InputError) as caught:
            ask()
        said = str(caught.value)
        assert said.endswith(f"(pip install {package})")
        assert re.search(
            "wants a driver that Python cannot import: (No module|import of psyc)", said
        )
        assert "hush" not in said


def test_a_cause_is_not_cut_off() -> None:
    port = free_port()
    client = Store(uri=f"http://127.0.0.1:{port}", experiment="", experiment_id="").client
    with pytest.raises(MlflowException) as caught:
        client.get_experiment_by_name("x" * 900)
    said = told(caught.value)
    assert said.startswith("API request to http://127.0.0.1:")
    assert "Connection refused" in said
    assert " … " in said
    assert len(said) <= 610
    cause = ValueError("connection to server at 127.0.0.1 failed:\n\tno route to host\n")
    assert told(cause) == "connection to server at 127.0.0.1 failed: no route to host"
    sql = DatabaseError("INSERT INTO runs\nVALUES (?)", ("secret words",), ValueError("disk full"))
    assert told(sql) == "(builtins.ValueError) disk full"
    words = "(raised as a result of Query-invoked autoflush; consider\n using it) (sqlite3) full"
    assert told(ValueError(words)) == "(sqlite3) full"
