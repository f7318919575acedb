"""One driver a run: real processes that are killed, suspended, elsewhere, and many at once."""

import json
import os
import re
import resource
import shutil
import signal
import threading
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from lesions import InputError
from platform.running import driving as module
from platform.running import owners
from platform.running.driving import LOCK, driving
from tests.forks import FORK, forked, told
from tests.platform.conftest import wait_until


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count and watch thirty times as fast."""
    monkeypatch.setattr(module, "BEAT_S", 0.1)
    monkeypatch.setattr(module, "LOOK_S", 0.5 / 30)


def drive(connection: Connection, folder: Path, elsewhere: bool = False) -> None:
    """Drive until told to end; tell of it, and of what is lost."""
    if elsewhere:
        module.place = lambda: "another host"
        owners.place = module.place
    try:
        with driving(folder, tell=lambda error: connection.send(f"lost: {error}")):
            connection.send("drives")
            connection.recv()
        connection.send("ended")
    except InputError as error:
        connection.send(str(error))


def tried(folder: Path) -> str:
    """ "drives", or why this process may not."""
    try:
        with driving(folder):
            return "drives"
    except InputError as error:
        return str(error)


def test_nothing_is_left(tmp_path: Path) -> None:
    with driving(tmp_path / "run") as driver:
        assert (tmp_path / "run" / LOCK).exists()
        driver.check()
        assert not driver.lost
    assert list((tmp_path / "run").iterdir()) == []


def test_a_second_is_refused_and_told_who(tmp_path: Path) -> None:
    with forked(drive, tmp_path) as (first, connection):
        assert told(connection) == "drives"
        said = tried(tmp_path)
        assert f"is driven by process {first.pid} on {os.uname().nodename} since " in said
        os.kill(first.pid or 0, signal.SIGSTOP)
        assert "is driven by" in tried(tmp_path), "suspended on this host, it may go on"
        os.kill(first.pid or 0, signal.SIGCONT)
        connection.send("end")
        assert told(connection) == "ended"
        assert tried(tmp_path) == "drives"
    with driving(tmp_path):
        assert "is driven by" in tried(tmp_path), "a thread is a second hand, too"


def test_a_killed_owners_lock_is_taken_over(tmp_path: Path) -> None:
    for _ in range(3):
        with forked(drive, tmp_path) as (first, connection):
            assert told(connection) == "drives"
            os.kill(first.pid or 0, signal.SIGKILL)
            first.join()
    assert len(list(tmp_path.iterdir())) == 3, "a chain of dead owners"
    assert tried(tmp_path) == "drives"
    assert list(tmp_path.iterdir()) == []


def test_a_later_process_with_its_number_is_no_owner(tmp_path: Path) -> None:
    with forked(drive, tmp_path) as (_, connection):
        assert told(connection) == "drives"
        lock = tmp_path / LOCK
        count, _, words = lock.read_text().partition("\n")
        found = json.loads(words)
        lock.write_text(f"{count}\n{json.dumps(found | {'begun': found['begun'] - 1})}")
        assert tried(tmp_path) == "drives"


def race(connection: Connection, folder: Path, barrier: Any) -> None:
    barrier.wait()
    drive(connection, folder)


def test_of_many_at_once_one_drives(tmp_path: Path) -> None:
    for turn in range(5):
        folder = tmp_path / str(turn)
        with forked(drive, folder) as (dead, connection):
            assert told(connection) == "drives"
            os.kill(dead.pid or 0, signal.SIGKILL)
            dead.join()
        barrier = FORK.Barrier(6)
        racing = [forked(race, folder, barrier) for _ in range(6)]
        entered = [one.__enter__() for one in racing]
        said = [told(connection) for _, connection in entered]
        assert said.count("drives") == 1, said
        assert all("is driven by" in words for words in said if words != "drives")
        for one in racing:
            one.__exit__(None, None, None)
        assert tried(folder) == "drives"
        assert list(folder.iterdir()) == []


def test_entering_and_leaving_at_once_is_never_two(tmp_path: Path) -> None:
    """Takers come while owners leave and are killed: never are two inside."""
    inside = tmp_path / "inside"

    def enter(connection: Connection) -> None:
        for _ in range(60):
            try:
                with driving(tmp_path / "run"):
                    os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
                    inside.unlink()
            except InputError:
                continue
            except FileExistsError:
                connection.send("two are inside")
        connection.send("done")

    with forked(enter) as (_, one), forked(enter) as (_, two), forked(enter) as (_, three):
        assert [told(connection, 60) for connection in (one, two, three)] == ["done"] * 3
    assert list((tmp_path / "run").iterdir()) == []


def test_an_owner_elsewhere_lives_as_long_as_it_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with forked(drive, tmp_path, True) as (owner, connection):
        assert told(connection) == "drives"
        assert "is driven by process" in tried(tmp_path)
        assert "watching for" in capsys.readouterr().out
        os.kill(owner.pid or 0, signal.SIGSTOP)
        with driving(tmp_path) as ours:
            os.kill(owner.pid or 0, signal.SIGCONT)
            assert told(connection).startswith("lost: ")
            connection.send("end")
            assert told(connection) == "ended"
            ours.check()
            assert not ours.lost
    assert list(tmp_path.iterdir()) == []


def test_an_owner_notices_at_its_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_S", 60.0)
    with driving(tmp_path) as driver:
        lock = tmp_path / LOCK
        lock.rename(tmp_path / "moved")
        with pytest.raises(InputError, match="drives the run no more"):
            driver.check()
        assert driver.lost


def test_a_copied_folder_is_nobodys(tmp_path: Path) -> None:
    with forked(drive, tmp_path / "run") as (_, connection):
        assert told(connection) == "drives"
        shutil.copytree(tmp_path / "run", tmp_path / "copy")
        assert tried(tmp_path / "copy") == "drives"
        assert "is driven by" in tried(tmp_path / "run")


DAMAGE = [b"", b"\0" * 400, b"00\n{", b"00\n[]", b"0\n" + b"[" * 4000, b'00\n{"pid": 1}', b"\xff"]


HOSTILE = [{"token": "../../up"}, {"token": "f"}, {"pid": "1"}, {"pid": True}, {"more": 1}]


def test_a_damaged_lock_is_watched_and_taken_over(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_bytes(DAMAGE[0])
    assert tried(tmp_path) == "drives"
    assert list(tmp_path.iterdir()) == []
    with driving(tmp_path):
        whole = json.loads((tmp_path / LOCK).read_text().partition("\n")[2])
    hostile = [b"0\n" + json.dumps(whole | change).encode() for change in HOSTILE]
    for damage in [*DAMAGE, *hostile]:
        (tmp_path / LOCK).write_bytes(damage)
        link = module._read(tmp_path / LOCK)
        assert link is not None
        assert link.owner is None
        assert re.fullmatch("[0-9a-f]{32}", link.token)


def test_a_damaged_lock_that_counts_on_is_somebodys(tmp_path: Path) -> None:
    ended = threading.Event()

    def count() -> None:
        number = 0
        while not ended.wait(0.02):
            number += 1
            (tmp_path / LOCK).write_bytes(b"%d damaged" % number)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        wait_until((tmp_path / LOCK).exists, 5, "the lock")
        assert "is driven by another process" in tried(tmp_path)
    finally:
        ended.set()
        thread.join()


def test_a_link_a_folder_and_a_pipe_are_no_lock(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("kept")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / LOCK).symlink_to(target)
    assert f"{LOCK}: is a link (remove it" in tried(tmp_path / "a")
    assert target.read_text() == "kept"
    (tmp_path / "b" / LOCK).mkdir(parents=True)
    assert "is no file" in tried(tmp_path / "b")
    (tmp_path / "c").mkdir()
    os.mkfifo(tmp_path / "c" / LOCK)
    assert "is no file" in tried(tmp_path / "c")
    (tmp_path / "file").touch()
    assert "its lock cannot be made: " in tried(tmp_path / "file")


def fill(connection: Connection, folder: Path) -> None:
    """Drive where no file can have more than ten bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
    drive(connection, folder)


def test_a_full_disk_and_a_read_only_folder_are_told(tmp_path: Path) -> None:
    with forked(fill, tmp_path) as (_, connection):
        assert "its lock cannot be made: No space left on device" in told(connection)
    assert list(tmp_path.iterdir()) == []
    assert "/proc: its lock cannot be made: " in tried(Path("/proc"))


def test_a_process_that_ends_by_itself_is_told_why(tmp_path: Path) -> None:
    """The reason reaches whoever asked for it, in the thread that found it."""
    heard: list[InputError] = []
    with driving(tmp_path / "run", tell=heard.append) as driver:
        (tmp_path / "run").rename(tmp_path / "moved")
        wait_until(lambda: driver.lost, 5, "the next count")
    assert "the folder was moved" in str(heard[0])


def test_an_owner_is_said_without_control_characters() -> None:
    owner = owners.Owner(
        host="a\x1b[2Jb", place="", pid=1, begun=2, since="now", token="0" * 32, inode=3
    )
    assert "\x1b" not in owner.words
    assert replace(owner, host="x" * 500).words.count("x") <= 100
