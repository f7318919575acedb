"""Co-segmentation: lesions segmented in pairs that look alike, by attention to one another.

"Weakly-supervised lesion segmentation on CT scans using co-segmentation", SPIE Medical Imaging
2020.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from lesions import Lesion
from lesions.metrics.merit import DIAMETERS, SEGMENTATION
from lesions.prompts import Box, Case, TellBox
from trainables.coseg.answers import answers
from trainables.coseg.config import CoSegConfig, paper, tiny
from trainables.coseg.loss import pair_loss
from trainables.coseg.model import LEARNS, Alone, CoSeg
from trainables.coseg.pairs import Pairs
from trainables.coseg.remembering import remember
from trainables.coseg.samples import training_sample
from trainables.coseg.tables import TABLES
from trainables.coseg.variants import VARIANTS, method
from trainables.embedding.network import EmbedderConfig
from trainables.recipe import Objective, Recipe
from trainables.roles import Samples
from trainables.system import Batch, How, Prediction, Sample, System, Trained
from trainables.tables import PaperTable
from trainables.training import recipe_of

BOX = (1.0, 1.2)  # sides of what is told, in long sides of the RECIST's box (ours)


class CoSegSystem(System):
    """Co-segmentation as the house sees it."""

    name = "coseg"
    title = "Co-segmentation"
    paper = "coseg"
    prompt = Box
    reported = (*SEGMENTATION, "avd", *DIAMETERS)
    chosen_by_human = False

    def presets(self) -> Mapping[str, Callable[[], CoSegConfig]]:
        """The paper's settings, and a small one for CPUs."""
        return {"paper": paper, "tiny": tiny}

    def variants(self) -> Mapping[str, Callable[[CoSegConfig], CoSegConfig]]:
        """The rows of Table 1, and some of ours."""
        return VARIANTS

    def tables(self) -> Mapping[str, PaperTable]:
        """Table 1, and "partners" of ours."""
        return TABLES

    def method(self, config: CoSegConfig) -> str:
        """The encoder, its attention, and how lesions are paired."""
        return method(config)

    def telling(self, configs: Sequence[CoSegConfig]) -> TellBox:
        """A box as a detector or a radiologist draws one: a little too large, a little off."""
        return TellBox(least=BOX[0], most=BOX[1])

    def by_looks(self, config: CoSegConfig) -> bool:
        """Whether lesions are compared at all, and not paired at random."""
        return config.compares

    def with_embedder(self, config: CoSegConfig, embedder: EmbedderConfig) -> CoSegConfig:
        """The config whose lesions are compared by this embedder."""
        return replace(config, embedder=embedder)

    def model(self, config: CoSegConfig, *, pretrained: bool = True) -> nn.Module:
        """The Siamese network with its embedder and memory, or FCN-16."""
        model, embedder = config.model, config.embedder
        if not pretrained:
            encoder = model.encoder
            bare = replace(encoder, vgg=encoder.vgg.bare, resnet=encoder.resnet.bare)
            model, embedder = replace(model, encoder=bare), embedder.bare
        if model.network == "fcn":
            return Alone(model)
        return CoSeg(model, embedder if config.compares else None)

    def recipe(self, config: CoSegConfig) -> Recipe:
        """One phase, in which the embedder stays as it is."""
        (phase,) = recipe_of(config.training)
        objectives = tuple(replace(one, learns=LEARNS) for one in phase.objectives)
        return [replace(phase, objectives=objectives)]

    def samples(self, config: CoSegConfig, lesions: Sequence[Lesion]) -> Samples:
        """Pairs of two patients; of one cluster, but for the rows without."""
        return Pairs(config, lesions)

    def sample(self, config: CoSegConfig, lesion: Lesion, rng: np.random.Generator) -> Sample:
        """One augmented lesion, half of a pair."""
        return training_sample(config, lesion, rng)

    def terms(
        self, config: CoSegConfig, model: nn.Module, batch: Batch, objective: Objective
    ) -> Mapping[str, Tensor]:
        """Both images' cross-entropy."""
        return {"cross_entropy": pair_loss(model(batch["images"]), batch["labels"])}

    def remember(
        self,
        config: CoSegConfig,
        model: nn.Module,
        lesions: Sequence[Lesion],
        device: torch.device,
    ) -> None:
        """The training lesions that new ones are compared with."""
        if isinstance(model, CoSeg):
            remember(config, model, lesions, device)

    def predict(
        self, parts: Sequence[Trained], cases: Iterable[Case], how: How
    ) -> Iterator[Prediction]:
        """The mask in each box."""
        yield from answers(parts[0], cases, how)
