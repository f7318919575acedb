"""What was measured, by the size of lesions."""

import math
from typing import Any

from dashboards.tables.comparison import MISSING
from dashboards.tables.sizes import by_size, size_cells, size_metrics


def row(patient: int, long: float, dice: float, hd95: float = 1.0) -> dict[str, Any]:
    return {"patient": f"P{patient}", "long_axis_mm": long, "dice": dice, "hd95_mm": hd95}


ROWS = [row(1, 9.99, 0.5, math.nan), row(2, 9.0, 0.7), row(3, 10.0, 0.9, 3.0), row(3, 30.0, 0.9)]


def test_classes_begin_with_their_lower_limit_and_empty_ones_are_left_out() -> None:
    assert {size: len(rows) for size, rows in by_size(ROWS).items()} == {
        "under 10 mm": 2, "10 to 20 mm": 1, "30 mm and more": 1,
    }  # fmt: skip


def test_a_column_each_size_and_how_many_lack_a_distance() -> None:
    heading, cells = size_cells(ROWS, ["dice"])
    assert heading == ["Metric", "all", "under 10 mm", "10 to 20 mm", "30 mm and more"]
    assert cells[:2] == [["lesions", "4", "2", "1", "1"], ["patients", "3", "2", "1", "1"]]
    assert [one[0] for one in cells[2:]] == ["Dice", "HD95 (mm)"]
    dice, hd95 = cells[2], cells[3]
    assert dice[1].startswith("0.750 (")
    assert dice[3:] == ["0.900", "0.900"], "one patient tells no interval"
    assert hd95[2] == "1.000, of 1"
    assert hd95[1].endswith(", of 3")
    assert size_cells([row(1, 5, 0.5, math.nan)], ["dice"])[1][3][1] == MISSING


def test_rows_without_marks_are_in_the_first_column_alone() -> None:
    heading, cells = size_cells([{"patient": "P", "dice": 0.5}], ["dice"])
    assert (heading, cells[-1]) == (["Metric", "all"], ["Dice", "0.500"])


def test_the_same_for_mlflow() -> None:
    found = size_metrics(ROWS, ["dice"])
    assert found["hd95_mm"] == 5 / 3
    assert found["hd95_mm_n"] == 3
    assert (found["n_under_10_mm"], found["dice_under_10_mm"]) == (2, 0.6)
    assert found["hd95_mm_under_10_mm_n"] == 1
    assert "dice" not in found, "the whole's is told already"
    assert "hd95_mm_30_mm_and_more" in found


def test_patients_that_are_all_alike_tell_no_interval() -> None:
    cells = size_cells([row(patient, 5, 0.5) for patient in range(3)], ["dice"])[1]
    assert cells[2] == ["Dice", "0.500", "0.500"]
