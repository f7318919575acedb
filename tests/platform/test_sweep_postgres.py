"""A sweep whose study is in a PostgreSQL server, which goes away and comes back."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.platform.agreement import check_agree
from tests.platform.conftest import started, wait_for_line, wait_until
from tests.platform.sleeping import again, check_interrupted, check_slept, new

pytestmark = [pytest.mark.ray, pytest.mark.slow]
SECRET = "hush-hush"


@dataclass(frozen=True)
class Postgres:
    """A server of its own that answers at a socket alone, and wants a password."""

    folder: Path

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://studies@/postgres?host={self.folder}"

    def control(self, *words: str) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}'"
        _run("pg_ctl", "-w", "-D", str(self.folder / "data"), "-l", str(self.folder / "log"),
             "-o", options, *words)  # fmt: skip


def _run(*words: str) -> None:
    """As another user where this one is root, whom PostgreSQL refuses."""
    other = [] if os.geteuid() else ["setpriv", "--reuid=nobody", "--clear-groups"]
    subprocess.run([*other, *words], check=True, stdout=subprocess.DEVNULL, cwd="/")


@pytest.fixture
def postgres(monkeypatch: pytest.MonkeyPatch) -> Iterator[Postgres]:
    if shutil.which("initdb") is None or shutil.which("pg_ctl") is None:
        pytest.skip("PostgreSQL's initdb and pg_ctl are not on the path")
    with tempfile.TemporaryDirectory(dir="/tmp") as short:  # a socket's path must be short
        server = Postgres(Path(short))
        secret = server.folder / "password"
        secret.write_text(SECRET)
        if not os.geteuid():
            for path in (server.folder, secret):
                shutil.chown(path, "nobody")
        _run("initdb", "-D", f"{short}/data", "-U", "studies", "--pwfile", str(secret),
             "--auth", "scram-sha-256", "--no-sync")  # fmt: skip
        server.control("start")
        try:
            monkeypatch.setenv("PGPASSWORD", SECRET)
            yield server
        finally:
            server.control("stop", "-m", "immediate")


def test_a_study_in_a_database_that_goes_away(
    postgres: Postgres, tiny_set: Path, tmp_path: Path
) -> None:
    storage, log, url = tmp_path / "store", tmp_path / "log", postgres.url
    words = new(storage, tiny_set, "night", "--study", url, "--config.seconds", 1.0)
    with started(log, "sweep", *words, address="local") as driver:
        wait_for_line(driver, log, "[2/4]", 120)
        third = storage / "sweeps" / "night" / "trials" / "0002" / "history.jsonl"
        wait_until(lambda: third.exists() and third.stat().st_size > 0, 30, "its first epoch")
        postgres.control("stop", "-m", "immediate")
        try:
            assert driver.wait(30) == 2
            check_said(log.read_text(), storage)
            check_interrupted(storage, "night")
            with started(log, "sweep", *again(storage, "night"), address="local") as second:
                assert second.wait(60) == 2
            check_said(log.read_text(), storage)
        finally:
            postgres.control("start")
    with started(log, "sweep", *again(storage, "night"), address="local") as driver:
        assert driver.wait(120) == 0, log.read_text()
    assert set(check_agree(storage, "sleeper", "night", url).values()) == {"finished"}
    check_slept(storage, 4, twice=4)

    other = new(tmp_path / "other", tiny_set, "night", "--study", url)
    with started(log, "sweep", *other, address="local") as driver:
        assert driver.wait(60) == 2
    (line,) = [line for line in log.read_text().splitlines() if line.startswith("error: ")]
    assert "there is a study 'night' of another sweep in " in line
    everything = "".join(path.read_text(errors="ignore") for path in storage.rglob("*")
                         if path.is_file())  # fmt: skip
    assert SECRET not in everything + log.read_text()


def check_said(said: str, storage: Path) -> None:
    print(said)
    (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
    assert str(storage) in line
    assert "--resume night" in line
    assert SECRET not in said
    assert not re.search(r"Traceback|trial \d+ failed", said)
    assert "connection" in line, "the database's own word for it"
