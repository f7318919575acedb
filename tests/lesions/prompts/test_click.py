import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesions.ellipse import ellipse
from lesions.prompts.click import click_prior, click_region, random_click
from lesions.recist import Recist

SHAPE = (60, 80)
RECIST = Recist([(20, 30), (50, 34), (36, 20), (33, 45)])


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
