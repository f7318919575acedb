"""A system of fifty lines: three convolutions look at the square about a click."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from optuna.distributions import FloatDistribution
from torch import Tensor, nn

from lesions import Lesion, click_prior, random_click
from lesions.prompts import Case, Click, TellClick
from trainables.crops import Crop
from trainables.losses import iou_loss
from trainables.recipe import Objective
from trainables.system import Batch, How, Prediction, Sample, System, Trained
from trainables.tables import PaperTable
from trainables.training import TrainingConfig


@dataclass(frozen=True, kw_only=True)
class ToyConfig:
    size: int = 96  # pixels of the square's side
    channels: int = 16
    pseudo_mask: str = "snakes"
    training: TrainingConfig = field(default_factory=TrainingConfig)


QUICK = TrainingConfig(epochs=6, batch_size=4, learning_rate=0.02, schedule="cosine")


def look(
    config: ToyConfig, at: tuple[float, float], slice_hu: np.ndarray, window: tuple[float, float]
) -> tuple[Crop, Tensor]:
    crop, middle = Crop(centre=at, side=config.size, size=config.size), (config.size - 1) / 2
    told = click_prior((middle, middle), (config.size, config.size), sigma=5.0)
    return crop, torch.from_numpy(np.concatenate([crop.image(slice_hu, window)[None], told]))


class Toy(System):
    name, title, prompt = "toy", "Toy", Click

    def presets(self) -> Mapping[str, Callable[[], ToyConfig]]:
        return {"paper": ToyConfig, "tiny": lambda: ToyConfig(size=48, channels=4, training=QUICK)}

    def variants(self) -> Mapping[str, Callable[[ToyConfig], ToyConfig]]:
        return {"whole": lambda config: config, "narrow": lambda c: replace(c, channels=2)}

    def tables(self) -> Mapping[str, PaperTable]:
        rows = {"Toy": {"": "whole"}, "Toy, narrow": {"": "narrow"}}
        columns = {"dice": ("", "dice")}
        return {"1": PaperTable(number="1", rows=rows, parts={"": {}}, columns=columns)}

    def space(self, config: ToyConfig) -> Mapping[str, Any]:
        return {"training.learning_rate": FloatDistribution(1e-4, 0.1, log=True)}

    def telling(self, configs: Sequence[ToyConfig]) -> TellClick:
        return TellClick()

    def model(self, config: ToyConfig, *, pretrained: bool = True) -> nn.Module:
        n = config.channels
        first, then = nn.Conv2d(3, n, 5, padding=2), nn.Conv2d(n, n, 5, padding=4, dilation=2)
        return nn.Sequential(first, nn.ReLU(), then, nn.ReLU(), nn.Conv2d(n, 1, 1), nn.Sigmoid())

    def sample(self, config: ToyConfig, lesion: Lesion, rng: np.random.Generator) -> Sample:
        click = random_click(lesion.recist, lesion.shape, rng)
        crop, image = look(config, click, lesion.slice_hu, lesion.window)
        return {"image": image, "labels": crop.labels(lesion.mask(config.pseudo_mask))[None]}

    def terms(
        self, config: ToyConfig, model: nn.Module, batch: Batch, objective: Objective
    ) -> Mapping[str, Tensor]:
        labels = batch["labels"]
        return {"iou": iou_loss(model(batch["image"]), labels == 1, labels != 255)}

    @torch.inference_mode()
    def predict(
        self, parts: Sequence[Trained], cases: Iterable[Case], how: How
    ) -> Iterator[Prediction]:
        for case in cases:
            crop, image = look(parts[0].config, case.prompt.at, case.slice_hu, case.window)
            answer = parts[0].model(image[None].to(how.device))[0, 0].float().cpu().numpy()
            probability = crop.back(answer, case.shape)
            mask, square = (probability > 0.5).astype(np.uint8), (crop.centre, crop.side)
            yield Prediction(mask=mask, probability=probability, square=square)
