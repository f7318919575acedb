"""STN + SHN: RECIST endpoints from a rough box, by a spatial transformer and stacked hourglasses.

"Semi-Automatic RECIST Labeling on CT Scans with Cascaded Convolutional Neural Networks", MICCAI
2018.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor, nn

from lesions import Lesion
from lesions.metrics.merit import DIAMETERS, ENDPOINTS, Merit
from lesions.prompts import Box, Case, TellBox
from trainables.recipe import Objective, Recipe
from trainables.stn_shn.answers import answers
from trainables.stn_shn.config import STNSHNConfig, paper, tiny
from trainables.stn_shn.layout import mean_layout
from trainables.stn_shn.model import STNSHN
from trainables.stn_shn.recipe import recipe
from trainables.stn_shn.samples import training_sample
from trainables.stn_shn.tables import TABLES
from trainables.stn_shn.terms import terms
from trainables.stn_shn.variants import VARIANTS, method
from trainables.system import Batch, How, Prediction, Sample, System, Trained
from trainables.tables import PaperTable


class STNSHNSystem(System):
    """STN + SHN as the house sees it."""

    name = "stn_shn"
    title = "STN + SHN"
    paper = "stn_shn"
    prompt = Box
    endpoints = True
    reported = (*ENDPOINTS, *DIAMETERS)
    merit = Merit(name="long_axis_location_error", better="lower")

    def presets(self) -> Mapping[str, Callable[[], STNSHNConfig]]:
        """The paper's settings, and a small one for CPUs."""
        return {"paper": paper, "tiny": tiny}

    def variants(self) -> Mapping[str, Callable[[STNSHNConfig], STNSHNConfig]]:
        """The rows of Table 1."""
        return VARIANTS

    def tables(self) -> Mapping[str, PaperTable]:
        """Table 1."""
        return TABLES

    def method(self, config: STNSHNConfig) -> str:
        """The networks and their losses."""
        return method(config)

    def telling(self, configs: Sequence[STNSHNConfig]) -> TellBox:
        """A rough box, as the one that the crops of training stand for."""
        least, most = configs[-1].samples.side
        return TellBox(least=least, most=most)

    def model(self, config: STNSHNConfig, *, pretrained: bool = True) -> nn.Module:
        """The STN before the SHN, or the SHN alone."""
        localisation = config.localisation
        if not pretrained:
            localisation = replace(localisation, backbone=localisation.backbone.bare)
        return STNSHN(
            localisation if config.stn else None,
            config.hourglass,
            config.samples.size,
            mean_layout(config.samples.side),
            config.loss.through,
        )

    def recipe(self, config: STNSHNConfig) -> Recipe:
        """The STN in two phases, the SHN alone, then both."""
        return recipe(config)

    def sample(self, config: STNSHNConfig, lesion: Lesion, rng: np.random.Generator) -> Sample:
        """One augmented crop with its true layout."""
        return training_sample(config, lesion, rng)

    def terms(
        self, config: STNSHNConfig, model: nn.Module, batch: Batch, objective: Objective
    ) -> Mapping[str, Tensor]:
        """The losses of a phase, by its name."""
        return terms(config, model, batch, objective)

    def predict(
        self, parts: Sequence[Trained], cases: Iterable[Case], how: How
    ) -> Iterator[Prediction]:
        """The endpoints in each box."""
        yield from answers(parts[0], cases, how)
