"""A sweep killed at random times, again and again: nothing finished is lost, or done twice."""

import json
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.platform.agreement import check_agree, epochs_recorded, runs_of_sweep
from tests.platform.conftest import started, wait_for_line
from tests.sleeper import EPOCHS

pytestmark = [pytest.mark.ray, pytest.mark.slow]
TRIALS, KILLS, SECONDS = 12, 30, 6.0


def words(storage: Path, data: Path) -> tuple[object, ...]:
    return (
        "tests.sleeper:Sleeper", "--storage", storage, "--data", data,
        "--resume-or-start", "killed", "--trials", TRIALS, "--concurrent", 2,
        "--cpus-per-trial", 0.5, "--pruner", "none", "--no-pictures",
        "--config.seconds", SECONDS, "--config.log", storage / "epochs.log",
    )  # fmt: skip


def ends(storage: Path) -> dict[str, tuple[str, float]]:
    """What the trials that have ended say, and when they did, by their folders."""
    found = {}
    for path in storage.glob("sweeps/killed/trials/*/end.json"):
        end = json.loads(path.read_text())
        found[path.parent.name] = (end["state"], end["ended"])
    return found


@pytest.mark.timeout(3000)
def test_thirty_kills_lose_nothing_and_double_nothing(tiny_set: Path, tmp_path: Path) -> None:
    """kill -9 of the driver within 14 s after it said that it begins; then it is let end."""
    storage, chance = tmp_path / "store", random.Random(0)
    storage.mkdir()
    before: dict[str, tuple[str, float]] = {}
    for kill in range(KILLS):
        log = tmp_path / f"log-{kill}"
        with started(log, "sweep", *words(storage, tiny_set), address="local") as driver:
            wait_for_line(driver, log, "sweep killed:", 120)
            time.sleep(chance.uniform(0, 14))
            assert driver.poll() is None, "it ended before the thirtieth kill: let trials be longer"
            os.kill(driver.pid, signal.SIGKILL)
            driver.wait()
        after = ends(storage)
        assert before.items() <= after.items(), "an end was lost, or came again"
        before = after
    with started(tmp_path / "log", "sweep", *words(storage, tiny_set), address="local") as driver:
        assert driver.wait(600) == 0
    assert set(check_agree(storage, "sleeper", "killed").values()) == {"finished"}
    parent, runs = runs_of_sweep(storage, "sleeper", "killed")
    assert sorted(runs) == list(range(TRIALS))
    assert parent.data.tags["lesion.state"] == "finished"
    for run in runs.values():
        assert epochs_recorded(storage, run) == [*range(1, EPOCHS + 1)]
    done = Counter(line.split()[1] for line in (storage / "epochs.log").read_text().splitlines())
    assert len(done) == TRIALS
    # A kill costs at most the end of the epoch in work of each of two trials.
    assert TRIALS * EPOCHS <= sum(done.values()) <= TRIALS * EPOCHS + 2 * KILLS
    print(f"{KILLS} kills, {sum(done.values())} epochs slept of {TRIALS * EPOCHS}")
