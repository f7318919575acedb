"""Recipes by two real processes (gloo): the curve of one, new masks and plateaus too."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from tests.house.recipes import LESIONS, RECIPES, a_run
from tests.trainables.runs import curve, one_thread, together
from trainables.loop import fit

pytestmark = pytest.mark.slow  # two processes that import torch; test_rounds.py trains with two
WORLD, LEFT = 2, 4
SETTINGS: dict[str, Any] = {"train": LESIONS[:6], "validation": LESIONS[6:], "clip_norm": 0}


def leave(metrics: dict[str, float], checkpoint: Path | None) -> None:
    if metrics["epoch"] == LEFT:
        raise SystemExit


def worker(rank: int, root: Path) -> None:
    """Both recipes from beginning to end, and again: left in the middle, and resumed."""
    one_thread()
    rendezvous = f"file://{root / 'rendezvous'}"
    dist.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=WORLD)
    seen: dict[str, Any] = {}
    for name, system in RECIPES.items():
        # Masks made anew are shared out: both have their folder in common.
        shared = {**SETTINGS, "batch_size": 1}
        whole = a_run(system(), root / f"{rank}" / name, scratch=root / f"scratch-{name}", **shared)
        seen[name] = {"history": curve(fit(whole).history)}
        killed = replace(whole, directory=root / f"{rank}" / f"{name}-killed", report=leave)
        with pytest.raises(SystemExit):
            fit(killed)
        dist.barrier()  # the first one's checkpoint is written
        first = root / "0" / killed.directory.name
        again = replace(whole, directory=root / f"{rank}" / f"{name}-again", resume=first)
        seen[name]["resumed"] = curve(fit(again).history)
    torch.save(seen, root / f"seen-{rank}.pt")
    dist.destroy_process_group()


Seen = dict[str, Any]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[Seen]:
    return together(worker, tmp_path_factory.mktemp("ddp"), WORLD)


@pytest.mark.parametrize("name", RECIPES)
def test_all_workers_report_the_same(both: list[Seen], name: str) -> None:
    assert both[0][name]["history"] == both[1][name]["history"]


@pytest.mark.parametrize("name", RECIPES)
def test_resumed_together_to_the_bit(both: list[Seen], name: str) -> None:
    for seen in both:
        assert seen[name]["resumed"] == seen[name]["history"]


def test_two_processes_train_as_one(both: list[Seen], tmp_path: Path) -> None:
    """On batches as large together, through all phases and on masks that both have made."""
    alone = fit(a_run(RECIPES["in_phases"](), tmp_path, batch_size=2, **SETTINGS))
    ours = both[0]["in_phases"]
    assert len(ours["history"]) == len(alone.history)
    for one, other in zip(ours["history"], curve(alone.history), strict=True):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-5)
