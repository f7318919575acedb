"""A system that sleeps instead of learning: what a sweep itself takes, and does, is left to see.

Named as `tests.sleeper:Sleeper`. Its figures are those of its config, whatever it is shown, so that
a trial that went wrong anywhere is told by them.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from optuna.distributions import BaseDistribution, FloatDistribution
from torch import Tensor, nn

from lesions import Lesion
from lesions.prompts import Case, Click, TellClick
from trainables.recipe import Objective
from trainables.system import Batch, How, Prediction, Sample, System, Trained
from trainables.training import TrainingConfig

EPOCHS = 3


@dataclass(frozen=True, kw_only=True)
class SleeperConfig:
    """What it is set to.

    Attributes:
        x: half the side of the square that it answers, pixels.
        seconds: that an epoch sleeps.
        log: a file to which every epoch adds the time and x.
        trouble: a file; while it is there, trials fail whose x is above the number in it, after
            the word: "raise 15", or "exit 15" for a process that dies.
    """

    x: float = 3.0
    seconds: float = 0.2
    log: str = ""
    trouble: str = ""
    pseudo_mask: str = "snakes"
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(
            epochs=EPOCHS, batch_size=1024, schedule="constant", learning_rate=0.5
        )
    )


class Count(nn.Module):
    """One number, which every step lowers by the learning rate."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.Parameter(torch.zeros(1))


class Sleeper(System):
    """Told a click, answers a square about it."""

    name = "sleeper"
    title = "Sleeper"
    prompt = Click

    def presets(self) -> Mapping[str, Callable[[], SleeperConfig]]:
        """One for all."""
        return {"paper": SleeperConfig, "tiny": SleeperConfig}

    def telling(self, configs: Sequence[SleeperConfig]) -> TellClick:
        """A click alone."""
        return TellClick()

    def model(self, config: SleeperConfig, *, pretrained: bool = True) -> nn.Module:
        """It counts."""
        return Count()

    def sample(self, config: SleeperConfig, lesion: Lesion, rng: np.random.Generator) -> Sample:
        """Nothing."""
        return {"nothing": torch.zeros(1)}

    def terms(
        self, config: SleeperConfig, model: nn.Module, batch: Batch, objective: Objective
    ) -> Mapping[str, Tensor]:
        """Sleeps, and says so."""
        time.sleep(config.seconds)
        if config.log:
            with open(config.log, "a") as file:
                file.write(f"{time.time()} {config.x!r}\n")
        if config.trouble and Path(config.trouble).exists():
            _make(Path(config.trouble).read_text(), config.x)
        return {"steps": model.steps.sum()}

    def predict(
        self, parts: Sequence[Trained], cases: Iterable[Case], how: How
    ) -> Iterator[Prediction]:
        """A square about the click."""
        for case in cases:
            mask = np.zeros(case.shape, np.uint8)
            column, row = (round(each) for each in case.prompt.middle)
            half = max(0, round(parts[0].config.x))
            mask[max(0, row - half) : row + half + 1, max(0, column - half) : column + half + 1] = 1
            yield Prediction(mask=mask)

    def space(self, config: Any) -> Mapping[str, BaseDistribution]:
        """How wide it is."""
        return {"x": FloatDistribution(0.0, 30.0)}


def _make(trouble: str, x: float) -> None:
    word, above = trouble.split()
    if x > float(above):
        if word == "exit":
            os._exit(1)
        raise ValueError(f"x is above {above}")
