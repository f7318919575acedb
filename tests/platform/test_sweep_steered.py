"""A real driver, steered from another shell: its pace, its last trial, its time; and extended."""

import json
from pathlib import Path

import pytest

from platform.tuning.trials import STATE
from tests.platform.agreement import check_agree, runs_of_sweep, study_at
from tests.platform.conftest import Cluster, command, started, wait_for_line
from tests.platform.sleeping import SYSTEM, again, new, slept
from tests.sleeper import EPOCHS

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def test_a_sweep_is_steered_and_extended(
    ray_cluster: Cluster, tiny_set: Path, storage: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    log = tmp_path / "log"

    def tell(*order: object) -> None:
        assert command("steer", "night", "--storage", storage, *order) == 0
        assert "told night, which process" in capsys.readouterr().out

    def state() -> str:
        folder = storage / "sweeps" / "night"
        (said,) = json.loads((folder / "state.json").read_text()).values()
        assert study_at(folder).user_attrs[STATE] == said
        parent, _ = runs_of_sweep(storage, "sleeper", "night")
        assert parent.data.tags["lesion.state"] == "finished", "its best is measured"
        assert parent.data.tags["lesion.measured"]
        return str(said)

    words = new(storage, tiny_set, "night", "--config.seconds", 0.7, trials=9)
    with started(log, "sweep", *words, address=ray_cluster.address) as driver:
        wait_for_line(driver, log, "sweep night:", 120)
        tell("--concurrent", 1)
        wait_for_line(driver, log, "told from another shell: 1 trials at a time", 60)
        wait_for_line(driver, log, "[1/9]", 60)
        tell("--last")
        assert driver.wait(60) == 0, log.read_text()
    assert "no further trial begins" in log.read_text()
    states = check_agree(storage, "sleeper", "night")
    assert set(states.values()) == {"finished"}
    assert 1 <= len(states) < 9
    assert state() == "ended early"
    assert command("steer", "night", "--storage", storage, "--last") == 2, "nobody drives it"

    # The time is over: what runs is stopped and kept, the best of what has ended is measured.
    assert command("sweep", *again(storage, "night", "--budget", "4s")) == 0
    said = capsys.readouterr().out
    assert "the time is over" in said
    states = check_agree(storage, "sleeper", "night")
    stopped = sum(one == "running" for one in states.values())
    assert ("stopped, and kept to be gone on with: trial" in said) == (stopped > 0)
    assert {"finished"} <= set(states.values()) <= {"finished", "running"}
    assert state() == "ended early"

    extend = ("--extend", "night", "--trials", 1)
    with started(log, "sweep", SYSTEM, "--storage", storage, *extend,
                 address=ray_cluster.address) as driver:  # fmt: skip
        wait_for_line(driver, log, "sweep night: 10 trials", 60)
        wait_for_line(driver, log, f"[{len(states) - stopped + 1}/10]", 60)
        tell("--budget", "0.5s")
        assert driver.wait(60) == 0, log.read_text()
    assert "told from another shell: the end in 0 s" in log.read_text()
    states = check_agree(storage, "sleeper", "night")
    assert set(states.values()) <= {"finished", "running"}
    assert state() == "ended early"
    epochs = slept(storage).values()
    assert sum(epochs) <= len(states) * EPOCHS + stopped, "what was cut off is slept again alone"
