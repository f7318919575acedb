import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesions.masks.frame import Frame, lowest
from lesions.recist import Recist

RECIST = Recist([(20, 32), (44, 32), (32, 22), (32, 42)])
quarters = st.integers(0, 200).map(lambda n: n / 4)
recists = (
    st.lists(st.tuples(quarters, quarters), min_size=4, max_size=4)
    .filter(lambda p: p[0] != p[1] and p[2] != p[3])
    .map(Recist)
)


def test_is_twice_the_extent():
    # x from 20 to 44 about 32, y from 22 to 42 about 32.
    assert Frame.about(RECIST) == Frame(left=8, top=12, width=49, height=41)


@given(recists)
def test_leaves_a_pixel_around_the_box_of_half_its_area(recist):
    frame = Frame.about(recist)
    inner = np.pad(frame.within(recist, np.sqrt(2))[1:-1, 1:-1], 1)
    assert (inner == frame.within(recist, np.sqrt(2))).all()


@pytest.mark.parametrize(
    ("left", "top", "inside", "image"),
    [
        (2, 1, np.s_[0:3, 0:4], np.s_[1:4, 2:6]),
        (-1, -2, np.s_[2:3, 1:4], np.s_[0:1, 0:3]),
        (7, 8, np.s_[0:2, 0:3], np.s_[8:10, 7:10]),
    ],
)
def test_overlap(left, top, inside, image):
    assert Frame(left=left, top=top, width=4, height=3).overlap((10, 10)) == (inside, image)


@pytest.mark.parametrize(("left", "top"), [(-9, 3), (3, -9), (30, 3), (3, 30), (-9, 30)])
def test_a_frame_beside_the_image_overlaps_with_none_of_it(left, top):
    inside, image = Frame(left=left, top=top, width=4, height=3).overlap((10, 10))
    assert np.ones((3, 4))[inside].size == np.ones((10, 10))[image].size == 0
    assert np.ones((3, 4))[inside].shape == np.ones((10, 10))[image].shape


def test_distances_by_hand():
    frame = Frame.about(RECIST)
    axes, centre = frame.from_axes(RECIST), frame.from_centre(RECIST)
    at = lambda image, x, y: image[y - frame.top, x - frame.left]  # noqa: E731
    assert at(axes, 30, 32) == 0
    assert at(axes, 16, 29) == 5  # from the long axis' start, (20, 32)
    assert at(axes, 35, 27) == 3  # from the short axis, x = 32
    assert at(centre, 35, 28) == 5


class TestLowest:
    def test_ties_go_to_the_lower_tie_value_then_to_the_first(self):
        values = np.array([[1.0, 0, 1], [1, 1, 2]])
        ties = np.array([[3.0, 9, 1], [2, 1, 0]])
        assert lowest(values, ties, 2).tolist() == [[0, 1, 1], [0, 0, 0]]
        assert lowest(values, ties, 3).tolist() == [[0, 1, 1], [0, 1, 0]]

    def test_rounding_is_no_difference(self):
        assert lowest(np.array([1 + 1e-9, 1]), np.array([0.0, 1]), 1).tolist() == [True, False]

    @given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.data())
    def test_takes_as_many_as_it_is_told_and_none_is_higher_than_the_rest(self, numbers, data):
        values = np.array(numbers, float)
        count = data.draw(st.integers(0, len(values)))
        chosen = lowest(values, np.zeros(len(values)), count)
        assert chosen.sum() == count
        assert max(values[chosen], default=0) <= min(values[~chosen], default=9)
