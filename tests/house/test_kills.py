"""A training that is killed anywhere and resumed has the same curve, to the bit."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.house.recipes import RECIPES, InTurn, a_run
from tests.house.whole import Whole, killed, same, stored
from tests.trainables.runs import curve
from trainables.checkpoint import BEST, LAST
from trainables.loop import fit


@pytest.mark.parametrize("every", [1, 2])
def test_killed_anywhere_and_resumed_to_the_bit(
    whole: tuple[str, Whole], tmp_path: Path, every: int
) -> None:
    """In every phase, within an epoch and after it, and while masks are made anew."""
    name, unhurt = whole
    first = unhurt.places.index("epoch") + 1
    if every == 2:  # its first checkpoint comes an epoch later
        first += unhurt.places[first:].index("epoch") + 1
    for at in range(first, len(unhurt.places), 1 if every == 1 else 4):
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


def killed_by_9(name: str, directory: Path, at: str, *words: str) -> None:
    """Train in a process of its own, and kill it at a place; at the second if it is a step."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.house.recipes", name, str(directory), *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    left = 2 if at == "step" else 1
    while left:
        line = process.stdout.readline().strip()
        assert line, "it ended before it was there"
        left -= line == at
        if left:
            process.stdin.write("\n")
            process.stdin.flush()
    process.kill()
    assert process.wait() == -9
    process.stdout.close()
    process.stdin.close()


@pytest.mark.parametrize("name", RECIPES)
def test_killed_by_9_again_and_again(
    name: str, phases: Whole, turns: Whole, tmp_path: Path
) -> None:
    """One training that dies in every phase and between them."""
    words: tuple[str, ...] = ()
    for at in KILLS[name]:
        killed_by_9(name, tmp_path, at, *words)
        words = ("resume",)
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
