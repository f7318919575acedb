"""The click: where it falls, what is told with it, and the images that tell a network of it."""

import hashlib
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesions import InputError
from lesions.ellipse import ellipse
from lesions.lesion import Lesion
from lesions.prompts import Click, TellClick
from lesions.prompts.click import click_prior, click_region, ellipse_box, random_click
from lesions.recist import Recist
from tests.lesions.prompts.marked import ENDS, HEIGHT, SHAPE, WIDTH, lesion, lesions

RECIST = Recist(ENDS)


def test_region_is_half_the_ellipse_and_in_it():
    region, whole = click_region(RECIST, SHAPE), ellipse(RECIST, SHAPE)
    assert region.dtype == np.bool_
    assert np.count_nonzero(region) == pytest.approx(np.count_nonzero(whole) / 2, rel=0.03)
    assert not (region & ~whole).any()


def test_clicks_reach_every_pixel_of_the_region_alike():
    small = Recist([(20, 30), (26, 30), (23, 28), (23, 32)])
    region = click_region(small, SHAPE)
    rng = np.random.default_rng(0)
    counts = np.zeros(SHAPE)
    for _ in range(3000):
        x, y = random_click(small, SHAPE, rng)
        counts[int(y), int(x)] += 1
    assert (counts[~region] == 0).all()
    expected = 3000 / np.count_nonzero(region)
    assert np.abs(counts[region] - expected).max() < 5 * np.sqrt(expected)


def test_the_seed_decides_the_click():
    clicks = [random_click(RECIST, SHAPE, np.random.default_rng(7)) for _ in range(2)]
    assert clicks[0] == clicks[1]


@pytest.mark.parametrize(
    ("file", "row", "ends", "at"),
    [
        ("900001_01_01_001.png", 1, ENDS, (42, 39)),
        ("900001_01_01_001.png", 2, ENDS, (36, 29)),
    ],
)
def test_a_lesions_click_is_that_of_every_version_before(file, row, ends, at):
    """Recorded before prompts were: figures of old runs are of these clicks."""
    assert TellClick().of(lesion(Recist(ends), file=file, row=row)) == Click(at=at)


@given(lesions)
def test_a_lesions_click_is_in_its_region_and_its_own(one: Lesion):
    x, y = TellClick().of(one).at
    assert click_region(one.recist, SHAPE)[int(y), int(x)]
    seed = hashlib.sha256(f"{one.file}:{one.row}".encode()).digest()[:8]
    rng = np.random.default_rng(int.from_bytes(seed, "little"))
    assert (x, y) == random_click(one.recist, SHAPE, rng)
    assert TellClick(size=True, place=True).of(one).at == (x, y)
    TellClick().of(one).check_on(SHAPE)


def test_size_and_place_are_those_of_the_ellipse_by_hand():
    """A disc of radius 10 about (40, 30): columns 30…50, rows 20…40."""
    one = lesion(Recist([(30, 30), (50, 30), (40, 20), (40, 40)]))
    assert ellipse_box(one.recist, SHAPE) == ((40, 30), 21)
    alone, sized, placed = (
        TellClick(size=size, place=place)
        for size, place in ((False, False), (True, False), (True, True))
    )
    at = alone.of(one).at
    assert alone.of(one) == Click(at=at)
    assert sized.of(one) == Click(at=at, size=21)
    assert placed.of(one) == Click(at=at, size=21, place=(40, 30))
    assert alone.words == ("a click",)
    assert sized.words == ("a click", "the lesion's size (not its place)")
    assert placed.words == ("a click", "the lesion's size and place")
    with pytest.raises(ValueError, match="told with its size"):
        TellClick(place=True)


@pytest.mark.parametrize("at", [(0, 0), (WIDTH - 1, HEIGHT - 1), (3.5, 0)])
def test_a_click_on_the_slice(at):
    Click(at=at).check_on(SHAPE)


@pytest.mark.parametrize("at", [(-0.25, 0), (0, HEIGHT - 0.5), (WIDTH, 0), (1e300, 5)])
def test_a_click_beside_the_slice(at):
    said = f"the click {at[0]:g},{at[1]:g} lies outside its 80 × 60 pixels"
    with pytest.raises(InputError, match=re.escape(said)):
        Click(at=at).check_on(SHAPE)


def test_prior_by_hand():
    prior = click_prior((2, 1), (4, 7), sigma=2)
    assert prior.shape == (2, 4, 7)
    assert prior.dtype == np.float32
    assert prior[0, 1, 2] == 1
    assert prior[0, 1, 4] == pytest.approx(np.exp(-0.5))
    assert prior[0, 3, 4] == pytest.approx(np.exp(-1))
    assert prior[1, 1, 2] == 0
    # Furthest away is the corner (6, 3), at √(16 + 4).
    assert prior[1, 3, 6] == pytest.approx(1)
    assert prior[1, 1, 6] == pytest.approx(4 / np.sqrt(20))


@given(st.floats(-20, 99), st.floats(-20, 99), st.integers(1, 80), st.integers(1, 80))
def test_prior_is_within_0_and_1_and_moves_with_the_image(x, y, height, width):
    prior = click_prior((x, y), (height, width), sigma=3)
    assert np.isfinite(prior).all()
    assert prior.min() >= 0
    assert prior.max() <= 1
    flipped = click_prior((width - 1 - x, y), (height, width), sigma=3)
    np.testing.assert_allclose(flipped[:, :, ::-1], prior, atol=1e-4)
    turned = click_prior((y, width - 1 - x), (width, height), sigma=3)
    np.testing.assert_allclose(turned, np.rot90(prior, axes=(1, 2)), atol=1e-4)
