"""From lesions in rough boxes to crops, and what the networks learn of them (section 3)."""

import numpy as np
import torch
from numpy.typing import NDArray

from lesions import Lesion, Recist
from lesions.prompts import Box, Case
from trainables.augment import change_intensity, random_crop
from trainables.crops import Crop
from trainables.stn_shn.config import STNSHNConfig
from trainables.stn_shn.layout import jittered, layout_of
from trainables.system import Sample


def training_sample(config: STNSHNConfig, lesion: Lesion, rng: np.random.Generator) -> Sample:
    """One augmented crop: image, mask and endpoints moved by one and the same map.

    Returns:
        `crop` float32 (1, S, S); `labels` uint8 (1, S, S); `endpoints` float32 (4, 2), pixels of
        the crop; `layout` float32 (6,), the true one; `near`, one near it, for the SHN alone.
    """
    samples = config.samples
    crop = training_crop(config, lesion, rng)
    endpoints = Recist(crop.points(lesion.recist.points)).points
    layout = layout_of(endpoints, samples.size)
    near = jittered(
        layout, rng,
        shift=samples.jitter_shift, turn=samples.jitter_turn, scale=samples.jitter_scale,
    )  # fmt: skip
    image = crop.image(lesion.slice_hu, lesion.window)
    return {
        "crop": torch.from_numpy(change_intensity(image, samples.intensity, rng)[None]),
        "labels": torch.from_numpy(crop.labels(lesion.mask(config.pseudo_mask))[None]),
        "endpoints": torch.from_numpy(endpoints.astype(np.float32)),
        "layout": torch.from_numpy(layout),
        "near": torch.from_numpy(near),
    }


def training_crop(config: STNSHNConfig, lesion: Lesion, rng: np.random.Generator) -> Crop:
    """A square around the marks' box, which it holds before it is turned."""
    samples = config.samples
    x0, y0, x1, y1 = lesion.recist.bounds
    long_side = max(x1 - x0, y1 - y0)
    side = long_side * rng.uniform(*samples.side)
    return random_crop(
        ((x0 + x1) / 2, (y0 + y1) / 2), side, (side - long_side) / 2, samples.size, rng,
        rotation=samples.rotation, flips=samples.flips,
    )  # fmt: skip


def crop_of(config: STNSHNConfig, case: Case) -> Crop:
    """The square that is looked at: the box that is told, made a square by its longer side."""
    box = case.prompt
    assert isinstance(box, Box)
    return Crop(centre=box.middle, side=box.side, size=config.samples.size)


def image_of(crop: Crop, case: Case) -> NDArray[np.float32]:
    """The windowed crop (1, S, S)."""
    return crop.image(case.slice_hu, case.window)[None]
