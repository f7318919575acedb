"""A disk that fills in the middle of a sweep: one sentence in time, and all goes on with room."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.platform.agreement import check_agree
from tests.platform.conftest import started, wait_for_line, wait_until
from tests.platform.sleeping import again, check_interrupted, check_slept, new

pytestmark = [pytest.mark.ray, pytest.mark.slow]
TRIALS = 8
HALF_A_SECOND = ("--config.seconds", 0.5)


@contextmanager
def disk(folder: Path, megabytes: int = 16) -> Iterator[None]:
    """A file system of its own at a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk takes a root who may mount one")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """A file that takes all the room that is left on a folder's disk."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    assert not shutil.disk_usage(folder).free
    return filler


def small(storage: Path, which: str, disks: ExitStack) -> Path:
    """Give one part of a storage a small disk of its own, and the others none that fills."""
    trials = storage / "sweeps" / "night" / "trials"
    if which == "checkpoints":
        disks.enter_context(disk(trials))
        return trials
    if which == "study":
        disks.enter_context(disk(storage / "sweeps"))
        disks.enter_context(disk(trials, 64))
        return storage / "sweeps"
    disks.enter_context(disk(storage))
    if which == "mlflow":
        disks.enter_context(disk(storage / "sweeps", 64))
    return storage


@pytest.mark.parametrize("which", ["checkpoints", "study", "mlflow", "all"])
def test_a_disk_that_fills_costs_nothing_finished(
    which: str, tiny_set: Path, tmp_path: Path
) -> None:
    storage, log = tmp_path / "store", tmp_path / "log"
    with ExitStack() as disks:
        full = small(storage, which, disks)
        words = new(storage, tiny_set, "night", *HALF_A_SECOND, trials=TRIALS)
        with started(log, "sweep", *words, address="local") as driver:
            wait_for_line(driver, log, f"[2/{TRIALS}]", 120)
            third = storage / "sweeps" / "night" / "trials" / "0002" / "history.jsonl"
            wait_until(lambda: third.exists() and third.stat().st_size > 0, 30, "its first epoch")
            filler, began = fill(full), time.monotonic()
            # MLflow's records wait until the search has ended; then for half a minute.
            assert driver.wait(90 if which == "mlflow" else 30) == 2
        said = log.read_text()
        print(f"{which}: {time.monotonic() - began:.1f} s\n{said}")
        check_said(said, storage)
        if which == "checkpoints":  # else there is no room to note it
            check_interrupted(storage, "night")
        ends = {path: path.read_bytes() for path in storage.glob("sweeps/night/trials/*/end.json")}
        assert len([end for end in ends.values() if end]) >= 2
        assert not any(b"FAIL" in end for end in ends.values())

        with started(tmp_path / "full", "sweep", *again(storage, "night"), address="local") as one:
            assert one.wait(60) == 2
        print((tmp_path / "full").read_text())
        check_said((tmp_path / "full").read_text(), storage)

        filler.unlink()
        with started(log, "sweep", *again(storage, "night"), address="local") as driver:
            assert driver.wait(120) == 0, log.read_text()
        assert "cannot" not in log.read_text()
        assert {path: path.read_bytes() for path in ends} == ends
        assert set(check_agree(storage, "sleeper", "night").values()) == {"finished"}
        check_slept(storage, TRIALS, twice=4)


def check_said(said: str, storage: Path) -> None:
    """One sentence at the end that names the place and what to do; no traceback."""
    assert "Traceback" not in said
    assert not re.search(r"trial \d+ failed", said)
    (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
    assert said.rstrip().endswith(line)
    assert str(storage) in line
    assert "room" in line
