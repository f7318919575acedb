"""Commands stopped as a terminal, a scheduler or `kill` does, and what they must leave: nothing."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

MOST_S = 30  # until a command that was told to stop has ended


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Where a command keeps what goes with it; sockets' paths must be short."""
    folder = Path(tempfile.mkdtemp(prefix="s", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("RAY_TMPDIR", "TMPDIR"):
            patch.setenv(name, str(folder))
        yield folder
    shutil.rmtree(folder)


def stop(process: subprocess.Popen[str], number: signal.Signals, *, to_all: bool) -> None:
    """Send a signal, to all of its group as a terminal does; it ends in time, with all it started.

    Args:
        process: a command that has started its cluster.
        number: the signal.
        to_all: whether its processes get it, too.
    """
    own = psutil.Process(process.pid).children(recursive=True)
    assert any("raylet" in one.name() for one in own)
    (os.killpg if to_all else os.kill)(process.pid, number)
    began = time.monotonic()
    assert process.wait(MOST_S) == 128 + number
    print(f"{number.name}: {time.monotonic() - began:.1f} s")
    assert psutil.wait_procs(own, timeout=5)[1] == []


def check_said(log: Path, again: str) -> None:
    """Its last line says how to go on, and no other line tells of trouble."""
    said = log.read_text()
    print(said)
    assert said.splitlines()[-1] == f"interrupted; {again}"
    assert not re.search(r"Traceback|SIGTERM|\*\*\*|^error|Error\b", said, re.MULTILINE)
