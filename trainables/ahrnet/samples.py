"""From lesions in boxes to AHRNet's inputs and targets (section 3, implementation details)."""

import math
from collections.abc import Sequence

import numpy as np
import torch

from lesions import Lesion
from lesions.prompts import Case
from lesions.prompts.box import Box
from trainables.ahrnet.config import STRIDE, AHRNetConfig
from trainables.augment import blur, change_intensity, random_view
from trainables.crops import Crop
from trainables.level_set import level_set_sample
from trainables.roles import Draw
from trainables.system import Sample


class BoxedLesions:
    """The training set: a lesion a sample, all of a batch of one size *(ours)*.

    Padding to one size would leak through batch normalisation, attention and pooling, however the
    loss is masked.
    """

    def __init__(self, config: AHRNetConfig, lesions: Sequence[Lesion]) -> None:
        self.config, self.lesions = config, lesions

    def __len__(self) -> int:
        """How many lesions."""
        return len(self.lesions)

    def __getitem__(self, draw: Draw) -> Sample:
        """The sample of a lesion at its batch's size."""
        size = int(draw.batch_rng.choice(self.config.samples.sizes))
        return training_sample(self.config, self.lesions[draw.index], size, draw.rng)


def training_sample(
    config: AHRNetConfig, lesion: Lesion, size: int, rng: np.random.Generator
) -> Sample:
    """One augmented sample: image, mask and region moved by one and the same map.

    Returns:
        `image` float32 (1, S, S), `labels` uint8 (1, S, S), and what the level set loss needs, if
        it is on; S is `size`.
    """
    samples = config.samples
    crop = random_view(
        lesion.recist.bounds, size, rng, side=samples.side, shift=samples.shift,
        rotation=samples.rotation, flips=samples.flips,
    )  # fmt: skip
    image = crop.image(lesion.slice_hu, lesion.window)
    image = blur(change_intensity(image, samples.intensity, rng), samples.blur, rng)
    return {
        "image": torch.from_numpy(image[None]),
        "labels": torch.from_numpy(crop.labels(lesion.mask(config.pseudo_mask))[None]),
        **level_set_sample(config.rls, lesion, crop, image, rng),
    }


def view(config: AHRNetConfig, case: Case) -> Crop:
    """The square that is looked at: `test_side` long sides of the box about its middle.

    It has a slice's own pixels where it lies within the smallest and the largest size, is enlarged
    or shrunk to these else, and then widened to a multiple of 32 *(ours)*: never resampled for it.
    """
    box = case.prompt
    assert isinstance(box, Box)
    sizes = config.samples.sizes
    side = config.samples.test_side * box.side
    wanted = min(max(side, sizes[0]), sizes[-1])
    size = STRIDE * math.ceil(wanted / STRIDE - 1e-9)  # 128 of rounding is 128
    return Crop(centre=box.middle, side=side * size / wanted, size=size)
