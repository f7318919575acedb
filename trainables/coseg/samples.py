"""From lesions in boxes to the network's inputs and targets."""

import numpy as np
import torch

from lesions import Lesion
from lesions.prompts import Case
from lesions.prompts.box import Box
from trainables.augment import change_intensity, random_view
from trainables.coseg.config import CoSegConfig
from trainables.crops import Crop
from trainables.system import Sample


def training_sample(config: CoSegConfig, lesion: Lesion, rng: np.random.Generator) -> Sample:
    """One augmented lesion: image and mask moved by one and the same map.

    Returns:
        `images` float32 (1, S, S) and `labels` uint8 (S, S): 0, 1, or 255 where it is uncertain.
    """
    samples = config.samples
    crop = random_view(
        lesion.recist.bounds, samples.size, rng, side=samples.side, shift=samples.shift,
        rotation=samples.rotation, flips=samples.flips,
    )  # fmt: skip
    image = change_intensity(crop.image(lesion.slice_hu, lesion.window), samples.intensity, rng)
    return {
        "images": torch.from_numpy(image[None]),
        "labels": torch.from_numpy(crop.labels(lesion.mask(config.pseudo_mask))),
    }


def view(config: CoSegConfig, box: Box) -> Crop:
    """The square that is looked at: `test_side` long sides of a box about its middle."""
    samples = config.samples
    return Crop(centre=box.middle, side=samples.test_side * box.side, size=samples.size)


def image_of(config: CoSegConfig, case: Case) -> np.ndarray:
    """float32 (1, S, S), 0…1: what the network sees of a case with a box."""
    assert isinstance(case.prompt, Box)
    return view(config, case.prompt).image(case.slice_hu, case.window)[None]
