import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesions.heatmaps import SPREAD_FLOOR, endpoints, heatmaps, spread_mm

SHAPE = (64, 96)
SIGMA = st.floats(0.8, 14)


@given(st.lists(st.tuples(st.floats(1, 94), st.floats(1, 62)), min_size=4, max_size=4), SIGMA)
def test_round_trip_is_below_a_twentieth_of_a_pixel(points, sigma):
    found, peaks = endpoints(heatmaps(points, SHAPE, sigma))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, points, atol=0.05)
    assert (peaks <= 1).all()
    assert (peaks > 0.6).all()


@given(st.floats(-0.5, 0.5), st.floats(62.5, 63.5), st.floats(1, 14))
def test_round_trip_at_the_border(x, y, sigma):
    found, _ = endpoints(heatmaps([(x, y)] * 4, SHAPE, sigma))
    np.testing.assert_allclose(found, [(x, y)] * 4, atol=0.05)


def test_heat_maps_by_hand():
    maps = heatmaps([(3, 2), (0, 0), (5, 1), (2.5, 2)], (4, 6), sigma=2)
    assert maps.shape == (4, 4, 6)
    assert maps.dtype == np.float32
    assert maps[0, 2, 3] == 1
    assert maps[0, 2, 5] == pytest.approx(np.exp(-0.5))
    assert maps[0, 0, 5] == pytest.approx(np.exp(-1))
    assert maps[2, 1, 5] == 1
    assert maps[3, 2, 2] == maps[3, 2, 3] == pytest.approx(np.exp(-0.125 / 4))


@given(st.tuples(st.floats(2, 60), st.floats(2, 60)))
def test_flips_and_turns_move_maps_and_endpoints_together(point):
    maps = heatmaps([point] * 4, (63, 63), 3)
    x, y = point
    flipped, _ = endpoints(maps[:, :, ::-1])
    turned, _ = endpoints(np.rot90(maps, axes=(1, 2)))
    np.testing.assert_allclose(flipped, [(62 - x, y)] * 4, atol=1e-3)
    np.testing.assert_allclose(turned, [(y, 62 - x)] * 4, atol=1e-3)


@pytest.mark.parametrize("value", [0.0, 0.3, -1.0])
def test_a_flat_map_gives_its_first_pixel(value):
    points, peaks = endpoints(np.full((4, 5, 6), value, np.float32))
    assert points.tolist() == [[0, 0]] * 4
    np.testing.assert_allclose(peaks, value)


def test_a_map_below_zero_around_its_summit_has_a_summit():
    maps = np.full((1, 7, 9), -0.2, np.float32)
    maps[0, 3, 4:6] = (0.6, 0.2)
    points, peaks = endpoints(maps)
    assert points[0] == pytest.approx((4 + 0.4 / 2.4, 3))
    assert peaks[0] == pytest.approx(0.6)


def test_maps_of_one_or_two_pixels():
    assert endpoints(np.array([[[0.1, 0.4]]]))[0].tolist() == [[1, 0]]
    assert endpoints(np.array([[[0.1]]]))[0].tolist() == [[0, 0]]


def test_maps_that_are_not_finite_still_give_a_pixel():
    points, peaks = endpoints(np.full((4, 5, 6), np.nan))
    assert np.isfinite(points).all()
    assert np.isnan(peaks).all()


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 0.5)])
def test_the_spread_of_a_gaussian_in_mm(spacing: tuple[float, float]) -> None:
    scale = 3 * np.diag(spacing)  # 3 slice pixels a network pixel
    points = np.array([(20, 20), (44, 20), (30, 12), (30, 40)], float)
    maps = heatmaps(points, (64, 64), 3.0)
    sigma_mm = 3.0 * 3 * spacing[0]
    # A Gaussian cut off where it falls to the floor: (1 − f(1 − ln f)) / (1 − f) of its variance.
    floor = SPREAD_FLOOR
    cut = np.sqrt((1 - floor * (1 - np.log(floor))) / (1 - floor))
    expected = [pytest.approx(cut * sigma_mm, rel=0.03)] * 4
    assert list(spread_mm(maps, points, scale)) == expected
    # Half as high everywhere, the same; without a peak, nothing to say.
    assert list(spread_mm(maps / 2, points, scale)) == expected
    assert spread_mm(maps * 0, points, scale) == (None,) * 4


def test_the_spread_of_two_hills() -> None:
    hills = heatmaps([(12, 30), (52, 30), (12, 30), (52, 30)], (64, 64), 2.0)
    doubtful = hills[:1] + 0.99 * hills[1:2]
    sure, unsure = (
        spread_mm(maps, np.array([(12.0, 30.0)]), np.eye(2))[0] for maps in (hills[:1], doubtful)
    )
    assert sure == pytest.approx(0.86 * 2, rel=0.05)
    assert unsure == pytest.approx(np.hypot(1.72, 40 / 2), rel=0.03)  # 40²/2 about one, per axis/2
