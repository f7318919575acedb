"""PDNet: click-driven lesion segmentation and RECIST diameters, in two stages.

"Lesion Segmentation and RECIST Diameter Prediction via Click-driven Attention and Dual-path
Connection", MICCAI 2021.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lesions import Lesion
from lesions.ellipse import ellipse
from lesions.heatmaps import endpoints
from lesions.masks import agree
from lesions.masks.snakes import refine
from trainables.crops import Crop
from trainables.pdnet.config import PDNetConfig, paper, tiny
from trainables.pdnet.loss import pdnet_loss
from trainables.pdnet.model import Outputs, PDNet
from trainables.pdnet.nnunet import NNUNet
from trainables.pdnet.samples import (
    evaluation_click,
    evaluation_crop,
    network_input,
    to_slice,
    training_sample,
)
from trainables.pdnet.tables import TABLES
from trainables.pdnet.variants import VARIANTS
from trainables.system import Batch, Prediction, Refined, Sample, System
from trainables.tables import PaperTable

PREDICT_BATCH = 16


class PDNetSystem(System):
    """PDNet as the house sees it."""

    name = "pdnet"
    paper = "pdnet"
    in_rounds = True

    def presets(self) -> Mapping[str, Callable[[], PDNetConfig]]:
        """The paper's settings, and a small one for CPUs."""
        return {"paper": paper, "tiny": tiny}

    def variants(self) -> Mapping[str, Callable[[PDNetConfig], PDNetConfig]]:
        """Table 3's rows, and nnU-Net."""
        return VARIANTS

    def tables(self) -> Mapping[str, PaperTable]:
        """Tables 1, 2 and 3."""
        return TABLES

    def model(self, config: PDNetConfig, *, pretrained: bool = True) -> nn.Module:
        """The network of one stage."""
        if config.network == "nnunet":
            return NNUNet(config.nnunet, config.input_size)
        structure = config.model
        if not pretrained:
            bare = replace(structure.backbone, pretrained=False, weights_file=None)
            structure = replace(structure, backbone=bare)
        return PDNet(structure)

    def sample(self, config: PDNetConfig, lesion: Lesion, rng: np.random.Generator) -> Sample:
        """One augmented sample."""
        return training_sample(config, lesion, rng)

    def loss(
        self, config: PDNetConfig, model: nn.Module, batch: Batch
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The paper's loss, and its two parts."""
        outputs: Outputs = model(batch["inputs"])
        return pdnet_loss(outputs, batch["labels"], batch["heatmaps"], config.loss)

    def protocol(self, config: PDNetConfig) -> str:
        """What is given beside the slice."""
        if config.stage == 1:
            return "Stage 1 alone: given are the slice and a click."
        told = "size (not its place)" if config.samples.test_place == "click" else "size and place"
        return f"Stage 2 alone: given are the slice, a click and the lesion's {told}."

    def view(self, config: PDNetConfig, lesion: Lesion) -> Crop:
        """The crop at test time."""
        return evaluation_crop(config, lesion)

    def predict(
        self, config: PDNetConfig, model: nn.Module, lesions: Sequence[Lesion], device: torch.device
    ) -> Iterator[Prediction]:
        """Mask and RECIST of each lesion, from a click fixed by the lesion."""
        for at in range(0, len(lesions), PREDICT_BATCH):
            yield from _predict(config, model, lesions[at : at + PREDICT_BATCH], device)

    def predict_together(
        self, checkpoints: Sequence[Path], lesions: Sequence[Lesion], device: torch.device
    ) -> Iterator[Prediction]:
        """Both stages in order, stage 2 cropping by stage 1's own segmentation."""
        from trainables.pdnet.two_stages import load_two_stages  # checkpoints know the systems

        stage1, stage2 = checkpoints
        both = load_two_stages(stage1, stage2, device)
        for lesion in lesions:
            click = evaluation_click(lesion)
            found = both(lesion.slice_hu, lesion.window, lesion.spacing, click)
            yield Prediction(mask=found.mask, recist=found.recist)

    def next_mask(self, lesion: Lesion, predicted: NDArray[np.uint8]) -> Refined:
        """The prediction refined by snakes, where it agrees with the ellipse (section 2)."""
        refined = refine(lesion.slice_hu, predicted, lesion.recist, lesion.window)
        return Refined(refined=refined, mask=agree(ellipse(lesion.recist, lesion.shape), refined))


@torch.inference_mode()
def _predict(
    config: PDNetConfig, model: nn.Module, lesions: Sequence[Lesion], device: torch.device
) -> Iterator[Prediction]:
    crops = [evaluation_crop(config, lesion) for lesion in lesions]
    inputs = [
        network_input(config, lesion, crop, evaluation_click(lesion))
        for lesion, crop in zip(lesions, crops, strict=True)
    ]
    training = model.training
    outputs: Outputs = model.eval()(torch.from_numpy(np.stack(inputs)).to(device))
    model.train(training)
    masks = torch.sigmoid(outputs.masks[-1]).float().cpu().numpy()[:, 0]
    maps = outputs.heatmaps[-1].float().cpu().numpy()
    for lesion, crop, mask, heat in zip(lesions, crops, masks, maps, strict=True):
        points, _ = endpoints(heat)
        yield Prediction(
            mask=(crop.back(mask, lesion.shape) > 0.5).astype(np.uint8),
            recist=to_slice(crop, points),
        )
