"""A training that is killed anywhere and resumed has the same curve, to the bit."""

import signal
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch

from tests.house.recipes import RECIPES, InTurn, a_run, train_telling
from tests.house.whole import Whole, killed, same, stored
from tests.trainables.runs import curve
from trainables.checkpoint import BEST, LAST
from trainables.loop import fit


@pytest.mark.parametrize(
    ("every", "apart"),
    [
        (1, 3),
        pytest.param(1, 1, marks=pytest.mark.slow),
        pytest.param(2, 4, marks=pytest.mark.slow),
    ],
)
def test_killed_anywhere_and_resumed_to_the_bit(
    whole: tuple[str, Whole], tmp_path: Path, every: int, apart: int
) -> None:
    """In every phase, within an epoch and after it, and while masks are made anew."""
    name, unhurt = whole
    first = unhurt.places.index("epoch") + 1
    if every == 2:  # its first checkpoint comes an epoch later
        first += unhurt.places[first:].index("epoch") + 1
    for at in range(first, len(unhurt.places), apart):
        folder = tmp_path / f"{at}"
        killed(RECIPES[name](), folder, at, checkpoint_every=every)
        resumed = fit(a_run(RECIPES[name](), folder, resume=folder, checkpoint_every=every))
        assert curve(resumed.history) == curve(unhurt.history), f"{unhurt.places[at]}, {at}"
        for file in (LAST, BEST):
            ours, theirs = stored(folder, file), stored(unhurt.directory, file)
            assert same(ours["model"], theirs["model"]), f"{file}: {unhurt.places[at]}, {at}"
        assert torch.equal(stored(folder, LAST)["random"],
                           stored(unhurt.directory, LAST)["random"])  # fmt: skip


KILLS = {  # the second step is within an epoch
    "in_phases": ("epoch 2", "epoch 5", "relabel", "step", "epoch 8"),
    "in_turn": ("epoch 1", "step", "epoch 4"),
}


PROCESSES = get_context("forkserver")  # which imports torch once for all of them
PROCESSES.set_forkserver_preload(["tests.house.recipes"])


def killed_by_9(name: str, directory: Path, at: str, *, resume: bool) -> None:
    """Train in a process of its own, and kill it at a place; at the second if it is a step."""
    ours, theirs = PROCESSES.Pipe()
    process = PROCESSES.Process(target=train_telling, args=(name, directory, resume, theirs))
    process.start()
    theirs.close()
    left = 2 if at == "step" else 1
    while left:
        left -= ours.recv() == at  # EOFError where it ended before it was there
        if left:
            ours.send("on")
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("name", RECIPES)
def test_killed_by_9_again_and_again(
    name: str, phases: Whole, turns: Whole, tmp_path: Path
) -> None:
    """One training that dies in every phase and between them."""
    for number, at in enumerate(KILLS[name]):
        killed_by_9(name, tmp_path, at, resume=number > 0)
    resumed = fit(a_run(RECIPES[name](), tmp_path, resume=tmp_path))
    unhurt = {"in_phases": phases, "in_turn": turns}[name]
    assert curve(resumed.history) == curve(unhurt.history)
    assert same(stored(tmp_path, LAST)["model"], unhurt.ended[-1])


def test_without_its_moments_a_resumed_run_goes_another_way(turns: Whole, tmp_path: Path) -> None:
    """So that the tests above would see it."""
    killed(InTurn(), tmp_path, turns.places.index("epoch") + 2)
    content = stored(tmp_path, LAST)
    for optimizer in content["optimizers"]:
        optimizer["state"] = {}
    torch.save(content, tmp_path / LAST)
    resumed = fit(a_run(InTurn(), tmp_path, resume=tmp_path))
    assert curve(resumed.history) != curve(turns.history)
