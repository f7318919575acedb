"""The box: what it holds, how it is spread, and how it is made from a segmentation."""

import re

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesions import InputError
from lesions.ellipse import ellipse
from lesions.lesion import Lesion
from lesions.prompts import Box, TellBox
from lesions.prompts.box import box_around, rough_box
from lesions.recist import Recist
from tests.lesions.prompts.marked import SHAPE, lesion, lesions

eighths = st.integers(-4000, 4000).map(lambda n: n / 8)


@given(lesions, st.floats(1, 3), st.floats(1, 2))
def test_it_holds_the_recists_box_and_is_so_much_larger(one: Lesion, least: float, wider: float):
    telling = TellBox(least=least, most=least * wider)
    box = telling.of(one)
    x0, y0, x1, y1 = one.recist.bounds
    assert box.low[0] <= x0 <= x1 <= box.high[0]
    assert box.low[1] <= y0 <= y1 <= box.high[1]
    width, height = np.subtract(box.high, box.low)
    assert width == pytest.approx(height)
    longer = max(x1 - x0, y1 - y0)
    assert least * longer * (1 - 1e-9) <= box.side <= telling.most * longer * (1 + 1e-9)
    assert box == telling.of(one)
    assert box == Box.from_points(box.points)


def test_sizes_and_offsets_are_spread_over_all_that_is_allowed():
    """A lesion of 20 × 10: a side of 40 to 50, each offset from end to end of its range."""
    bounds = (30.0, 20.0, 50.0, 30.0)
    rng = np.random.default_rng(0)
    boxes = [rough_box(bounds, 2, 2.5, rng) for _ in range(4000)]
    sides = np.array([box.side for box in boxes])
    low = np.array([box.low for box in boxes])
    # 0: as far to the left or up as the side allows; 1: the box begins where the lesion does.
    places = (low - (np.array(bounds[2:]) - sides[:, None])) / (
        sides[:, None] - np.subtract(bounds[2:], bounds[:2])
    )
    for found in (sides / 10 - 4, *places.T):
        share, _ = np.histogram(found, bins=8, range=(-1e-9, 1 + 1e-9))
        assert share.sum() == 4000
        assert np.abs(share - 500).max() < 5 * np.sqrt(500)
    # Independent of each other: no corner is more likely than another.
    correlations = np.corrcoef([sides, *places.T])[np.triu_indices(3, 1)]
    assert np.abs(correlations).max() < 5 / np.sqrt(4000)


def test_other_rows_have_other_boxes():
    boxes = {TellBox().of(lesion(row=row)) for row in range(1, 21)}
    assert len(boxes) == 20


@pytest.mark.parametrize("factors", [(0.5, 2), (2, 1.5), (float("nan"), 2)])
def test_a_box_that_could_not_hold_its_lesion(factors):
    with pytest.raises(ValueError, match="times the lesion"):
        TellBox(least=factors[0], most=factors[1])


@given(st.lists(st.tuples(eighths, eighths), min_size=2, max_size=2))
def test_opposite_corners_in_any_order(points):
    (a, b), (c, d) = points
    if a == c or b == d:
        with pytest.raises(InputError, match=r"has no area \(say two opposite corners, X0,Y0,X1"):
            Box.from_points(points)
        return
    box = Box.from_points(points)
    assert box == Box.from_points([(c, b), (a, d)]) == Box.from_points(box.points)
    assert box.low < box.high
    assert box.middle == ((a + c) / 2, (b + d) / 2)
    assert box.side == max(abs(a - c), abs(b - d))


def test_on_the_slice_is_a_matter_of_its_middle():
    """80 × 60 pixels: their edges are at -0.5, 79.5 and 59.5."""
    for middle in ((-0.5, 30), (79.5, 59.5), (40, -0.5)):
        Box.from_points(np.add(middle, [(-20, -9), (20, 9)])).check_on(SHAPE)
    Box(low=(-80, -10), high=(160, 20)).check_on(SHAPE)
    said = "the middle of the box -11,0,9,10 lies outside its 80 × 60 pixels"
    with pytest.raises(InputError, match=re.escape(said)):
        Box(low=(-11, 0), high=(9, 10)).check_on(SHAPE)
    said = "the box -81,-10,160,20 is more than 3 times as large as its 80 × 60 pixels"
    with pytest.raises(InputError, match=re.escape(said)):
        Box(low=(-81, -10), high=(160, 20)).check_on(SHAPE)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("points", [(-1.5e308, 0, 1.5e308, 5), (1e308, 1e308, 1.7e308, 1.7e308)])
def test_numbers_of_any_size_are_refused_in_silence(points):
    with pytest.raises(InputError):
        Box.from_points(np.reshape(points, (2, 2))).check_on(SHAPE)


def test_around_a_segmentation_by_hand():
    mask = np.zeros((40, 60), np.uint8)
    mask[10:14, 20:30] = 1  # its edges: x 19.5 to 29.5, y 9.5 to 13.5
    mask[30:33, 5:8] = 1
    mask[11, 31:40] = 255  # uncertain is no lesion
    box = box_around(mask, (22, 12), 2, 2.5)
    assert box == Box(low=(24.5 - 11.25, 11.5 - 11.25), high=(24.5 + 11.25, 11.5 + 11.25))
    assert box == box_around(mask, (40, 12), 2, 2.5), "the nearest part, where none is hit"
    other = box_around(mask == 1, (6, 31), 2, 2.5)
    assert (other.middle, other.side) == ((6, 31), 6.75)


def test_around_nothing():
    with pytest.raises(InputError, match=r"segmentation is empty.*\(draw the box.*--box X0,Y0,X1"):
        box_around(np.full((9, 9), 255, np.uint8), (4, 4), 2, 2.5)


@given(lesions)
def test_around_its_own_ellipse_it_is_one_that_could_have_been_told(one: Lesion):
    mask = ellipse(one.recist, SHAPE)
    measured = Recist.from_mask(mask, one.spacing).bounds
    rows, columns = np.nonzero(mask)
    if not _is_one_part(mask):
        return
    box = box_around(mask, (columns[0], rows[0]), 2, 2.5)
    assert box.low[0] <= measured[0] <= measured[2] <= box.high[0]
    assert box.low[1] <= measured[1] <= measured[3] <= box.high[1]
    longer = max(np.ptp(columns), np.ptp(rows)) + 1
    assert box.side == pytest.approx(2.25 * longer)


def _is_one_part(mask):
    return cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0] == 2
