"""Two systems for tests of recipes: one of three phases, one of two objectives in turn."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lesions import Lesion
from lesions.metrics.merit import Merit
from tests.house.toy import Toy, ToyConfig
from tests.trainables.runs import CPU, one_thread
from trainables.contract.made import made_lesions
from trainables.loop import Report, Run, fit
from trainables.losses import iou_loss, masked_mse
from trainables.recipe import Objective, Optimizer, Phase, Recipe, Schedule
from trainables.roles import NewMask
from trainables.system import Batch, Prediction, Sample
from trainables.training import TrainingConfig

LESIONS = made_lesions(8, ["first"])
TRAIN, VALIDATION = LESIONS[:5], LESIONS[5:]


class Watched(Toy):
    """The toy; whoever trains it hears of every place where it might be killed.

    Attributes:
        hear: told "step", "relabel" or "epoch 3", and the network where one is at hand.
    """

    hear: Callable[[str, nn.Module | None], None] = staticmethod(lambda place, model: None)


class InPhases(Watched):
    """Three phases: fresh; the head alone, until a plateau's end; all, on two masks."""

    name, title = "in_phases", "In phases"
    merit = Merit(name="long_axis_error", better="lower")

    def recipe(self, config: ToyConfig) -> Recipe:
        """Adam; SGD on the head alone with other weights; AdamW on masks made anew."""
        fresh = Objective(
            weights={"iou": 1.0, "mse": 0.5, "second": 0.0},
            optimizer=Optimizer(kind="adam", learning_rate=0.02, weight_decay=1e-4),
        )
        head = Objective(
            weights={"iou": 0.25, "mse": 2.0, "second": 0.0}, learns=("4.",),
            optimizer=Optimizer(kind="sgd", learning_rate=0.05, momentum=0.9, weight_decay=1e-3),
        )  # fmt: skip
        again = Objective(
            weights={"second": 0.5},
            optimizer=Optimizer(kind="adamw", learning_rate=0.01, weight_decay=0.1),
        )
        # A gain of 1 would be an error below 0: there is none, and each 2 epochs are a plateau.
        stable = Schedule(kind="plateau", patience=1, gain=1.0, drops=1, decay=0.5)
        return [
            Phase(name="fresh", epochs=4, objectives=(fresh,),
                  schedule=Schedule(kind="steps", milestones=(0.5, 0.75), decay=0.1, warmup=1)),
            Phase(name="head", epochs=9, objectives=(head,), schedule=stable, begins="last"),
            Phase(name="again", epochs=2, objectives=(again,), schedule=Schedule(kind="cosine"),
                  begins="best", relabels=True),
        ]  # fmt: skip

    def sample(self, config: ToyConfig, lesion: Lesion, rng: np.random.Generator) -> Sample:
        """The toy's, and the second mask's labels: the first's, where there is no second."""
        state = rng.bit_generator.state
        sample = dict(super().sample(config, lesion, rng))
        rng.bit_generator.state = state  # so that both masks are seen from one click
        second = "second" if "second" in lesion.masks else config.pseudo_mask
        other = super().sample(replace(config, pseudo_mask=second), lesion, rng)
        return {**sample, "second": other["labels"]}

    def terms(
        self, config: ToyConfig, model: nn.Module, batch: Batch, objective: Objective
    ) -> Mapping[str, Tensor]:
        """Overlap and squared error of the first mask, and overlap of the second."""
        self.hear("step", model)
        answer, valid = model(batch["image"]), batch["labels"] != 255
        return {
            "iou": iou_loss(answer, batch["labels"] == 1, valid),
            "mse": masked_mse(answer, batch["labels"] == 1, valid),
            "second": iou_loss(answer, batch["second"] == 1, batch["second"] != 255),
        }

    def relabel(
        self, config: ToyConfig, lesion: Lesion, prediction: Prediction
    ) -> Mapping[str, NewMask]:
        """The predicted mask, or the old one where it is empty; and it without its border."""
        self.hear("relabel", None)
        assert prediction.mask is not None
        mask = prediction.mask if prediction.mask.any() else lesion.mask(config.pseudo_mask)
        inner = cv2.erode(mask, np.ones((3, 3), np.uint8))
        return {"first": NewMask(mask=mask), "second": NewMask(mask=inner.astype(np.uint8))}


