"""How rows of ours differ: which are compared, and what is said of it."""

from dataclasses import replace

import pytest

from dashboards.tables.differences import (
    Difference,
    difference_notes,
    differences,
    seeds_in_words,
)
from dashboards.tables.results import Result
from lesions.metrics.paired import Measured, Which, paired
from lesions.metrics.summary import Mean

COLUMNS = ("dice", "long_axis_error")


def lesions(values: dict[int, list[float]]) -> Measured:
    """A patient each."""
    return {
        seed: {Which(f"p{at}", "a", "1"): value for at, value in enumerate(row)}
        for seed, row in values.items()
    }


def result(
    method: str, dice: float, error: float = 3.0, subgroup: str = "all", data: str = "here"
) -> Result:
    return Result(
        method=method, subgroup=subgroup, data=data, lesions=2, patients=2,
        values={"dice": Mean(dice, 0.0), "long_axis_error": Mean(error, 0.0)},
        single={"dice": lesions({0: [dice] * 2}), "long_axis_error": lesions({0: [error] * 2})},
    )  # fmt: skip


def difference(metric: str, first: dict[int, list[float]], count: int = 9) -> Difference:
    """From 0.5 of each of as many lesions."""
    other = lesions({seed: [0.5] * count for seed in first})
    return Difference(method="b", against="a", measured_on="here", metric=metric,
                      found=paired(lesions(first), other))  # fmt: skip


def test_each_row_less_the_one_above_and_the_first() -> None:
    rows = [result("a", 0.5), result("b", 0.6, 2.0), result("c", 0.8)]
    found = {(one.method, one.against, one.metric): one.found.difference
             for one in differences(rows, COLUMNS)}  # fmt: skip
    assert found == pytest.approx({
        ("b", "a", "dice"): 0.1, ("b", "a", "long_axis_error"): -1.0,
        ("c", "b", "dice"): 0.2, ("c", "b", "long_axis_error"): 1.0,
        ("c", "a", "dice"): 0.3, ("c", "a", "long_axis_error"): 0.0,
    })  # fmt: skip


def test_rows_of_other_lesions_are_not_compared() -> None:
    rows = [
        result(method, 0.5, subgroup=kind, data=data)
        for data in ("here", "there") for kind in ("lung", "liver") for method in ("a", "b")
    ]  # fmt: skip
    found = differences(rows, ["dice"])
    assert [one.measured_on for one in found] == [
        "here, lung", "here, liver", "there, lung", "there, liver",
    ]  # fmt: skip
    assert {(one.method, one.against) for one in found} == {("b", "a")}


def test_a_column_that_one_row_lacks_is_left_out() -> None:
    whole = result("b", 0.5)
    without = replace(whole, values={"dice": whole.values["dice"]})
    found = differences([result("a", 0.5), without], COLUMNS)
    assert [one.metric for one in found] == ["dice"]


@pytest.mark.parametrize(
    ("metric", "first", "verdict"),
    [
        ("dice", {0: [0.6] * 9}, "▲ better"),
        ("dice", {0: [0.4] * 9}, "▼ worse"),
        ("long_axis_error", {0: [0.4] * 9}, "▲ better"),
        ("long_axis_error", {0: [0.6] * 9}, "▼ worse"),
        ("dice", {0: [0.6] * 5 + [0.4] * 4}, "not told apart"),
        ("dice", {0: [0.9] * 9, 1: [0.4] * 9}, "▲ better, not with every seed"),
    ],
)
def test_the_verdict(metric: str, first: dict[int, list[float]], verdict: str) -> None:
    assert difference(metric, first).verdict == verdict


def test_the_cells() -> None:
    one = difference("dice", {0: [0.625] * 9, 1: [0.25] * 9})
    assert one.cells == ("−0.062", "−0.062 … −0.062", "+0.125 −0.250")
    alone = difference("dice", {0: [0.75]}, count=1)
    assert alone.cells == ("+0.250", "–", "+0.250")
    assert alone.verdict == "not told apart"
    nothing = difference("dice", {0: [float("nan")]}, count=1)
    assert nothing.cells == ("–", "–", "–")


def test_few_seeds_or_patients_are_no_finding() -> None:
    three = {seed: [0.6] * 9 for seed in range(3)}
    assert not any(
        "not a finding" in x for x in difference_notes([difference("dice", three)], [0, 1, 2])
    )
    few = {seed: [0.6] * 4 for seed in range(3)}
    notes = " ".join(difference_notes([difference("dice", few, count=4)], [0, 1, 2]))
    assert "This is not a finding" in notes
    assert "here are 3 and 4" in notes
    notes = " ".join(difference_notes([difference("dice", {0: [0.6] * 9})], [0]))
    assert "here are 1 and 9" in notes
    assert not list(difference_notes([], [0]))


def test_lesions_that_are_left_out_are_said() -> None:
    notes = list(difference_notes([difference("dice", {0: [0.6] * 7})], [0]))
    assert notes[-1] == (
        "b less a, Dice, on here: 2 lesions that one of the two lacks are left out, 7 are compared."
    )


def test_seeds_in_words() -> None:
    assert seeds_in_words([4]) == "one seed (4)"
    assert seeds_in_words([0, 1, 2]) == "the seeds 0, 1 and 2"
