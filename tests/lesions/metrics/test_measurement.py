import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesions.metrics import diameters, endpoints
from lesions.recist import Recist


def test_diameters_by_hand():
    truth = Recist([(0, 0), (10, 0), (5, -2), (5, 2)])
    predicted = Recist([(0, 1), (9, 1), (5, -4), (5, 2)])
    assert diameters(predicted, truth, (0.8, 0.5, 5)) == pytest.approx(
        {"long_axis_error": 0.8, "short_axis_error": 1.0}
    )


class TestEndpoints:
    def test_by_hand(self):
        truth = Recist([(0, 0), (10, 0), (5, -2), (5, 2)])
        predicted = Recist([(0, 3), (14, 3), (5, -4), (5, 2)])
        # Long axis: 3 and 5 away, 14 against 10 long; short axis: 2 and 0 away, 6 against 4.
        assert endpoints(predicted, truth) == pytest.approx(
            {"long_axis_location_error": 4, "long_axis_length_error": 4,
             "short_axis_location_error": 1, "short_axis_length_error": 2}
        )  # fmt: skip

    def test_an_axis_whose_ends_changed_places_is_no_error(self):
        # Both axes turned a little past where the canonical order swaps their ends.
        truth = Recist([(0.1, -9), (0, 9), (-4, 0.1), (4, 0)])
        predicted = Recist([(-0.1, -9), (0, 9), (-4, -0.1), (4, 0)])
        assert truth.points[0, 1] * predicted.points[0, 1] < 0
        assert truth.points[2, 0] * predicted.points[2, 0] < 0
        found = endpoints(predicted, truth)
        assert found["long_axis_location_error"] == pytest.approx(0.1)
        assert found["short_axis_location_error"] == pytest.approx(0.1)

    @given(
        st.lists(st.tuples(*[st.integers(-50, 50)] * 2), min_size=8, max_size=8, unique=True),
        st.tuples(*[st.integers(-50, 50)] * 2),
    )
    def test_symmetric_and_independent_of_place(self, points, shift):
        one, other = Recist(points[:4]), Recist(points[4:])
        found = endpoints(one, other)
        moved = [[1, 0, shift[0]], [0, 1, shift[1]]]
        assert endpoints(other, one) == pytest.approx(found)
        assert endpoints(one.transformed(moved), other.transformed(moved)) == pytest.approx(found)
        assert set(endpoints(one, one).values()) == {0}

    @given(st.lists(st.tuples(*[st.integers(-50, 50)] * 2), min_size=8, max_size=8, unique=True))
    def test_lengths_differ_by_no_more_than_the_ends_are_apart(self, points):
        found = endpoints(Recist(points[:4]), Recist(points[4:]))
        for axis in ("long_axis", "short_axis"):
            twice = 2 * found[f"{axis}_location_error"]
            assert found[f"{axis}_length_error"] <= twice + 1e-9
