"""Signals end a command in order: one line, one status, whatever it is in the midst of."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from lesions import InputError
from platform.command_line.options import run
from platform.running import interrupted
from platform.running.interrupted import (
    asked_to_stop,
    end_with,
    gone_at_the_end,
    lost_to_another,
    stopping_in_order,
)
from tests.forks import forked, told

Begun = Callable[[], None]


def command(connection: Connection, stderr: Path, work: Callable[[Begun], None]) -> None:
    """Run `work` as a command, which tells when it has begun; its words go to a file."""
    with stderr.open("w") as file:
        os.dup2(file.fileno(), 2)
    sys.stderr = os.fdopen(2, "w", closefd=False)

    def main() -> None:
        work(lambda: connection.send("begun"))

    run(main, again="go on with the same command")


@contextmanager
def signalled(
    tmp_path: Path, work: Callable[[Begun], None], *numbers: int
) -> Iterator[tuple[int, str]]:
    """A command that was sent these signals once it had begun: its exit status and words."""
    with forked(command, tmp_path / "stderr", work) as (process, connection):
        assert told(connection) == "begun"
        for number in numbers:
            os.kill(process.pid or 0, number)
            time.sleep(0.05)
        process.join(10)
        yield process.exitcode or 0, (tmp_path / "stderr").read_text()


def wait(begun: Begun) -> None:
    begun()
    time.sleep(60)


SAID = "interrupted; go on with the same command\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_has_its_status(number: int, tmp_path: Path) -> None:
    with signalled(tmp_path, wait, number) as ended:
        assert ended == (128 + number, SAID)


def test_the_first_counts_and_others_change_nothing(tmp_path: Path) -> None:
    done = tmp_path / "done"

    def tidy(begun: Begun) -> None:
        try:
            wait(begun)
        finally:
            time.sleep(0.5)
            done.touch()

    with signalled(tmp_path, tidy, signal.SIGTERM, signal.SIGINT, signal.SIGTERM) as ended:
        assert ended == (143, SAID)
        assert done.exists()


def test_libraries_take_no_signal_away(tmp_path: Path) -> None:
    def greedy(begun: Begun) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        assert signal.signal(signal.SIGUSR1, signal.SIG_IGN) == signal.SIG_DFL
        wait(begun)

    with signalled(tmp_path, greedy, signal.SIGTERM) as ended:
        assert ended == (143, SAID)


def test_a_block_that_ends_in_order(tmp_path: Path) -> None:
    order = tmp_path / "order"

    def stop(begun: Begun) -> None:
        with stopping_in_order() as stop:
            begun()
            while not stop():
                time.sleep(0.01)
            time.sleep(0.3)
            order.write_text("saved")
        order.write_text("after")

    with signalled(tmp_path, stop, signal.SIGTERM, signal.SIGTERM) as ended:
        assert ended == (143, SAID)
        assert order.read_text() == "saved"


def test_what_fails_because_of_it_is_no_failure(tmp_path: Path) -> None:
    def fail(begun: Begun) -> None:
        try:
            wait(begun)
        except KeyboardInterrupt:
            raise InputError("a worker died") from None

    with signalled(tmp_path, fail, signal.SIGTERM) as ended:
        assert ended == (143, SAID)


def test_what_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a library swallows the exception, or lets no Python run."""
    monkeypatch.setattr(interrupted, "MOST_S", 0.5)
    folder = tmp_path / "rays"

    def deaf(begun: Begun) -> None:
        with gone_at_the_end(folder):
            folder.mkdir()
            with suppress(BaseException):
                wait(begun)
            signal.pthread_sigmask(signal.SIG_BLOCK, interrupted.SIGNALS)
            time.sleep(60)

    with signalled(tmp_path, deaf, signal.SIGTERM) as ended:
        assert ended == (143, SAID)
        assert not folder.exists()


def test_who_writes_into_a_folder_that_goes_goes_with_it(tmp_path: Path) -> None:
    """As a worker of Ray's, which answers SIGTERM when its task is done."""
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    folder = tmp_path / "rays"
    with gone_at_the_end(folder):
        folder.mkdir()
        with (folder / "worker.out").open("w") as out, (tmp_path / "other").open("w") as other:
            worker, stranger = (subprocess.Popen([sys.executable, "-c", deaf], stdout=file)
                                for file in (out, other))  # fmt: skip
    assert worker.wait(5) == -signal.SIGKILL
    assert not folder.exists()
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_run_that_is_lost_ends_with_the_reason(tmp_path: Path) -> None:
    def lose(begun: Begun) -> None:
        begun()
        assert not asked_to_stop()
        end_with(InputError("another has it", remedy="leave it"))
        try:
            time.sleep(60)
        finally:
            assert lost_to_another()

    with signalled(tmp_path, lose) as ended:
        assert ended == (2, "error: another has it (leave it)\n")


def test_all_is_as_before_after_a_command() -> None:
    before = [signal.getsignal(number) for number in interrupted.SIGNALS]
    found: list[Any] = []
    run(lambda: found.append(signal.getsignal(signal.SIGTERM)))
    assert found == [interrupted._on_signal]
    assert [signal.getsignal(number) for number in interrupted.SIGNALS] == before
    assert signal.signal is interrupted._SIGNAL
    assert not asked_to_stop()
