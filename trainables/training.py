"""How any system is trained: the shared settings, and the pure functions of them."""

import math
from dataclasses import dataclass
from typing import Literal

import torch

from lesions.errors import InputError
from trainables.configs import check_range

MOST_EPOCHS, MOST_MILESTONES = 1_000_000, 100
RANGES: dict[str, tuple[float, float]] = {
    "epochs": (1, MOST_EPOCHS),
    "batch_size": (1, 4096),
    "decay": (0, 1000),
    "warmup": (0, MOST_EPOCHS),
    "clip_norm": (0, 1e9),
    "loader_workers": (0, 1024),
    "checkpoint_every": (1, MOST_EPOCHS),
    "seed": (0, 2**63 - 1),
}


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Settings of the one training loop; the defaults are PDNet's (section 3).

    Attributes:
        epochs: passes over the training lesions, up to a million.
        batch_size: lesions per step and worker, up to 4096.
        learning_rate: Adam's, before the schedule.
        schedule: "steps" multiplies by `decay` at each of `milestones`; "cosine" falls to zero.
        milestones: fractions of `epochs`, 100 at most.
        decay: factor at each milestone, up to 1000.
        warmup: epochs of linear rise from zero.
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
    learning_rate: float = 1e-3
    schedule: Literal["steps", "cosine"] = "steps"
    milestones: tuple[float, ...] = (0.5, 0.75)
    decay: float = 0.1
    warmup: int = 0
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


def learning_rate(config: TrainingConfig, epoch: int) -> float:
    """The learning rate of an epoch (0 = the first)."""
    rate = config.learning_rate
    if epoch < config.warmup:
        return rate * (epoch + 1) / config.warmup
    if config.schedule == "cosine":
        done = (epoch - config.warmup) / max(1, config.epochs - config.warmup)
        return rate * 0.5 * (1 + math.cos(math.pi * done))
    passed = sum(epoch >= milestone * config.epochs for milestone in config.milestones)
    return rate * config.decay**passed


def autocast_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """The dtype of the forward pass on this device; None = float32 throughout."""
    if precision == "auto":
        if device.type != "cuda":
            return None
        # Older GPUs emulate bf16, far slower than their own fp16.
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    return {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
