"""Optimisers and learning rates, as a phase's data says them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from lesions.errors import InputError
from lesions.metrics.merit import Merit
from trainables.recipe import Objective, Optimizer, Phase, Schedule

MOMENTS: dict[str, set[str]] = {
    "adam": {"step", "exp_avg", "exp_avg_sq"},
    "adamw": {"step", "exp_avg", "exp_avg_sq"},
    "sgd": {"momentum_buffer"},
}
_MAKE: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD,
}  # fmt: skip


def learned(model: nn.Module, objective: Objective) -> list[nn.Parameter]:
    """The parameters that an objective changes, in the model's order.

    Raises:
        InputError: there are none.
    """
    found = [p for name, p in model.named_parameters() if name.startswith(objective.learns)]
    if not found:
        raise InputError(
            f"the objective {objective.name!r} learns {', '.join(objective.learns)}, and the "
            "network has no such parameters"
        )
    return found


def optimiser(model: nn.Module, objective: Objective) -> torch.optim.Optimizer:
    """The optimiser of an objective."""
    settings: Optimizer = objective.optimizer
    options: dict[str, Any] = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
    if settings.kind == "sgd":
        options["momentum"] = settings.momentum
    return _MAKE[settings.kind](learned(model, objective), fused=True, **options)


def only_learned_need_gradients(model: nn.Module, phase: Phase) -> None:
    """Switch gradients off for what no objective of the phase changes."""
    wanted = {id(p) for objective in phase.objectives for p in learned(model, objective)}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in wanted)


def rate_at(rate: float, schedule: Schedule, epoch: int, epochs: int, drops: int = 0) -> float:
    """A learning rate in an epoch of a phase.

    Args:
        rate: before the schedule.
        schedule: the phase's.
        epoch: of the phase, 0 = the first.
        epochs: that the phase has, at most.
        drops: that "plateau" has made so far.

    >>> halves = Schedule(kind="steps", milestones=(0.5,), decay=0.5)
    >>> [rate_at(0.1, halves, epoch, epochs=4) for epoch in range(4)]
    [0.1, 0.1, 0.05, 0.05]
    """
    epoch, epochs = epoch + schedule.first, schedule.of or epochs
    if epoch < schedule.warmup:
        return rate * (epoch + 1) / schedule.warmup
    if schedule.kind == "cosine":
        done = (epoch - schedule.warmup) / max(1, epochs - schedule.warmup)
        return rate * 0.5 * (1 + math.cos(math.pi * done))
    if schedule.kind == "plateau":
        return rate * schedule.decay**drops
    if schedule.kind == "constant":
        return rate
    passed = sum(epoch >= milestone * epochs for milestone in schedule.milestones)
    return rate * schedule.decay**passed


@dataclass
class Plateau:
    """How long a figure has been stable.

    Attributes:
        best: the value that a gain is measured from; None before the first.
        waited: epochs since the last gain.
        stayed: epochs at this rate.
        drops: of the rate so far.
    """

    best: float | None = None
    waited: int = 0
    stayed: int = 0
    drops: int = 0

    def advance(self, value: float, schedule: Schedule, merit: Merit) -> bool:
        """Take note of an epoch's value, NaN where it has none; whether the phase ends by it."""
        self.stayed += 1
        known = value == value
        if known and (self.best is None or _gained(value, self.best, schedule.gain, merit)):
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        stable = self.waited >= schedule.patience
        if not stable and not (schedule.longest and self.stayed >= schedule.longest):
            return False
        self.waited = self.stayed = 0
        self.drops += 1
        return self.drops > schedule.drops

    @classmethod
    def restored(cls, found: Mapping[str, Any]) -> "Plateau":
        """As a checkpoint has it; InputError where it does not."""
        plateau = cls(**found) if found.keys() == cls().__dict__.keys() else None
        if plateau is None or not isinstance(plateau.best, float | None):
            raise InputError("its plateau is none")
        counts = (plateau.waited, plateau.stayed, plateau.drops)
        if not all(type(count) is int and count >= 0 for count in counts):
            raise InputError("its plateau is none")
        return plateau


def _gained(value: float, best: float, gain: float, merit: Merit) -> bool:
    least = gain * abs(best)
    return merit.beats(value, best + least if merit.better == "higher" else best - least)
