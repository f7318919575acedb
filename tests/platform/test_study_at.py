"""Where a study may be: what its address must not hold, and what is said when it is away."""

import socket
import sys
import time
from pathlib import Path

import pytest

from lesions import InputError
from lesions.files import replace_with
from platform.command_line.options import run
from platform.tracking import database
from tests.platform.conftest import command, free_port
from tests.platform.driven import opened

SECRET = "hush-hush"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hush-hush@127.0.0.1/studies",
        "postgresql+psycopg://me@127.0.0.1/studies?password=hush-hush",
        "postgresql://127.0.0.1/studies?user=me&PASSWORD=hush-hush",
        "mysql://me:hush-hush@127.0.0.1/studies",
    ],
)
def test_a_password_in_an_address_is_refused(
    url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert command("sweep", "pdnet", "--storage", tmp_path, "--study", url) == 2
    said = capfd.readouterr()
    assert "--study holds a password" in said.err
    assert SECRET not in said.err + said.out
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_away_is_told_by_its_own_word(tmp_path: Path) -> None:
    """Optuna's word for an error of a database is the same for all."""
    with pytest.raises(InputError) as caught:
        opened(tmp_path / "night", study=f"postgresql+psycopg://me@127.0.0.1:{free_port()}/studies")
    said = str(caught.value)
    assert said.startswith(f"{tmp_path / 'night'}: the study in postgresql+psycopg://me@127.0.0.1:")
    assert "connection refused" in said.lower()
    assert "--resume night" in said


def test_a_database_that_says_nothing_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes connections, and never answers: a server that hangs, or is suspended."""
    monkeypatch.setattr(database, "CONNECT_S", 2)  # PostgreSQL's driver takes no less
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+psycopg://me@127.0.0.1:{silent.getsockname()[1]}/studies"
        began = time.monotonic()
        with pytest.raises(InputError, match=r"timeout expired.* --resume night"):
            opened(tmp_path / "night", study=url)
    assert time.monotonic() - began < 15


def test_an_address_may_say_how_long_to_wait() -> None:
    assert database.patience("postgresql://me@host/studies?connect_timeout=90") == {
        "tcp_user_timeout": 20_000
    }
    assert database.patience("mysql+pymysql://me@host/studies")["read_timeout"] == 20
    assert database.patience("sqlite:////folder/study.db") == {}


def test_a_missing_driver_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InputError, match=r"the study's database .* \(pip install psycopg\[binary"):
        opened(tmp_path / "night", study="postgresql://me@127.0.0.1/studies")
    with pytest.raises(InputError, match=r"wants a driver .* \(pip install mysqlclient\)"):
        opened(tmp_path / "night", study="mysql://me@127.0.0.1/studies")


def test_a_full_disk_is_told_by_any_command(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "plan.json"

    def write() -> None:
        with replace_with(plan), open("/dev/full", "wb", buffering=0) as file:
            file.write(b"x")

    with pytest.raises(SystemExit) as stop:
        run(write, "give it again")
    assert stop.value.code == 2
    why = "the disk is full: No space left on device (make room and give it again)"
    assert capfd.readouterr().err == f"error: {plan}: {why}\n", "the file, which a write leaves out"
    assert list(tmp_path.iterdir()) == []
