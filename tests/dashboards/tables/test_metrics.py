"""What tables know of metrics: words, order, and which columns stand beside which paper."""

import math

import pytest

from dashboards.tables.comparison import columns_shown, in_words, paper_lines
from dashboards.tables.metrics import (
    METRICS,
    MOST_UNKNOWN,
    columns_of,
    metric_of,
    named_with_unit,
    reported_in,
    units_of,
)
from dashboards.tables.papers import paper_rows, shown_rows
from lesions.metrics.merit import DIAMETERS, ENDPOINTS, SEGMENTATION
from lesions.metrics.readers import LOCATIONS_MM

MASKS = ["Precision", "Recall", "Dice"]
HEADINGS = {
    "pdnet": [*MASKS, "Long axis error (mm)", "Short axis error (mm)"],
    "ahrnet": MASKS,
    "wsss": MASKS,
    "coseg": [*MASKS, "VS", "AVD (pixel)"],
    "stn_shn": [
        "Long axis location error (pixel)", "Long axis length error (pixel)",
        "Short axis location error (pixel)", "Short axis length error (pixel)",
    ],
}  # fmt: skip


@pytest.mark.parametrize("paper", HEADINGS)
def test_every_papers_table_1_has_its_columns(paper: str) -> None:
    lines = paper_lines(shown_rows(paper))
    assert list(columns_shown(lines).values()) == HEADINGS[paper]
    assert all(line.lesions for line in lines), "a whole data set, whose size the paper tells"


def test_units_are_the_papers() -> None:
    for paper in HEADINGS:
        for row in paper_rows(paper):
            for name, unit in row.units.items():
                assert metric_of(name).unit == ("" if unit == "fraction" else unit), name


def test_all_that_systems_report_is_known() -> None:
    assert set(METRICS) > {*SEGMENTATION, *DIAMETERS, *ENDPOINTS}
    assert {name for name in METRICS if METRICS[name].better == "lower"} == {
        "avd", "hd95_mm", "assd_mm", "ms", "missed", *DIAMETERS, *ENDPOINTS, *LOCATIONS_MM,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "heading", "measured"),
    [
        ("dice", "Dice", "Dice"),
        ("dice_3d", "Dice, 3D", "Dice, 3D"),
        ("dice_stage1", "Dice, stage 1", "Dice, stage 1"),
        ("dice_3d_stage2", "Dice, 3D, stage 2", "Dice, 3D, stage 2"),
        ("recall_fine_part", "Recall, fine part", "recall, fine part"),
        ("long_axis_error", "Long axis error (mm)", "long axis error (mm)"),
        ("long_axis_error_shn", "Long axis error, shn (mm)", "long axis error, shn (mm)"),
        ("worst_dice", "Worst Dice", "worst Dice"),
        ("worst_dice_stage2", "Worst Dice, stage 2", "worst Dice, stage 2"),
        ("worst_" * 40, "Worst " + "worst_" * 16 + "wor…", "worst " + "worst_" * 16 + "wor…"),
        ("fraction_dice_ge_0.80", "Dice ≥ 0.80", "share of lesions with Dice ≥ 0.80"),
        ("fraction_dice_gt_0.85", "Dice > 0.85", "share of lesions with Dice > 0.85"),
        ("fraction_dice_lt_0.85", "fraction_dice_lt_0.85", "fraction_dice_lt_0.85"),
        ("volume_change_r2", "volume_change_r2", "volume_change_r2"),
        ("dicey", "dicey", "dicey"),
        ("\x1b[2J", "?[2J", "?[2J"),
        ("x" * 500, "x" * 99 + "…", "x" * 99 + "…"),
    ],
)
def test_words_of_a_metric(name: str, heading: str, measured: str) -> None:
    assert (metric_of(name).heading, metric_of(name).measured) == (heading, measured)


def test_ours_and_the_papers_in_one_order() -> None:
    ours = ["made_up", "short_axis_error", "vs", "dice", "avd"]
    assert list(columns_of(ours)) == ["dice", "vs", "avd", "short_axis_error", "made_up"]
    assert list(columns_of(ours, ["recall", "dice"])) == [
        "recall", "dice", "short_axis_error", "made_up",
    ]  # fmt: skip
    assert list(columns_of(ours, ["vs"])) == ["dice", "vs", "short_axis_error", "made_up"]
    assert "avd" in columns_of(ours, ["dice"], merit="avd")
    assert columns_of([], []) == {}


def test_unknown_metrics_are_bounded() -> None:
    assert len(columns_of([f"made_{n}" for n in range(500)])) == MOST_UNKNOWN


def test_a_metric_over_lesions_is_known_or_has_a_deviation() -> None:
    metrics = {"test_n": 3.0, "dice": 0.5, "dice_std": 0.1, "dice_n": 2.0, "own": 1, "own_std": 2}
    assert reported_in(metrics) == ["dice", "own"]


def test_a_lesions_metric_in_words() -> None:
    assert in_words("dice", 0.91249) == "Dice 0.912"
    assert in_words("long_axis_length_error", 3.25) == "Long axis length error 3.2 pixel"
    assert in_words("own", 12.0) == "own 12.000"
    assert in_words("dice", None) == in_words("dice", math.nan) == "Dice –"


def test_units_are_told_of_metrics_that_have_one() -> None:
    names = ("dice", "avd", "long_axis_error", "own")
    assert units_of(names) == "avd pixel, long_axis_error mm"
    assert [named_with_unit(name) for name in (*names, "long_axis_mm")] == [
        "dice", "avd_pixel", "long_axis_error_mm", "own", "long_axis_mm",
    ]  # fmt: skip
    assert named_with_unit("stage2_avd", "stage2_") == "stage2_avd_pixel"
