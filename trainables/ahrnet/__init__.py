"""AHRNet: lesions in boxes segmented by an attention-enhanced HRNet, with a level set loss.

"Weakly-supervised Universal Lesion Segmentation with Regional Level Set Loss", MICCAI 2021.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from lesions import Lesion
from lesions.ellipse import ellipse
from lesions.masks import agree
from lesions.prompts import Box, Case, TellBox
from trainables.ahrnet.answers import answers
from trainables.ahrnet.config import AHRNetConfig, paper, tiny
from trainables.ahrnet.encodings import encodings
from trainables.ahrnet.loss import segmentation_terms
from trainables.ahrnet.model import AHRNet
from trainables.ahrnet.nnunet import NNUNet
from trainables.ahrnet.samples import BoxedLesions, training_sample
from trainables.ahrnet.tables import TABLES
from trainables.ahrnet.variants import VARIANTS, method
from trainables.level_set import joined, level_set_term
from trainables.recipe import Objective, Recipe
from trainables.roles import NewMask, Samples
from trainables.system import Batch, How, Prediction, Sample, System, Trained
from trainables.tables import PaperTable
from trainables.training import recipe_of, schedule_of

BOX = (1.0, 1.2)  # sides of what is told, in long sides of the RECIST's box (ours)


class AHRNetSystem(System):
    """AHRNet as the house sees it."""

    name = "ahrnet"
    title = "AHRNet"
    paper = "ahrnet"
    prompt = Box

    def presets(self) -> Mapping[str, Callable[[], AHRNetConfig]]:
        """The paper's settings, and a small one for CPUs."""
        return {"paper": paper, "tiny": tiny}

    def variants(self) -> Mapping[str, Callable[[AHRNetConfig], AHRNetConfig]]:
        """The rows of Tables 1 and 2."""
        return VARIANTS

    def tables(self) -> Mapping[str, PaperTable]:
        """Tables 1 and 2, and "rls" of ours."""
        return TABLES

    def method(self, config: AHRNetConfig) -> str:
        """The network, its parts and its loss."""
        return method(config)

    def telling(self, configs: Sequence[AHRNetConfig]) -> TellBox:
        """A box as a detector or a radiologist draws one: a little too large, a little off."""
        return TellBox(least=BOX[0], most=BOX[1])

    def model(self, config: AHRNetConfig, *, pretrained: bool = True) -> nn.Module:
        """HRNet with its switches, or nnU-Net's network."""
        if config.network == "nnunet":
            return NNUNet(config.nnunet, config.samples.sizes[0])
        structure = config.model
        if not pretrained:
            structure = replace(structure, backbone=structure.backbone.bare)
        return AHRNet(structure)

    def recipe(self, config: AHRNetConfig) -> Recipe:
        """Rounds, each from fresh weights, which the level set joins late."""
        rounds = recipe_of(config.training, rounds=config.rounds)
        return joined(config.rls, rounds, schedule_of(config.training))

    def samples(self, config: AHRNetConfig, lesions: Sequence[Lesion]) -> Samples:
        """All of a batch of one size."""
        return BoxedLesions(config, lesions)

    def sample(self, config: AHRNetConfig, lesion: Lesion, rng: np.random.Generator) -> Sample:
        """One augmented sample, of the largest size."""
        return training_sample(config, lesion, config.samples.sizes[-1], rng)

    def terms(
        self, config: AHRNetConfig, model: nn.Module, batch: Batch, objective: Objective
    ) -> Mapping[str, Tensor]:
        """l_seg of every output, and the level set of the finest (Equations 2 and 3)."""
        outputs: list[Tensor] = model(batch["image"])
        return {
            **segmentation_terms(outputs, batch["labels"]),
            **level_set_term(config.rls, outputs[-1], batch, objective),
        }

    def predict(
        self, parts: Sequence[Trained], cases: Iterable[Case], how: How
    ) -> Iterator[Prediction]:
        """The mask in each box."""
        yield from answers(parts[0], cases, how)

    def encode(
        self, trained: Trained, cases: Iterable[Case], how: How
    ) -> Iterator[NDArray[np.float32]]:
        """The coarsest map of each view, averaged."""
        return encodings(trained, cases, how)

    def relabel(
        self, config: AHRNetConfig, lesion: Lesion, prediction: Prediction
    ) -> Mapping[str, NewMask]:
        """Where the prediction and the ellipse agree (section 2.3)."""
        assert prediction.mask is not None
        mask = agree(ellipse(lesion.recist, lesion.shape), prediction.mask)
        return {config.pseudo_mask: NewMask(mask=mask, refined=prediction.mask)}