class Pair(nn.Module):
    """A generator of masks, which is what answers, and its critic."""

    def __init__(self, generator: nn.Module, channels: int) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = nn.Sequential(
            nn.Conv2d(4, channels, 3, stride=2, padding=1), nn.LeakyReLU(0.2),
            nn.Conv2d(channels, 1, 3, stride=2, padding=1),
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        """The generator's masks."""
        mask: Tensor = self.generator(image)
        return mask

    def judge(self, image: Tensor, mask: Tensor) -> Tensor:
        """How real the masks of some images look, one logit each."""
        logits: Tensor = self.discriminator(torch.cat([image, mask], dim=1))
        return logits.mean(dim=(1, 2, 3))


class InTurn(Watched):
    """An adversarial pair; its second phase goes on with other weights."""

    name, title = "in_turn", "In turn"

    def model(self, config: ToyConfig, *, pretrained: bool = True) -> nn.Module:
        """Both networks as one module."""
        return Pair(super().model(config), config.channels)

    def recipe(self, config: ToyConfig) -> Recipe:
        """SGD for the critic, Adam for the generator."""
        critic = Objective(
            name="critic", learns=("discriminator.",),
            optimizer=Optimizer(kind="sgd", learning_rate=0.05, momentum=0.5),
        )  # fmt: skip
        maker = Objective(
            name="maker", learns=("generator.",), weights={"fooled": 0.1},
            optimizer=Optimizer(kind="adam", learning_rate=0.01),
        )  # fmt: skip
        constant = Schedule(kind="constant")
        bolder = replace(maker, weights={"fooled": 0.5})
        return [
            Phase(name="both", epochs=3, objectives=(critic, maker), schedule=constant),
            Phase(name="bolder", epochs=2, objectives=(critic, bolder), schedule=constant,
                  begins="last", goes_on=True),
        ]  # fmt: skip

    def terms(
        self, config: ToyConfig, model: nn.Module, batch: Batch, objective: Objective
    ) -> Mapping[str, Tensor]:
        """Real from made for the critic; overlap, and having fooled it, for the generator."""
        self.hear("step", model)
        assert isinstance(model, Pair)
        image, truth = batch["image"], (batch["labels"] == 1).float()
        # Chance in the loss: a resumed run has to draw the same.
        made = model(image + 0.05 * torch.randn_like(image))
        judged = model.judge(image, made.detach() if objective.name == "critic" else made)
        if objective.name == "critic":
            return {"real": F.softplus(-model.judge(image, truth)).mean(),
                    "made": F.softplus(judged).mean()}  # fmt: skip
        return {"iou": iou_loss(made, truth, torch.ones_like(truth)),
                "fooled": F.softplus(-judged).mean()}  # fmt: skip


RECIPES: dict[str, type[Watched]] = {system.name: system for system in (InPhases, InTurn)}


def config_of(**training: Any) -> ToyConfig:
    settings = {"batch_size": 3, "loader_workers": 0, **training}
    return ToyConfig(size=32, channels=3, pseudo_mask="first", training=TrainingConfig(**settings))


def a_run(
    system: Watched,
    directory: Path,
    report: Report = lambda metrics, checkpoint: None,
    **more: Any,
) -> Run:
    """A run, its new masks beside its checkpoints; `more` of `Run` or of the training."""
    fields = {name: more.pop(name) for name in ("train", "validation", "resume", "scratch")
              if name in more}  # fmt: skip
    given = {"train": TRAIN, "validation": VALIDATION, "scratch": directory / "scratch", **fields}
    return Run(
        system=system, config=config_of(**more), directory=directory, device=CPU, report=report,
        **given,
    )  # fmt: skip


def train_telling(name: str, folder: Path, resume: bool, line: Connection) -> None:
    """Train in a process of its own; at each place say where it is, and wait for a word."""
    one_thread()

    def hear(place: str, model: nn.Module | None = None) -> None:
        line.send(place)
        line.recv()

    system = RECIPES[name]()
    system.hear = hear  # type: ignore[method-assign]
    fit(
        a_run(
            system,
            folder,
            lambda metrics, checkpoint: hear(f"epoch {metrics['epoch']:.0f}"),
            resume=folder if resume else None,
        )
    )
