"""The merit that a run says it was judged by, whatever the run says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.recorded.merits import merit_of
from lesions.metrics.merit import DICE, Merit


@pytest.mark.parametrize(
    ("tags", "name", "better"),
    [
        ({}, "dice", "higher"),
        ({"lesion.merit": "vs", "lesion.better": "higher"}, "vs", "higher"),
        ({"lesion.merit": "long_axis_error", "lesion.better": "lower"}, "long_axis_error", "lower"),
        ({"lesion.merit": "own", "lesion.better": "lower"}, "own", "lower"),
        # No direction, or none that there is: the metric's own.
        ({"lesion.merit": "long_axis_error"}, "long_axis_error", "lower"),
        ({"lesion.merit": "long_axis_error", "lesion.better": "LOWER"}, "long_axis_error", "lower"),
        ({"lesion.merit": "own", "lesion.better": "\x1b[2J"}, "own", "higher"),
        # No metric's name: Dice, whatever the direction.
        ({"lesion.merit": "", "lesion.better": "lower"}, "dice", "higher"),
        ({"lesion.merit": "a b", "lesion.better": "lower"}, "dice", "higher"),
        ({"lesion.merit": "x" * 101, "lesion.better": "lower"}, "dice", "higher"),
        ({"lesion.merit": "dice\n", "lesion.better": "lower"}, "dice", "higher"),
    ],
)
def test_the_two_words(tags: dict[str, str], name: str, better: str) -> None:
    merit = merit_of(tags)
    assert (merit.name, merit.better) == (name, better)


@given(st.text(), st.text())
def test_no_text_stops_it(name: str, better: str) -> None:
    merit = merit_of({"lesion.merit": name, "lesion.better": better})
    assert merit == DICE or merit.name == name
    assert merit.better in ("higher", "lower")


@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_the_best_ranks_first_and_nothing_last(values: list[float]) -> None:
    for merit, best in ((DICE, max(values)), (Merit(name="e", better="lower"), min(values))):
        assert min(values, key=merit.rank) == best
        assert all(merit.rank(x) <= merit.rank(None) == merit.rank(float("nan")) for x in values)
