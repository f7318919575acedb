import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesions.recist import Recist

CROSS = Recist([(0, 0), (10, 0), (4, -3), (4, 1)])
APART = Recist([(0, 0), (10, 0), (3, 1), (3, 5)])

eighths = st.integers(0, 4000).map(lambda n: n / 8)
recists = (
    st.lists(st.tuples(eighths, eighths), min_size=4, max_size=4)
    .filter(lambda p: p[0] != p[1] and p[2] != p[3])
    .map(Recist)
)
spacings = st.tuples(st.floats(0.3, 2), st.floats(0.3, 2))
parts = st.floats(0, 0.999)


def half_long(recist, spacing):
    return recist.diameters_mm(spacing)[0] / 2


def test_by_hand():
    # a = 5 mm: three away, four fifths are left; the axes cross at (4, 0).
    expected = [[0.8, 0], [8.8, 0], [4, -2.4], [4, 0.8]]
    np.testing.assert_allclose(CROSS.at_offset(3, (1, 1)).points, expected)


def test_spacing_decides_how_far_three_mm_are():
    # The long axis runs along x: a = 10 mm of 2 mm pixels, whatever y says.
    expected = CROSS.at_offset(3, (1, 1))
    np.testing.assert_allclose(CROSS.at_offset(6, (2, 0.5, 5)).points, expected.points)


def test_axes_that_do_not_cross_shrink_about_the_endpoints_mean():
    np.testing.assert_allclose(APART.centre, [4, 1.5])
    expected = [[0.8, 0.3], [8.8, 0.3], [3.2, 1.1], [3.2, 4.3]]
    np.testing.assert_allclose(APART.at_offset(3, (1, 1)).points, expected)


@pytest.mark.parametrize("mm", [5, -5, 5.1, 1e300, np.inf, -np.inf])
def test_there_is_none_where_the_ball_has_ended(mm):
    assert CROSS.at_offset(mm, (1, 1)) is None


def test_the_last_trace_of_the_ball_is_a_measurement_or_none():
    tiny = Recist([(500, 500), (600, 500), (550, 500), (550, 500 + 1e-6)])
    assert tiny.at_offset(np.nextafter(50, 0), (1, 1)) is None
    assert CROSS.at_offset(np.nextafter(5, 0), (1, 1)).diameters_mm((1, 1))[0] < 1e-6


@given(recists, spacings)
def test_on_the_key_slice_nothing_changes(recist, spacing):
    assert recist.at_offset(0, spacing) == recist


@given(recists, spacings, parts)
def test_both_sides_are_alike(recist, spacing, part):
    mm = part * half_long(recist, spacing)
    assert recist.at_offset(mm, spacing) == recist.at_offset(-mm, spacing)


@given(recists, spacings, parts)
def test_both_axes_shrink_by_the_balls_profile_and_the_centre_stays(recist, spacing, part):
    a = half_long(recist, spacing)
    shrunk = recist.at_offset(part * a, spacing)
    expected = np.sqrt(1 - part**2) * np.array(recist.diameters_mm(spacing))
    np.testing.assert_allclose(shrunk.diameters_mm(spacing), expected, rtol=1e-6)
    offsets = (shrunk.points - recist.centre, recist.points - recist.centre)
    np.testing.assert_allclose(offsets[0], np.sqrt(1 - part**2) * offsets[1], atol=1e-9)


@given(recists, spacings, parts, parts)
def test_further_away_it_is_no_larger(recist, spacing, first, second):
    near, far = sorted((first, second))
    a = half_long(recist, spacing)
    nearer, further = (recist.at_offset(part * a, spacing) for part in (near, far))
    lengths = zip(nearer.diameters_mm(spacing), further.diameters_mm(spacing), strict=True)
    assert all(x >= y - 1e-9 for x, y in lengths)


def test_refuses_what_is_no_offset_or_no_spacing():
    with pytest.raises(ValueError, match="offset"):
        CROSS.at_offset(np.nan, (1, 1))
    with pytest.raises(ValueError, match="spacing"):
        CROSS.at_offset(1, (0, 1))
