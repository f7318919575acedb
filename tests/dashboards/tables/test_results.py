"""Ours for a row of a paper's table: hand-computed from lesions, parts and seeds."""

import math

import pytest

from dashboards.tables.results import summarised
from lesions.metrics.paired import Which

STAGES = {
    "dice_stage1": ("stage1", "dice"),
    "dice_stage2": ("stage2", "dice"),
    "long_axis_error": ("stage2", "long_axis_error"),
}


def lesion(dice: float, error: float, kind: str = "lung") -> dict[str, object]:
    return {"dice": dice, "long_axis_error": error, "lesion_type": kind, "file": "a.png"}


MEASURED = {
    "stage1": [lesion(0.5, 9.0), lesion(0.7, 9.0, "liver")],
    "stage2": [lesion(0.8, 1.0), lesion(0.9, float("nan"), "liver")],
}


def test_a_row_takes_each_column_from_its_part() -> None:
    row = summarised("base", "all", "here", STAGES, {0: MEASURED})
    assert row.lesions == 2
    assert row.values["dice_stage1"][:2] == pytest.approx((0.6, 0.1))
    assert row.values["dice_stage2"][:2] == pytest.approx((0.85, 0.05))
    assert row.values["long_axis_error"][:2] == pytest.approx((1.0, 0.0)), "NaN is left out"
    assert row.metrics["dice_stage1_std"] == pytest.approx(0.1)
    assert row.metrics["test_n"] == 2


def test_a_subgroup_is_a_lesion_type() -> None:
    row = summarised("base", "liver", "here", STAGES, {0: MEASURED})
    assert row.lesions == 1
    assert row.values["dice_stage2"][:2] == (0.9, 0.0)
    assert "long_axis_error" not in row.values
    assert summarised("base", "kidney", "here", STAGES, {0: MEASURED}).values == {}


def test_nothing_measured_is_a_row_of_dashes() -> None:
    row = summarised("base", "all", "here", STAGES, {0: {"stage1": [], "stage2": []}})
    assert (row.lesions, row.values) == (0, {})


def test_several_seeds_are_pooled_and_kept_apart() -> None:
    """The mean is over lesions and seeds, the deviation that of a lesion with a seed."""
    columns = {"dice": ("", "dice")}
    rows = {
        seed: {"": [{"dice": one, "patient": "p", "file": "a", "row": at}
                    for at, one in enumerate(values)]}
        for seed, values in {3: [0.2, 0.4], 5: [0.6, None]}.items()
    }  # fmt: skip
    row = summarised("base", "all", "here", columns, rows)
    assert row.lesions == 2
    assert row.values["dice"][:2] == pytest.approx((0.4, math.sqrt(0.08 / 3)))
    assert row.metrics == pytest.approx(
        {"dice": 0.4, "dice_std": math.sqrt(0.08 / 3), "dice_n": 3, "test_n": 2,
         "test_patients": 1, "dice_seed3": 0.3, "dice_seed5": 0.6}
    )  # fmt: skip
    assert row.single["dice"][3] == {Which("p", "a", "0"): 0.2, Which("p", "a", "1"): 0.4}
    assert math.isnan(row.single["dice"][5]["p", "a", "1"])


def test_one_seed_has_no_numbers_of_its_own() -> None:
    row = summarised("base", "all", "here", STAGES, {0: MEASURED})
    assert not [name for name in row.metrics if "seed" in name]


def test_it_has_an_interval_over_patients_and_says_what_was_trained_on() -> None:
    """Three patients: a draw in 27 has one alone, and their own means are the ends."""
    columns = {"dice": ("", "dice"), "avd": ("", "avd")}
    rows = [
        {"dice": dice, "avd": avd, "patient": whose, "file": "a", "row": at, "trained_on": word}
        for at, (dice, avd, whose, word) in enumerate(
            [(0.2, 3.0, "a", "no"), (0.4, None, "a", "no"), (0.6, 4.0, "b", "pixels"),
             (0.9, None, "c", "no")]
        )
    ]  # fmt: skip
    row = summarised("base", "all", "here", columns, {0: {"": rows}})
    assert (row.lesions, row.patients) == (4, 3)
    assert row.values["dice"].interval == pytest.approx((0.3, 0.9))
    assert (row.values["avd"].lacking, row.values["avd"].of) == (2, 4)
    assert row.values["avd"].interval is None, "of two patients"
    assert row.metrics["dice_low"] == pytest.approx(0.3)
    assert (row.metrics["avd_n"], row.metrics["test_patients"]) == (2, 3)
    (leak,) = row.leaks
    assert leak.startswith("LEAK: 1 of 4 lesions lie on slices")
