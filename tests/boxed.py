"""Tiny systems that need no training: what is bright in a box or by marks, and a cross at a click.

The first two segment and predict no endpoints, the third does it the other way round.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lesions import Lesion, Recist
from lesions.metrics.merit import Merit
from lesions.prompts import Box, Case, Click, Marks, TellBox, TellClick, Telling, TellMarks
from trainables.checkpoint import BEST, RUN
from trainables.configs import flatten
from trainables.recipe import Objective
from trainables.system import Batch, How, Prediction, Sample, System, Trained
from trainables.training import TrainingConfig

AIR = -500  # HU and below
ARM = 6.0  # pixels, half an axis of the cross


@dataclass(frozen=True, kw_only=True)
class Config:
    """Of all three."""

    pseudo_mask: str = "ellipse"
    training: TrainingConfig = field(default_factory=TrainingConfig)


class Bright(nn.Module):
    """What is brighter than a level, HU."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.tensor(60.0))

    def forward(self, hu: Tensor) -> Tensor:
        """How bright each pixel is, 0…1."""
        return torch.sigmoid(hu - self.level)


class Boxed(System):
    """What is bright within a box."""

    name, title = "boxed", "Boxed"
    prompt = Box

    def presets(self) -> Mapping[str, Callable[[], Config]]:
        """One, by both names."""
        return {"paper": Config, "tiny": Config}

    def telling(self, configs: Sequence[Config]) -> Telling:
        """A box of 1.5 to 2 lesions: the discs are near to each other."""
        return TellBox(least=1.5, most=2.0)

    def model(self, config: Config, *, pretrained: bool = True) -> nn.Module:
        """One number."""
        return Bright()

    def sample(self, config: Config, lesion: Lesion, rng: np.random.Generator) -> Sample:
        """The slice."""
        return {"hu": torch.from_numpy(lesion.slice_hu.astype(np.float32))}

    def terms(
        self, config: Config, model: nn.Module, batch: Batch, objective: Objective
    ) -> Mapping[str, Tensor]:
        """How much is bright."""
        return {"bright": model(batch["hu"]).mean()}

    @torch.inference_mode()
    def predict(
        self, parts: Sequence[Trained], cases: Iterable[Case], how: How
    ) -> Iterator[Prediction]:
        """What is bright between the prompt's outermost points."""
        for case in cases:
            hu = torch.from_numpy(case.slice_hu.astype(np.float32))
            bright = parts[0].model(hu.to(how.device)).cpu().numpy()
            (x0, y0), (x1, y1) = case.prompt.points.min(axis=0), case.prompt.points.max(axis=0)
            rows, columns = np.indices(case.shape)
            bright *= (columns >= x0) & (columns <= x1) & (rows >= y0) & (rows <= y1)
            yield Prediction(mask=(bright > 0.5).astype(np.uint8), probability=bright)


class Stacked(Boxed):
    """What is bright within a box, on all slices."""

    name, title = "stacked", "Stacked"

    def predict(
        self, parts: Sequence[Trained], cases: Iterable[Case], how: How
    ) -> Iterator[Prediction]:
        """The same box on each slice."""
        for case in cases:
            assert case.volume is not None
            slices = [replace(case, slice_hu=hu) for hu in case.volume]
            found = [each.mask for each in super().predict(parts, slices, how)]
            volume = np.array(found, np.uint8)
            yield Prediction(mask=volume[case.key], volume=volume)


class Marked(Boxed):
    """What is bright between marks."""

    name, title = "marked", "Marked"
    prompt = Marks

    def telling(self, configs: Sequence[Config]) -> Telling:
        """As annotated."""
        return TellMarks()


class Crossed(Boxed):
    """A cross about a click, whatever lies there; in air it is a guess."""

    name, title = "crossed", "Crossed"
    prompt, endpoints = Click, True
    reported = ("long_axis_error", "short_axis_error")
    merit = Merit(name="long_axis_error", better="lower")

    def telling(self, configs: Sequence[Config]) -> Telling:
        """A click."""
        return TellClick()

    def predict(
        self, parts: Sequence[Trained], cases: Iterable[Case], how: How
    ) -> Iterator[Prediction]:
        """The cross, which is doubtful."""
        for case in cases:
            x, y = case.prompt.middle
            cross = Recist([(x - ARM, y), (x + ARM, y), (x, y - ARM / 2), (x, y + ARM / 2)])
            tissue = bool(case.slice_hu[round(y), round(x)] > AIR)
            yield Prediction(recist=cross, found=tissue, doubt="it is always the same cross")


def save(system: System, folder: Path) -> Path:
    """A checkpoint of a system as it begins."""
    folder.mkdir(parents=True, exist_ok=True)
    config = system.presets()["tiny"]()
    run = {"system": system.name, "config": flatten(config)}
    (folder / RUN).write_text(json.dumps(run))
    weights = system.model(config).state_dict()
    best = {"epoch": 1, "merit": system.merit.name, "value": 0.5, "model": weights}
    torch.save(best, folder / BEST)
    return folder
