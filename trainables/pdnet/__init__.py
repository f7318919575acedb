"""PDNet: click-driven lesion segmentation and RECIST diameters, in two stages.

"Lesion Segmentation and RECIST Diameter Prediction via Click-driven Attention and Dual-path
Connection", MICCAI 2021.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from lesions import Lesion
from lesions.ellipse import ellipse
from lesions.masks import agree
from lesions.masks.snakes import refine
from lesions.prompts import Case, Click, TellClick
from trainables.level_set import joined, level_set_term
from trainables.pdnet.config import PDNetConfig, paper, tiny
from trainables.pdnet.encodings import encodings
from trainables.pdnet.loss import loss_terms, loss_weights
from trainables.pdnet.model import Outputs, PDNet
from trainables.pdnet.nnunet import NNUNet
from trainables.pdnet.one_stage import predict_alone
from trainables.pdnet.samples import training_sample
from trainables.pdnet.tables import STAGES, TABLES
from trainables.pdnet.two_stages import TwoStages
from trainables.pdnet.variants import VARIANTS
from trainables.recipe import Objective, Recipe
from trainables.roles import NewMask
from trainables.system import Batch, How, Prediction, Sample, System, Trained
from trainables.tables import PaperTable
from trainables.training import recipe_of, schedule_of


class PDNetSystem(System):
    """PDNet as the house sees it."""

    name = "pdnet"
    title = "PDNet"
    paper = "pdnet"
    prompt = Click
    endpoints = True
    parts = STAGES

    def presets(self) -> Mapping[str, Callable[[], PDNetConfig]]:
        """The paper's settings, and a small one for CPUs."""
        return {"paper": paper, "tiny": tiny}

    def variants(self) -> Mapping[str, Callable[[PDNetConfig], PDNetConfig]]:
        """Table 3's rows, and nnU-Net."""
        return VARIANTS

    def tables(self) -> Mapping[str, PaperTable]:
        """Tables 1, 2 and 3, and "rls" of ours."""
        return TABLES

    def method(self, config: PDNetConfig) -> str:
        """PDNet, or the baseline beside it."""
        return {"pdnet": self.title, "nnunet": "nnUNet"}[config.network]

    def telling(self, configs: Sequence[PDNetConfig]) -> TellClick:
        """A click; stage 2 alone is told the size that stage 1 would find."""
        if len(configs) > 1 or configs[0].stage == 1:
            return TellClick()
        return TellClick(size=True, place=configs[0].samples.test_place == "ellipse")

    def part(self, config: PDNetConfig) -> str:
        """Its stage."""
        return f"stage{config.stage}"

    def model(self, config: PDNetConfig, *, pretrained: bool = True) -> nn.Module:
        """The network of one stage."""
        if config.network == "nnunet":
            return NNUNet(config.nnunet, config.input_size, config.lesion_share)
        structure = config.model
        if not pretrained:
            structure = replace(structure, backbone=structure.backbone.bare)
        return PDNet(structure, config.lesion_share)

    def recipe(self, config: PDNetConfig) -> Recipe:
        """Rounds, each from fresh weights and on masks that the last one's model refined."""
        rounds = recipe_of(config.training, loss_weights(config.loss), config.rounds)
        return joined(config.rls, rounds, schedule_of(config.training), share=config.loss.weight)

    def sample(self, config: PDNetConfig, lesion: Lesion, rng: np.random.Generator) -> Sample:
        """One augmented sample."""
        return training_sample(config, lesion, rng)

    def terms(
        self, config: PDNetConfig, model: nn.Module, batch: Batch, objective: Objective
    ) -> Mapping[str, Tensor]:
        """The two terms of the paper's loss, and the level set's, if it is on."""
        outputs: Outputs = model(batch["inputs"])
        found = loss_terms(outputs, batch["labels"], batch["heatmaps"])
        return {**found, **level_set_term(config.rls, outputs.masks[-1], batch, objective)}

    def predict(
        self, parts: Sequence[Trained], cases: Iterable[Case], how: How
    ) -> Iterator[Prediction]:
        """Mask and RECIST of each lesion, by both stages in order or by one alone."""
        if len(parts) == 1:
            yield from predict_alone(parts[0], cases, how)
            return
        both = TwoStages(stage1=parts[0], stage2=parts[1], how=how)
        for case in cases:
            yield both(case)

    def encode(
        self, trained: Trained, cases: Iterable[Case], how: How
    ) -> Iterator[NDArray[np.float32]]:
        """The coarsest map of each case's crop, averaged."""
        return encodings(trained, cases, how)

    def relabel(
        self, config: PDNetConfig, lesion: Lesion, prediction: Prediction
    ) -> Mapping[str, NewMask]:
        """The prediction refined by snakes, where it agrees with the ellipse (section 2)."""
        assert prediction.mask is not None
        refined = refine(lesion.slice_hu, prediction.mask, lesion.recist, lesion.window)
        mask = agree(ellipse(lesion.recist, lesion.shape), refined)
        return {config.pseudo_mask: NewMask(mask=mask, refined=refined)}
