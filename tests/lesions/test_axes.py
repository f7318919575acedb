"""Two axes of a predicted measurement: how they stand, which is longer, what is in the image."""

import numpy as np
import pytest

from lesions import axes

FLAT = (1.0, 1.0)
RNG = np.random.default_rng(0)
ANY = RNG.uniform(0, 100, (200, 4, 2))


def mm(points: np.ndarray, spacing: tuple[float, float]) -> np.ndarray:
    return np.hypot(*((points[1::2] - points[::2]) * spacing).T)


@pytest.mark.parametrize(
    ("short", "spacing", "off"),
    [
        ([(5, -3), (5, 3)], FLAT, 0.0),
        ([(2, -3), (8, 3)], FLAT, 45.0),
        ([(8, -3), (2, 3)], FLAT, 45.0),
        ([(0, 1), (4, 1)], FLAT, 90.0),
        ([(2, -3), (8, 3)], (1.0, 3**0.5), 30.0),  # pixels are no squares
    ],
)
def test_how_far_off_perpendicular(
    short: list[tuple[int, int]], spacing: tuple[float, float], off: float
) -> None:
    points = np.array([(0, 0), (10, 0), *short], float)
    assert axes.degrees_off(points, spacing) == pytest.approx(off)
    assert axes.degrees_off(points[[2, 3, 0, 1]], spacing) == pytest.approx(off)
    assert axes.degrees_off(points[[1, 0, 2, 3]], spacing) == pytest.approx(off)


@pytest.mark.parametrize("spacing", [FLAT, (0.5, 0.9)])
def test_the_shorter_axis_is_turned_about_its_middle_and_keeps_its_length(
    spacing: tuple[float, float],
) -> None:
    for points in ANY:
        turned = axes.made_perpendicular(points, spacing)
        assert axes.degrees_off(turned, spacing) == pytest.approx(0, abs=1e-6)
        assert mm(turned, spacing) == pytest.approx(mm(points, spacing))
        long = int(np.argmax(mm(points, spacing)))
        assert np.array_equal(*(each[2 * long : 2 * long + 2] for each in (turned, points)))
        assert turned.reshape(2, 2, 2).mean(axis=1) == pytest.approx(
            points.reshape(2, 2, 2).mean(axis=1)
        )
        # By the smaller angle: each end stays on its side.
        short = slice(2 - 2 * long, 4 - 2 * long)
        ways = [np.subtract(*each[short]) * spacing for each in (turned, points)]
        assert ways[0] @ ways[1] >= 0


def test_parallel_axes_are_turned_too() -> None:
    points = np.array([(0, 0), (10, 0), (3, 4), (7, 4)], float)
    turned = axes.made_perpendicular(points, FLAT)
    assert sorted(map(tuple, turned[2:])) == [(5, 2), (5, 6)]


def test_the_longer_axis_comes_first() -> None:
    points = np.array([(0, 0), (4, 0), (2, -3), (2, 3)], float)
    assert axes.longer_first(points, FLAT) == [2, 3, 0, 1]
    assert axes.longer_first(points, (2.0, 1.0)) == [0, 1, 2, 3]
    assert axes.longer_first(points, (1.5, 1.0)) == [0, 1, 2, 3], "a tie changes nothing"


def test_axes_are_cut_where_they_leave_the_image() -> None:
    points = np.array([(-2.5, 2), (5, 5), (3, 1), (3, 12.5)], float)
    assert axes.outside(points, (10, 8)) == 2
    inside = axes.cut_to(points, (10, 8))
    assert inside == pytest.approx(np.array([(-0.5, 2.8), (5, 5), (3, 1), (3, 9.5)]))
    assert axes.outside(np.array([(-0.5, -0.5), (7.5, 9.5)]), (10, 8)) == 0, "edges are within"


def test_what_is_cut_lies_inside_and_on_its_axis() -> None:
    for points in ANY:
        inside = axes.cut_to(points, (60, 50))
        if inside is None:
            continue
        assert axes.outside(inside, (60, 50)) == 0
        kept = (points <= (49.5, 59.5)).all(axis=1)
        assert inside[kept] == pytest.approx(points[kept])
        for before, after in zip(*(p.reshape(2, 2, 2) for p in (points, inside)), strict=True):
            one, other = before[1] - before[0], after[1] - after[0]
            assert one[0] * other[1] - one[1] * other[0] == pytest.approx(0, abs=1e-6)
            assert one @ other > 0


@pytest.mark.parametrize("axis", [[(20, 1), (30, 1)], [(-5, 2), (-5, 8)], [(-9, 3), (3, -9)]])
def test_nothing_is_left_of_an_axis_beside_the_image(axis: list[tuple[int, int]]) -> None:
    assert axes.cut_to(np.array([(0, 0), (4, 4), *axis], float), (10, 8)) is None
