"""Ctrl-C and SIGTERM mean "go on later": a real sweep stopped as it searches, and measures."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from platform.tuning.trials import STATE
from tests.platform.agreement import check_agree, runs_of_sweep, study_at
from tests.platform.conftest import ROOT, started, wait_for_line, wait_until
from tests.platform.sleeping import again, check_interrupted, check_slept, new
from tests.platform.stopping import check_said, stop, temporary_folder

pytestmark = [pytest.mark.ray, pytest.mark.slow]
SEARCHES, MEASURES = "[1/4]", "measuring the best trial"


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Where the driver keeps what goes with it."""
    with temporary_folder() as folder:
        yield folder


@pytest.mark.parametrize(
    ("at", "number", "to_all"),
    [
        (SEARCHES, signal.SIGTERM, False),  # kill
        (SEARCHES, signal.SIGTERM, True),  # a scheduler
        (SEARCHES, signal.SIGINT, True),  # Ctrl-C in a terminal
        (MEASURES, signal.SIGINT, True),
        (MEASURES, signal.SIGTERM, False),
    ],
)
def test_a_stopped_sweep_ends_in_order_and_goes_on(
    at: str, number: signal.Signals, to_all: bool, tiny_set: Path, tmp_path: Path, temporary: Path
) -> None:
    storage, log = tmp_path / "store", tmp_path / "log"
    seconds = ("--config.seconds", 1.0 if at == SEARCHES else 0.1)
    with started(log, "sweep", *new(storage, tiny_set, "night", *seconds), address="local") as one:
        wait_for_line(one, log, at, 120)
        if at == SEARCHES:  # two trials are under way
            third = storage / "sweeps" / "night" / "trials" / "0002" / "history.jsonl"
            wait_until(lambda: third.exists() and third.stat().st_size > 0, 30, "its first epoch")
        stop(one, number, to_all=to_all)
    check_said(log, "go on with --resume night")
    assert list(temporary.iterdir()) == []

    folder = storage / "sweeps" / "night"
    check_interrupted(storage, "night")
    assert study_at(folder).user_attrs[STATE] == "interrupted"
    states = check_agree(storage, "sleeper", "night")
    _, trials = runs_of_sweep(storage, "sleeper", "night")
    stopped = {n for n, run in trials.items() if run.data.tags["lesion.state"] == "interrupted"}
    assert stopped == {n for n, state in states.items() if state == "running"}
    assert bool(stopped) == (at == SEARCHES)

    with started(log, "sweep", *again(storage, "night"), address="local") as two:
        assert two.wait(120) == 0, log.read_text()
    assert set(check_agree(storage, "sleeper", "night").values()) == {"finished"}
    check_slept(storage, 4, twice=len(stopped))
    assert study_at(folder).user_attrs[STATE] == "finished"
    parent, _ = runs_of_sweep(storage, "sleeper", "night")
    assert (parent.info.status, parent.data.tags["lesion.state"]) == ("FINISHED", "finished")


def test_a_second_driver_is_refused_while_the_first_lives(tiny_set: Path, tmp_path: Path) -> None:
    """Suspended, too: it may go on."""
    storage, log = tmp_path / "store", tmp_path / "log"
    words = new(storage, tiny_set, "night", "--config.seconds", 5.0)  # the second takes its time
    with started(log, "sweep", *words, address="local") as first:
        wait_for_line(first, log, "sweep night:", 120)
        for number in (signal.SIGCONT, signal.SIGSTOP):
            os.kill(first.pid, number)
            second = subprocess.run(
                [sys.executable, "-m", "platform.sweep", *map(str, again(storage, "night"))],
                cwd=ROOT, capture_output=True, text=True, timeout=60,
            )  # fmt: skip
            assert second.returncode == 2, second.stdout + log.read_text()
            (line,) = second.stderr.splitlines()
            assert f"is driven by process {first.pid} on " in line
        os.kill(first.pid, signal.SIGCONT)
        assert first.wait(120) == 0, log.read_text()
    assert set(check_agree(storage, "sleeper", "night").values()) == {"finished"}
    check_slept(storage, 4)
