"""From a lesion to PDNet's inputs and targets and back: all of one place, to half a pixel."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lesions import Lesion, Recist
from lesions.ellipse import ellipse
from lesions.heatmaps import endpoints
from lesions.prepared import PreparedSet
from lesions.prompts import Case, TellClick, case_of
from lesions.prompts.click import click_region
from tests.trainables.runs import ellipses, lesion
from trainables.parts import protocol
from trainables.pdnet import PDNetSystem
from trainables.pdnet.config import PDNetConfig, paper, tiny
from trainables.pdnet.samples import (
    evaluation_crop,
    slice_centre,
    slice_input,
    training_crop,
    training_sample,
)

SHAPES = [(100, 100), (90, 140), (150, 80), (512, 512)]
# Far from the centre of its slice, oblique, longer along x.
ENDS = [[20, 30], [52, 46], [40, 28], [31, 48]]


def off_centre(shape: tuple[int, int]) -> Lesion:
    """The lesion in the upper left of a slice of `shape`, where no rotation takes it out."""
    height, width = shape
    place = np.array([0.3 * width, 0.35 * height])
    return lesion((np.array(ENDS) - np.min(ENDS, axis=0) + place).tolist(), shape)


def config_of(stage: Any, **samples: Any) -> PDNetConfig:
    config = tiny()
    settings = {"flips": True, "rotation": 30.0, "intensity": 0.0} | samples
    return replace(config, stage=stage, samples=replace(config.samples, **settings))


def asked(config: PDNetConfig, one: Lesion) -> Case:
    """The lesion as the stage is told of it in evaluation."""
    return case_of(one, PDNetSystem().telling([config]))


def evaluation_click(one: Lesion) -> tuple[float, float]:
    return TellClick().of(one).at


stages = st.sampled_from([1, 2])
seeds = st.integers(0, 2**32)
cases = st.tuples(stages, seeds, st.sampled_from(SHAPES))


@pytest.mark.parametrize("config", [paper(), replace(paper(), stage=1), tiny()])
def test_what_a_sample_is(config: PDNetConfig) -> None:
    sample = training_sample(config, lesion(ENDS), np.random.default_rng(0))
    size = config.input_size
    kinds = {name: (value.shape, value.dtype) for name, value in sample.items()}
    assert kinds == {
        "inputs": ((3, size, size), torch.float32),
        "labels": ((1, size, size), torch.uint8),
        "heatmaps": ((4, size, size), torch.float32),
    }
    assert all(float(value.min()) >= 0 for value in sample.values())
    assert float(sample["inputs"].max()) <= 1
    assert all(value.is_contiguous() for value in sample.values())


@settings(deadline=None, max_examples=60)
@given(cases)
def test_heat_maps_peak_where_the_endpoints_went(case: tuple[Any, int, tuple[int, int]]) -> None:
    """Moved by the sample's own crop, and in canonical order whatever was turned or mirrored."""
    stage, seed, shape = case
    config, one = config_of(stage), off_centre(shape)
    crop = training_crop(config, one, np.random.default_rng(seed))
    sample = training_sample(config, one, np.random.default_rng(seed))
    peaks, heights = endpoints(sample["heatmaps"].numpy())
    moved = Recist(crop.points(one.recist.points)).points
    inside = ((moved > 0.5) & (moved < crop.size - 1.5)).all(axis=1)
    np.testing.assert_allclose(peaks[inside], moved[inside], atol=0.05)
    assert (heights[inside] > 0.9).all()
    if stage == 1:
        assert inside.all()
    if inside.all():
        assert tuple(peaks[0]) <= tuple(peaks[1])
        assert tuple(peaks[2][::-1]) <= tuple(peaks[3][::-1])


@settings(deadline=None, max_examples=60)
@given(cases)
def test_image_labels_and_click_are_of_one_place(case: tuple[Any, int, tuple[int, int]]) -> None:
    stage, seed, shape = case
    one = off_centre(shape)
    sample = training_sample(config_of(stage), one, np.random.default_rng(seed))
    image, click, distance = sample["inputs"].numpy()
    mask = sample["labels"].numpy()[0] == 1
    assert mask.any()
    # Shrunk to few pixels much of a lesion is its blurred edge.
    assert image[mask].mean() > (0.9 if mask.sum() > 200 else 0.6)
    assert image[~mask].mean() < 0.1
    row, column = np.unravel_index(click.argmax(), click.shape)
    assert mask[row, column]
    assert distance[row, column] == distance.min()
    assert distance.max() == pytest.approx(1, abs=0.01)


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 2**32), st.sampled_from(SHAPES), st.booleans())
def test_the_lesion_stays_in_the_crop_of_stage_2(
    seed: int, shape: tuple[int, int], flips: bool
) -> None:
    config = config_of(2, rotation=0.0, flips=flips, stage2_side=(1.0, 3.5))
    one = lesion(ENDS, shape)
    sample = training_sample(config, one, np.random.default_rng(seed))
    crop = training_crop(config, one, np.random.default_rng(seed))
    moved = crop.points(one.recist.points)
    assert (moved > -0.5 - crop.size / crop.side).all()
    assert (moved < crop.size - 0.5 + crop.size / crop.side).all()
    area = (crop.size / crop.side) ** 2 * (one.mask("snakes") == 1).sum()
    assert (sample["labels"] == 1).sum() == pytest.approx(area, rel=0.08)


