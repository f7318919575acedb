"""Runs of the recipes' systems that nobody kills, and that somebody does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.house.recipes import Watched, a_run
from trainables.checkpoint import BEST, LAST
from trainables.loop import fit

Weights = Mapping[str, Tensor]


def stored(directory: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(directory / name, weights_only=True)
    return content


def same(ours: Weights, theirs: Weights) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def changed(before: Weights, after: Weights) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


class Whole:
    """A run that nobody kills.

    Attributes:
        places: where it might have been, in order.
        began: the weights at the first step of each epoch.
        ended: those after it.
        best: those of best.pt then.
    """

    def __init__(self, system: Watched, directory: Path, **more: Any) -> None:
        self.directory, self.places = directory, list[str]()
        self.began, self.ended, self.best = list[Weights](), list[Weights](), list[Weights]()

        def hear(place: str, model: nn.Module | None) -> None:
            self.places.append(place)
            if model is not None and len(self.began) == len(self.ended):
                self.began.append({k: v.detach().clone() for k, v in model.state_dict().items()})

        def report(metrics: dict[str, float], checkpoint: Path | None) -> None:
            self.places.append("epoch")
            self.ended.append(stored(directory, LAST)["model"])
            self.best.append(stored(directory, BEST)["model"])

        system.hear = hear  # type: ignore[method-assign]
        self.history = fit(a_run(system, directory, report, **more)).history


def killed(system: Watched, directory: Path, at: int, **more: Any) -> None:
    """Train, and leave at the `at`-th place by SystemExit, as Tune ends a trial."""
    count = 0

    def hear(place: str, model: nn.Module | None = None) -> None:
        nonlocal count
        count += 1
        if count > at:
            raise SystemExit

    system.hear = hear  # type: ignore[method-assign]
    with pytest.raises(SystemExit):
        fit(a_run(system, directory, lambda metrics, checkpoint: hear("epoch"), **more))
