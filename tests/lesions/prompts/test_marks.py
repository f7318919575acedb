"""The marks: as annotated, or each axis off by its own error."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesions import InputError
from lesions.lesion import Lesion
from lesions.prompts import Marks, TellMarks
from lesions.recist import Recist
from tests.lesions.prompts.marked import ENDS, SHAPE, lesion, lesions


def lengths(recist: Recist):
    return np.hypot(*(recist.points[1::2] - recist.points[::2]).T)


@given(lesions)
def test_without_noise_they_are_the_annotation(one: Lesion):
    told = TellMarks().of(one)
    assert told.recist is one.recist
    assert told == Marks.from_points(told.points)
    assert told.middle == tuple(one.recist.centre)
    told.check_on(SHAPE)


@given(lesions, st.floats(0.01, 0.9))
def test_noise_is_a_factor_per_axis_about_the_crossing(one: Lesion, noise: float):
    told = TellMarks(noise=noise).of(one)
    assert told == TellMarks(noise=noise).of(one)
    factors = lengths(told.recist) / lengths(one.recist)
    assert np.abs(factors - 1).max() <= noise * (1 + 1e-9)
    assert factors[0] != factors[1]
    # Every endpoint stays on its ray from the crossing, and keeps its place in the order.
    centre = one.recist.centre
    expected = centre + (one.recist.points - centre) * factors.repeat(2)[:, None]
    np.testing.assert_allclose(told.points, expected, atol=1e-9)
    assert told == Marks.from_points(told.points[[1, 0, 3, 2]])


def test_noise_is_spread_over_all_that_is_allowed():
    one = Recist([(20, 30), (60, 30), (40, 25), (40, 35)])
    told = [TellMarks(noise=0.2).of(lesion(one, row=row)) for row in range(1, 2001)]
    factors = np.array([lengths(marks.recist) / (40, 10) for marks in told])
    for found in factors.T:
        share, _ = np.histogram(found, bins=8, range=(0.8, 1.2))
        assert share.sum() == 2000
        assert np.abs(share - 250).max() < 5 * np.sqrt(250)
    assert abs(np.corrcoef(factors.T)[0, 1]) < 5 / np.sqrt(2000)
    assert all(marks.middle == pytest.approx((40, 30)) for marks in told)


def test_what_is_told_is_said():
    assert TellMarks().words == ("the RECIST marks",)
    assert TellMarks(noise=0.2).words == ("the RECIST marks, each axis off by up to 20%",)


@pytest.mark.parametrize("noise", [-0.1, 1, 1.5, float("nan")])
def test_noise_that_could_take_an_axis_away(noise):
    with pytest.raises(ValueError, match="a fraction of its length"):
        TellMarks(noise=noise)


def test_an_axis_without_length_has_a_remedy():
    said = r"a RECIST axis has zero length: .* \(say X1,Y1,X2,Y2,X3,Y3,X4,Y4 in pixels\)"
    with pytest.raises(InputError, match=said):
        Marks.from_points([(1, 2), (1, 2), (3, 4), (5, 6)])


@pytest.mark.parametrize("end", [(-0.5, 30), (79.5, 30), (20, -0.5), (20, 59.5)])
def test_marks_up_to_the_pixels_edges(end):
    """As far out a mask's own outline runs."""
    Marks.from_points([end, *ENDS[1:]]).check_on(SHAPE)


@pytest.mark.parametrize("end", [(-0.75, 30), (80, 30), (20, -1), (20, 60)])
def test_marks_beside_the_slice(end):
    marks = Marks.from_points([end, *ENDS[1:]])
    said = f"the marks {marks.written} lie outside its 80 × 60 pixels"
    with pytest.raises(InputError, match=re.escape(said)):
        marks.check_on(SHAPE)