@pytest.mark.parametrize("shape", SHAPES)
def test_stage_1_sees_the_whole_slice(shape: tuple[int, int]) -> None:
    """In training 480…512 of 512, in testing all of it."""
    one, rng = lesion(ENDS, shape), np.random.default_rng(0)
    config = config_of(1)
    for _ in range(50):
        crop = training_crop(config, one, rng)
        assert 0.9375 * max(shape) <= crop.side <= max(shape)
        offset = np.abs(np.subtract(crop.centre, slice_centre(shape)))
        assert (offset <= (max(shape) - crop.side) / 2).all()
    crop = evaluation_crop(config, asked(config, one))
    height, width = shape
    corners = np.array([[-0.5, -0.5], [width - 0.5, height - 0.5]])
    seen = crop.points(corners)
    assert seen.min() == pytest.approx(-0.5)
    assert seen.max() == pytest.approx(crop.size - 0.5)
    assert seen.sum(axis=0) == pytest.approx(crop.size - 1)
    assert (crop.angle, crop.flip_x, crop.flip_y) == (0, False, False)


def test_the_ranges_of_stage_2() -> None:
    """Sides of 1.5 to 3.5 long sides, angles of ±10 degrees, as in the paper; no flips."""
    one, rng = lesion(ENDS), np.random.default_rng(0)
    crops = [training_crop(paper(), one, rng) for _ in range(300)]
    sides = np.array([crop.side for crop in crops]) / (
        evaluation_crop(paper(), asked(paper(), one)).side / 2.5
    )
    assert sides.min() == pytest.approx(1.5, abs=0.05)
    assert sides.max() == pytest.approx(3.5, abs=0.05)
    angles = [crop.angle for crop in crops]
    assert -10 <= min(angles) < -9 < 9 < max(angles) <= 10
    assert not any(crop.flip_x or crop.flip_y for crop in crops)
    flipped = [training_crop(config_of(2), one, rng) for _ in range(100)]
    assert {(crop.flip_x, crop.flip_y) for crop in flipped} == {
        (x, y) for x in (False, True) for y in (False, True)
    }


def test_intensity_changes_the_image_alone() -> None:
    plain, changed = (
        training_sample(config_of(2, intensity=most), lesion(ENDS), np.random.default_rng(3))
        for most in (0.0, 0.3)
    )
    assert not torch.equal(plain["inputs"][0], changed["inputs"][0])
    assert torch.equal(plain["inputs"][1:], changed["inputs"][1:])
    assert torch.equal(plain["labels"], changed["labels"])
    assert torch.equal(plain["heatmaps"], changed["heatmaps"])
    assert float(changed["inputs"].max()) <= 1
    assert float(changed["inputs"].min()) >= 0


def test_the_evaluation_click_is_the_lesions_own(training_lesions: PreparedSet) -> None:
    clicks = []
    for one in [*training_lesions[:40:4], *ellipses(5)]:
        x, y = evaluation_click(one)
        assert (x, y) == evaluation_click(replace(one))
        assert click_region(one.recist, one.shape)[int(y), int(x)]
        clicks.append((x, y))
    assert len(set(clicks)) > 10
    assert evaluation_click(lesion(ENDS, row=1)) != evaluation_click(lesion(ENDS, row=2))


def test_evaluation_is_centred_on_the_click() -> None:
    one, config = lesion(ENDS), config_of(2)
    crop = evaluation_crop(config, asked(config, one))
    assert crop.centre == evaluation_click(one)
    inputs = slice_input(config, one.slice_hu, one.window, crop, crop.centre)
    middle = (config.input_size - 1) / 2
    assert np.abs(np.argwhere(inputs[1] == inputs[1].max()) - middle).max() == 0.5


def test_evaluation_on_the_ellipse_when_it_is_asked_for() -> None:
    one, config = lesion(ENDS), config_of(2, test_place="ellipse")
    crop = evaluation_crop(config, asked(config, one))
    rows, columns = np.nonzero(ellipse(one.recist, one.shape))
    box = (columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2
    assert crop.centre == box
    assert crop.side == evaluation_crop(config_of(2), asked(config_of(2), one)).side
    assert "size and place" in protocol(PDNetSystem(), [config])
    assert "size (not its place)" in protocol(PDNetSystem(), [config_of(2)])
