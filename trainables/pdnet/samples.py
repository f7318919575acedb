"""From lesions to PDNet's inputs and targets (section 3, implementation details)."""

import numpy as np
import torch
from numpy.typing import NDArray

from lesions import InputError, Lesion, Recist
from lesions.heatmaps import heatmaps
from lesions.prompts import Case, Click
from lesions.prompts.click import click_prior, ellipse_box, random_click
from trainables.augment import change_intensity, random_crop
from trainables.crops import Crop, apply
from trainables.level_set import level_set_sample
from trainables.pdnet.config import PDNetConfig
from trainables.system import Sample

Point = tuple[float, float]


def training_sample(config: PDNetConfig, lesion: Lesion, rng: np.random.Generator) -> Sample:
    """One augmented sample: image, mask and endpoints moved by one and the same map.

    Returns:
        `inputs` float32 (3, S, S), `labels` uint8 (1, S, S), `heatmaps` float32 (4, S, S), and
        what the level set loss needs, if it is on.
    """
    crop = training_crop(config, lesion, rng)
    click = random_click(lesion.recist, lesion.shape, rng)
    recist = Recist(crop.points(lesion.recist.points))  # canonical again after a flip
    size = (crop.size, crop.size)
    inputs = slice_input(config, lesion.slice_hu, lesion.window, crop, click)
    inputs[0] = change_intensity(inputs[0], config.samples.intensity, rng)
    return {
        "inputs": torch.from_numpy(inputs),
        "labels": torch.from_numpy(crop.labels(lesion.mask(config.pseudo_mask))[None]),
        "heatmaps": torch.from_numpy(heatmaps(recist.points, size, config.sigma)),
        **level_set_sample(config.rls, lesion, crop, inputs[0], rng),
    }


def slice_input(
    config: PDNetConfig,
    slice_hu: NDArray[np.int16],
    window: tuple[float, float],
    crop: Crop,
    click: Point,
) -> NDArray[np.float32]:
    """(3, S, S): the CT windowed to 0…1, the click image, the distance image."""
    image = crop.image(slice_hu, window)
    x, y = crop.points(np.array([click]))[0]
    prior = click_prior((float(x), float(y)), image.shape, config.samples.click_sigma)
    return np.concatenate([image[None], prior])


def training_crop(config: PDNetConfig, lesion: Lesion, rng: np.random.Generator) -> Crop:
    """A random crop: nearly the whole slice at stage 1, around the lesion at stage 2.

    At stage 2 the offset is anything that keeps the lesion's box inside.
    """
    samples = config.samples
    if config.stage == 1:
        side = max(lesion.shape) * rng.uniform(*samples.stage1_side)
        centre, reach = slice_centre(lesion.shape), (max(lesion.shape) - side) / 2
    else:
        centre, long_side = ellipse_box(lesion.recist, lesion.shape)
        side = long_side * rng.uniform(*samples.stage2_side)
        reach = max(0.0, (side - long_side) / 2)
    return random_crop(
        centre, side, reach, config.input_size, rng,
        rotation=samples.rotation, flips=samples.flips,
    )  # fmt: skip


def evaluation_crop(config: PDNetConfig, case: Case) -> Crop:
    """The crop at test time: the whole slice (stage 1), 2.5 long sides at the lesion (stage 2).

    Stage 2 alone *(ours)* is told a size in place of the size that stage 1 would find.

    Raises:
        InputError: it is not.
    """
    if config.stage == 1:
        return whole_slice(config, case.shape)
    click = case.prompt
    assert isinstance(click, Click)
    if click.size is None:
        raise InputError("stage 2 alone is to know the lesion's size", remedy="add stage 1")
    centre = click.at if click.place is None else click.place
    side = config.samples.test_side * click.size
    return Crop(centre=centre, side=side, size=config.input_size)


def whole_slice(config: PDNetConfig, shape: tuple[int, int]) -> Crop:
    """The square around a slice of `shape` (H, W)."""
    return Crop(centre=slice_centre(shape), side=float(max(shape)), size=config.input_size)


def slice_centre(shape: tuple[int, int]) -> Point:
    """(x, y) of the middle of a slice of `shape` (H, W)."""
    height, width = shape
    return (width - 1) / 2, (height - 1) / 2


def to_slice(crop: Crop, endpoints: NDArray[np.float64]) -> Recist | None:
    """Endpoints (4, 2) in network pixels as a RECIST of the slice; None when an axis vanishes."""
    try:
        return Recist(apply(crop.inverse, endpoints))
    except ValueError:
        return None
