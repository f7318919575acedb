"""Marks as people set them, by the figures that were measured of people."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from lesions.phantom.marks import Reader, draw_mark, draw_readers, marked_slice
from lesions.recist import Recist

TRUTH = Recist([[40, 60], [60, 60], [50, 53], [50, 67]])  # 20 and 14 pixels
SHAPE = (128, 128)


def long_axes(count: int) -> np.ndarray:
    """(count, 4): the long axis of four readers of each of `count` lesions, every time others."""
    random = np.random.default_rng(0)
    return np.array(
        [
            [
                draw_mark(TRUTH, reader, SHAPE, random).diameters_mm((1, 1))[0]
                for reader in draw_readers(4, random)
            ]
            for _ in range(count)
        ]
    )


def test_four_readers_differ_as_people_do() -> None:
    lengths = long_axes(1500)
    assert np.median(lengths) / 20 == pytest.approx(1 - 0.08, abs=0.01)
    spread = np.ptp(lengths, axis=1) / lengths.mean(axis=1)
    assert np.median(spread) == pytest.approx(0.18, abs=0.02)


def test_marks_are_displaced_by_four_per_cent_and_skewed_as_deeplesions_are() -> None:
    random = np.random.default_rng(1)
    reader = Reader(bias=-0.08, spread=0.07)
    marks = [draw_mark(TRUTH, reader, SHAPE, random) for _ in range(3000)]
    moved = np.array([mark.points.mean(axis=0) - [50, 60] for mark in marks]) / 20
    assert np.sqrt((moved**2).sum(axis=1).mean()) == pytest.approx(0.04, abs=0.004)
    axes = np.array([mark.points[1::2] - mark.points[::2] for mark in marks])
    angles = np.degrees(np.arctan2(axes[..., 1], axes[..., 0]))
    off = np.abs((angles[:, 1] - angles[:, 0]) % 180 - 90)
    assert (off > 5).mean() == pytest.approx(0.19, abs=0.03)
    assert (off > 10).mean() == pytest.approx(0.04, abs=0.015)


def test_a_reader_without_error_marks_a_twelfth_less() -> None:
    """By hand: only the turn is left, which no length shows."""
    reader = Reader(bias=-1 / 12, spread=0, displaced=0)
    mark = draw_mark(TRUTH, reader, SHAPE, np.random.default_rng(2))
    assert_allclose(mark.diameters_mm((1, 1)), (20 * 11 / 12, 14 * 11 / 12))
    assert_allclose(mark.points.mean(axis=0), [50, 60])


def test_no_mark_leaves_the_slice() -> None:
    edge = Recist([[0, 5], [20, 5], [10, 0], [10, 12]])
    random = np.random.default_rng(3)
    reader = Reader(bias=0.5, spread=0.2)
    for _ in range(200):
        points = draw_mark(edge, reader, (14, 22), random).points
        assert points.min() >= 0
        assert (points <= [21, 13]).all()


def test_the_marked_slice_is_large_and_not_always_the_largest() -> None:
    random = np.random.default_rng(4)
    areas = np.array([0, 70, 95, 100, 90, 10])
    marked = np.bincount([marked_slice(areas, random) for _ in range(2000)], minlength=6)
    assert_array_equal(marked[[0, 1, 5]], 0)
    assert marked[3] > marked[2] > marked[4] > 300
