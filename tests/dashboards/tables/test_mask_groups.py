"""Pseudo masks by kinds of lesions, and less one another: hand-computed."""

from dataclasses import replace

import pytest

from dashboards.pages.masks import render_masks
from dashboards.tables.masks import MaskTable, dice_cells, difference_cells
from tests.dashboards.pages.html_page import Page
from tests.dashboards.tables.test_mask_table import lesion, score, shown, table_of


@pytest.fixture(scope="module")
def phantom() -> MaskTable:
    """Two tissues, three patients; b is 0.1, 0.3 and −0.2 above a."""
    return table_of(
        lesion(1, {"a": score(0.5), "b": score(0.6)}),
        lesion(2, {"a": score(0.5), "b": score(0.8)}, patient="2"),
        lesion(3, {"a": score(0.9), "b": score(0.7)}, patient="3"),
        tissues={("1.png", 1): "rim in muscle", ("2.png", 2): "rim in muscle",
                 ("3.png", 3): "solid in fat"},
        against="a", tags={"truth": "exact masks of made lesions (phantom)"},
    )  # fmt: skip


def test_made_lesions_are_grouped_by_tissue(phantom: MaskTable) -> None:
    found = {
        tissue: (counts, {method: dice.mean for method, dice in means.items()})
        for tissue, (counts, means) in phantom.dice_by("tissue").items()
    }
    assert found == {
        "rim in muscle": ((2, 2), {"a": 0.5, "b": pytest.approx(0.7)}),
        "solid in fat": ((1, 1), {"a": 0.9, "b": 0.7}),
    }
    text = shown(phantom)
    assert "Pseudo masks against exact masks of made lesions (phantom)" in text
    assert "Dice by tissue" in text
    assert "Dice by lesion type" not in text
    assert "Mean Dice by tissue, with 95 % intervals" in Page(render_masks(phantom, {})).text


def test_differences_are_paired_and_drawn_by_patient(phantom: MaskTable) -> None:
    heading, rows = difference_cells(phantom)
    assert heading == ["Tissue", "n", "patients", "b"]
    # Of three patients a draw in 27 has one alone: the lowest and the highest are the ends.
    assert rows == [
        ["all", "3", "3", "+0.067 (-0.200 to +0.300)"],
        ["rim in muscle", "2", "2", "+0.200"],
        ["solid in fat", "1", "1", "-0.200"],
    ]
    assert "Dice less that of a" in shown(phantom)
    assert "Dice less that of a" in Page(render_masks(phantom, {})).text
    assert "Dice less" not in shown(replace(phantom, against=None))


def test_a_kinds_mean_has_its_interval_where_it_has_patients_enough() -> None:
    table = table_of(
        *(lesion(row, {"a": score(dice)}, patient=whose)
          for row, (dice, whose) in enumerate([(0.2, "1"), (0.4, "1"), (0.6, "2"), (0.8, "3")], 1)),
        lesion(9, {"a": score(0.5)}, lesion_type="liver"),
    )  # fmt: skip
    # Of three patients a draw in 27 has one alone: the lowest and the highest are the ends.
    assert dice_cells(table, "lesion_type") == (
        ["Lesion type", "n", "patients", "a"],
        [["lung", "4", "3", "0.500 (0.300 to 0.800)"], ["liver", "1", "1", "0.500"]],
    )
    assert "95% over 3 patients" in shown(table)
    assert table.metrics("a")["dice_low"] == pytest.approx(1.1 / 3), "of the first one's three"


def test_a_lesion_that_one_of_two_did_not_measure_is_in_no_difference() -> None:
    table = table_of(
        lesion(1, {"a": score(0.5), "b": score(0.6)}),
        lesion(2, {"a": score(0.5)}, failed={"b": "error"}, patient="2"), against="a",
    )  # fmt: skip
    assert difference_cells(table)[1][0] == ["all", "2", "2", "+0.100"]
    never = table_of(lesion(1, {"a": score(0.5)}, failed={"b": "error"}), against="a")
    assert difference_cells(never)[1][0][-1] == "–"
