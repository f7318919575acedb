"""How any system is trained: the shared settings, and the pure functions of them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

import torch

from lesions.errors import InputError
from trainables.configs import check_range
from trainables.recipe import (
    MOST_EPOCHS,
    MOST_MILESTONES,
    Objective,
    Optimizer,
    Phase,
    Rates,
    Recipe,
    Schedule,
)

RANGES: dict[str, tuple[float, float]] = {
    "epochs": (1, MOST_EPOCHS),
    "batch_size": (1, 4096),
    "decay": (0, 1000),
    "warmup": (0, MOST_EPOCHS),
    "momentum": (0, 1),
    "weight_decay": (0, 1000),
    "patience": (1, MOST_EPOCHS),
    "gain": (0, 1),
    "drops": (0, 100),
    "longest": (0, MOST_EPOCHS),
    "clip_norm": (0, 1e9),
    "loader_workers": (0, 1024),
    "checkpoint_every": (1, MOST_EPOCHS),
    "seed": (0, 2**63 - 1),
}


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(Rates):
    """Settings of the one training loop; the defaults are PDNet's (section 3).

    Attributes:
        epochs: passes over the training lesions, up to a million.
        batch_size: lesions per step and worker, up to 4096.
        optimizer: Adam, AdamW (whose weight decay is decoupled) or SGD.
        learning_rate: the optimiser's, before the schedule.
        momentum: of SGD alone.
        weight_decay: L2 of Adam and SGD, decoupled of AdamW.
        schedule: "steps" multiplies by `decay` at each of `milestones`; "cosine" falls to zero;
            "plateau" multiplies by `decay` when the validation figure is stable, and ends the
            training at the plateau after `drops`; "constant" stays.
        clip_norm: gradients are scaled down to this norm; 0 = never.
        precision: "auto" is bf16 on a GPU that has it, fp16 with loss scaling on one that has
            not, fp32 on a CPU.
        loader_workers: processes that prepare samples; 0 = the training process itself; None = 0
            on a CPU, and on a GPU up to 8 of the machine's cores. Up to 1024.
        checkpoint_every: epochs between checkpoints; the last epoch always has one.
        seed: of weights, order and augmentation; below 2⁶³.
    """

    epochs: int = 120
    batch_size: int = 8
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: Literal["steps", "cosine", "plateau", "constant"] = "steps"
    clip_norm: float = 10.0
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    loader_workers: int | None = None
    checkpoint_every: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        """InputError for settings that cannot train."""
        for name, (least, most) in RANGES.items():
            check_range(f"training.{name}", getattr(self, name), least, most)
        if not (self.learning_rate > 0 and math.isfinite(self.learning_rate)):
            raise InputError(f"training.learning_rate is {self.learning_rate}; it must be above 0")
        if len(self.milestones) > MOST_MILESTONES:
            raise InputError(f"training.milestones are more than {MOST_MILESTONES}")


def optimizer_of(config: TrainingConfig) -> Optimizer:
    """The optimiser that the settings say."""
    return Optimizer(
        kind=config.optimizer, learning_rate=config.learning_rate,
        momentum=config.momentum, weight_decay=config.weight_decay,
    )  # fmt: skip


def schedule_of(config: TrainingConfig) -> Schedule:
    """The schedule that the settings say."""
    rates = {one.name: getattr(config, one.name) for one in fields(Rates)}
    return Schedule(kind=config.schedule, **rates)


def recipe_of(
    config: TrainingConfig, weights: Mapping[str, float] | None = None, rounds: int = 1
) -> Recipe:
    """One phase as the settings say; or several rounds of it, each on masks made anew.

    Args:
        config: the settings.
        weights: of the terms of the loss.
        rounds: how many; each begins fresh (PDNet, section 2: three).
    """
    objective = Objective(weights=weights or {}, optimizer=optimizer_of(config))
    return [
        Phase(
            epochs=config.epochs, objectives=(objective,), schedule=schedule_of(config),
            name="" if rounds == 1 else f"round {number + 1}", relabels=number > 0,
        )
        for number in range(rounds)
    ]  # fmt: skip


def autocast_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """The dtype of the forward pass on this device; None = float32 throughout."""
    if precision == "auto":
        if device.type != "cuda":
            return None
        # Older GPUs emulate bf16, far slower than their own fp16.
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    return {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
