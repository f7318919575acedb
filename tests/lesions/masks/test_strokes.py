import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lesions.masks.frame import Frame
from lesions.masks.strokes import axes_pixels, dilated_axes, strokes
from lesions.recist import Recist

RECIST = Recist([(20, 32), (44, 32), (32, 22), (32, 42)])
WINDOW = (-175.0, 275.0)
quarters = st.integers(160, 320).map(lambda n: n / 4)
recists = (
    st.lists(st.tuples(quarters, quarters), min_size=4, max_size=4)
    .filter(lambda p: p[0] != p[1] and p[2] != p[3])
    .map(Recist)
)


def drawn(recist, shape=(128, 128)):
    return strokes(np.zeros(shape, np.int16), recist, WINDOW)


def test_by_hand_a_fifth_of_the_padded_box():
    # The box is 24 × 20, padded 30 × 25.
    labels = drawn(RECIST)
    assert labels.dtype == np.uint8
    assert labels.sum() == 150
    assert labels[32, 20:45].all()
    assert labels[22:43, 32].all()
    assert not labels[24, 22]


def test_a_diagonal_axis_is_as_wide_as_a_straight_one():
    # |x - y| = k runs at k / sqrt(2) from the axis: 41 + 40 + 40 pixels, then ties at the middle.
    diagonal = Recist([(20, 20), (60, 60), (39.5, 40.5), (40.5, 39.5)])
    labels = strokes(np.zeros((80, 80), np.int16), diagonal, WINDOW)
    width = [np.trace(labels, k) for k in (0, 1, -1)]
    assert labels.sum() == round(0.2 * 1.25**2 * 40 * 40)
    assert np.ptp(width) <= 1
    assert (labels == labels.T).mean() > 0.999


@given(recists)
@settings(deadline=None)
def test_the_area_is_right_to_a_pixel_and_holds_the_nearest(recist):
    frame = Frame.about(recist)
    x0, y0, x1, y1 = recist.bounds
    area = round(0.2 * 1.25**2 * max(x1 - x0, 1) * max(y1 - y0, 1))
    distance = frame.from_axes(recist)
    passed = axes_pixels(recist, frame)
    labels = strokes(np.zeros((160, 160), np.int16), recist, WINDOW)
    assert labels.sum() == max(area, passed.sum())
    inside = labels[frame.overlap(labels.shape)[1]].astype(bool)
    assert inside[passed].all()
    nearest = distance[~inside].min()
    assert distance[inside & ~passed].max(initial=0) <= nearest + 1e-4
    assert distance[passed].max() <= np.sqrt(0.5)


@given(recists, st.integers(-20, 20), st.integers(-20, 20))
@settings(deadline=None)
def test_moves_with_the_lesion(recist, x, y):
    moved = drawn(recist.transformed([[1, 0, x], [0, 1, y]]), (160, 160))
    assert (np.roll(drawn(recist, (160, 160)), (y, x), (0, 1)) == moved).all()


def test_the_images_border_changes_nothing_within():
    near = RECIST.transformed([[1, 0, -18], [0, 1, -21]])
    labels = drawn(near, (64, 64))
    assert (labels == drawn(RECIST)[21:85, 18:82]).all()
    assert labels[11, 2]


def test_takes_no_notice_of_the_ct():
    noise = np.random.default_rng(0).integers(-1000, 1000, (128, 128)).astype(np.int16)
    assert (strokes(noise, RECIST, (0, 1)) == drawn(RECIST)).all()


def test_one_pixel():
    one = Recist([(2.5, 2), (3.5, 2), (3, 1.5), (3, 2.5)])
    assert np.argwhere(drawn(one, (5, 6))).tolist() == [[2, 3]]


def test_axes_on_one_line_are_a_line():
    line = Recist([(10, 5), (30, 5), (12, 5), (14, 5)])
    assert np.argwhere(drawn(line, (11, 40))).tolist() == [[5, x] for x in range(10, 31)]


@pytest.mark.parametrize("area", [0, 1, 5])
def test_never_thinner_than_the_pixels_that_the_axes_pass_through(area):
    frame = Frame.about(RECIST)
    assert (dilated_axes(RECIST, frame, area) == axes_pixels(RECIST, frame)).all()
    assert axes_pixels(RECIST, frame).sum() == 25 + 21 - 1
