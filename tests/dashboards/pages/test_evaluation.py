"""An evaluation beside the paper's tables: hand-computed rows, in the terminal, page and CSV."""

import csv
import io
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dashboards.pages.evaluation import (
    Evaluation,
    print_evaluation,
    render_evaluation,
)
from dashboards.pages.lesion_rows import write_lesions
from lesions.metrics.merit import DIAMETERS, DICE, ENDPOINTS, SEGMENTATION, Merit
from lesions.metrics.summary import Mean


def row(index: int, dice: float, kind: str, **more: Any) -> dict[str, Any]:
    measured = {"precision": 1.0, "recall": dice, "dice": dice, "vs": dice,
                "long_axis_error": 2.0, "short_axis_error": 1.0}  # fmt: skip
    diameters = {
        f"{way}_{axis}_mm": math.nan if way == "marks" else 10.0
        for way in ("heat_maps", "predicted_mask", "human_mask", "marks")
        for axis in ("long", "short")
    }
    return {
        "set": 0, "index": index, "file": f"p{index}_001", "row": 1, "patient": f"p{index}",
        "lesion_type": kind, "truth": "human", "found": True, "mask": b"", "endpoints": None,
        **measured, **{f"stage2_{name}": value / 2 for name, value in measured.items()},
        **diameters, **more,
    }  # fmt: skip


ROWS = [
    row(0, 0.5, "lung", heat_maps_long_mm=13.0),
    row(2, 0.9, "lymph_node", found=False, predicted_mask_long_mm=math.nan,
        predicted_mask_short_mm=math.nan),
    row(0, 0.7, "lung", set=1, heat_maps_long_mm=9.0, endpoints=[[1, 2], [3, 4], [5, 6], [7, 8]]),
]  # fmt: skip
ASIDE = [{"set": 0, "index": 1, "file": "p1_001", "row": 1, "patient": "p1",
          "lesion_type": "lung", "reason": "InputError: <torn>"}]  # fmt: skip
VIEW = Evaluation(
    name="evening", paper="pdnet", method="PDNet",
    reported=(*SEGMENTATION, *DIAMETERS), alone="stage2", told="the size", sets=["a", "b"],
    data="a, 3 test slices; b, 1 test slices", truth="human masks", rows=ROWS, aside=ASIDE,
    tags={"protocol": "Both stages.", "git_commit": "abc"},
)  # fmt: skip


def test_lines_by_set_stage_and_category() -> None:
    ours = [line for line in VIEW.lines() if line.source == "ours"]
    assert [(line.measured_on, line.lesions) for line in ours] == [
        ("2 sets together", 3), ("a", 2), ("b", 1), ("2 sets together; told the size", 3),
    ]  # fmt: skip
    assert ours[0].values["dice"][:2] == pytest.approx((0.7, math.sqrt(0.08 / 3)))
    assert ours[0].values["missed"] == Mean(1.0)
    assert ours[1].values["dice"][0] == pytest.approx(0.7)
    assert ours[3].values["dice"][0] == pytest.approx(0.35)
    assert ours[3].method == "PDNet, ours, stage 2 alone"
    kinds = [line for line in VIEW.category_lines() if line.source == "ours"]
    assert [(line.measured_on, line.lesions) for line in kinds] == [("lung", 2), ("lymph node", 1)]
    assert kinds[0].values["dice"][0] == pytest.approx(0.6)
    assert len(VIEW.lines()) == 4 + 7
    assert len(VIEW.category_lines()) == 2 + 10


def test_metrics_for_mlflow() -> None:
    metrics = VIEW.metrics()
    assert (metrics["test_patients"], metrics["patients_lung"]) == (2, 1)
    assert metrics["dice"] == pytest.approx(0.7)
    assert (metrics["test_n"], metrics["failed"], metrics["missed"]) == (3, 1, 1)
    assert metrics["stage2_dice"] == pytest.approx(0.35)
    assert (metrics["dice_lung"], metrics["n_lung"]) == (pytest.approx(0.6), 2)
    assert metrics["missed_lymph_node"] == 1
    assert metrics["long_heat_maps_minus_human_mask_median_mm"] == 0
    assert metrics["long_heat_maps_minus_human_mask_mean_mm"] == pytest.approx(2 / 3)
    assert metrics["long_heat_maps_minus_human_mask_abs_mm"] == pytest.approx(4 / 3)
    assert metrics["long_predicted_mask_minus_human_mask_n"] == 2
    assert all(map(math.isfinite, metrics.values()))


@pytest.mark.parametrize("width", [80, 160])
def test_the_terminal(width: int) -> None:
    out = io.StringIO()
    print_evaluation(VIEW, Console(file=out, width=width))
    shown = " ".join(out.getvalue().split())
    assert shown.index("PDNet, Table 1: evening") < shown.index("By category, Table 2")
    for said in ("0.924", "0.876", "1 of 3 lesions were not found",
                 "1 lesions could not be measured", "No diameters from the predicted mask: 1 of 3",
                 "3 of 3 lesions have no RECIST marks of their own"):  # fmt: skip
        assert said in shown
    assert "The worst: Dice 0.500, a: p0_001, row 1." in shown
    line = shown.split("heat maps − human mask")[1]
    assert line.split()[:5] == ["long", "3", "+0.0", "+0.7", "1.3"]
    assert max(map(len, out.getvalue().splitlines())) <= width


def test_the_page() -> None:
    assert [row["dice"] for row in VIEW.shown()] == [0.9, 0.7, 0.5]
    html = render_evaluation(VIEW, [(VIEW.shown()[0], b"png")])
    for said in ("InputError: &lt;torn&gt;", "0.924 ± 0.045", "external test set, lymph node",
                 "told the size", "Not found</th>", "data:image/png;base64,cG5n",
                 "Dice 0.900"):  # fmt: skip
        assert said in html
    assert html == render_evaluation(VIEW, [(VIEW.shown()[0], b"png")])


def test_the_histogram_has_a_line_a_set_and_one_of_all() -> None:
    plot = VIEW.histogram()
    assert plot is not None
    assert plot.title == "Dice over the lesions of 2 sets together"
    assert [name in plot.svg for name in (">all<", ">1. a<", ">2. b<")] == [True] * 3
    assert "all: lowest 0.500, half of the lesions reach 0.70" in plot.description
    assert "2. b: lowest 0.700, half of the lesions reach 0.70" in plot.description
    assert f'aria-label="{plot.description}"' in render_evaluation(VIEW, [])
    one = replace(VIEW, sets=["a"], rows=ROWS[:2]).histogram()
    assert one is not None
    assert "PDNet: lowest 0.500" in one.description
    unmeasured = replace(VIEW, rows=[ROWS[0] | {"dice": math.nan}])
    assert (unmeasured.histogram(), unmeasured.worst()) == (None, None)
    assert LOCATED.histogram() is None, "an error is no share"
    assert LOCATED.worst() == LOCATED.rows[0], "its greatest error"


def test_every_lesion_is_in_the_csv(tmp_path: Path) -> None:
    write_lesions(VIEW, tmp_path / "lesions.csv")
    with (tmp_path / "lesions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(one["data"], one["file"]) for one in rows] == [
        ("a", "p0_001"), ("a", "p1_001"), ("a", "p2_001"), ("b", "p0_001"),
    ]  # fmt: skip
    assert rows[1]["reason"] == "InputError: <torn>"
    assert rows[0]["heat_maps_long_mm"] == "13.0"
    assert rows[2]["predicted_mask_long_mm"] == ""
    assert rows[3]["endpoints"].startswith("1.000 2.000 3.000")


def test_a_columns_name_has_its_unit(tmp_path: Path) -> None:
    write_lesions(VIEW, tmp_path / "lesions.csv")
    heading = (tmp_path / "lesions.csv").read_text().partition("\n")[0].strip().split(",")
    assert {"long_axis_error_mm", "stage2_short_axis_error_mm", "dice", "stage2_dice", "patient",
            "heat_maps_long_mm"} < set(heading)  # fmt: skip
    assert not {"long_axis_error", "stage2_short_axis_error"} & set(heading)
    write_lesions(LOCATED, tmp_path / "located.csv")
    assert f"{ENDPOINTS[0]}_pixel" in (tmp_path / "located.csv").read_text()


def test_intervals_are_over_patients() -> None:
    """The fourth of four lesions is of the first one's patient, so that there are three."""
    rows = [row(0, 0.5, "lung"), row(1, 0.7, "lung"), row(2, 0.9, "liver"),
            row(3, 0.3, "lung", patient="p0")]  # fmt: skip
    view = replace(VIEW, sets=["a"], rows=rows, alone="")
    whole, lung, liver = view.lines()[0], *view.category_lines()[:2]
    # A draw in 27 of three patients has one alone: (0.5 + 0.3) / 2 and 0.9 are the ends.
    assert whole.values["dice"].interval == pytest.approx((0.4, 0.9))
    assert whole.below("dice") == ["0.400 to 0.900"]
    assert whole.below("precision") == [], "all alike"
    assert [one.whose for one in (whole, lung, liver)] == [
        "95% over 3 patients", "no interval: 2 patients", "no interval: 1 patient",
    ]  # fmt: skip
    metrics = view.metrics()
    assert (metrics["dice_low"], metrics["dice_high"]) == pytest.approx((0.4, 0.9))
    assert "dice_low_lung" not in metrics
    html = render_evaluation(view, [])
    assert '<span class="below">of 3 patients</span>' in html
    assert '<span class="below">0.400 to 0.900</span>' in html


def located(index: int, error: float, kind: str, **more: Any) -> dict[str, Any]:
    """The row of a system that segments nothing and predicts endpoints."""
    errors = {name: error / (n + 1) for n, name in enumerate(ENDPOINTS)}
    diameters = {
        f"{way}_{axis}_mm": math.nan if way == "marks" else 10.0 + index
        for way in ("heat_maps", "human_mask", "marks")
        for axis in ("long", "short")
    }
    return {
        "set": 0, "index": index, "file": f"p{index}_001", "row": 1, "patient": f"p{index}",
        "lesion_type": kind, "truth": "human", "found": True, "mask": None, "endpoints": None,
        **errors, **diameters, **more,
    }  # fmt: skip


LOCATED = Evaluation(
    name="noon", paper="", method="Locator", reported=ENDPOINTS,
    merit=Merit(name="long_axis_location_error", better="lower"), sets=["a"],
    data="a, 3 test slices", truth="RECIST marks",
    rows=[
        located(0, 8.0, "lung"),
        located(1, math.nan, "liver", heat_maps_long_mm=math.nan, heat_maps_short_mm=math.nan),
        located(2, 2.0, "lung"),
    ],
    aside=[],
)  # fmt: skip


def test_a_system_that_segments_nothing() -> None:
    (line,) = LOCATED.lines()
    assert (line.method, line.measured_on, line.lesions) == ("Locator, ours", "a", 3)
    assert {name: one[:2] for name, one in line.values.items()} == {
        "long_axis_location_error": (5.0, 3.0),
        "long_axis_length_error": (2.5, 1.5),
        "short_axis_location_error": pytest.approx((5 / 3, 1.0)),
        "short_axis_length_error": (1.25, 0.75),
        "missed": (0.0, None),
    }
    assert line.below("long_axis_location_error") == ["1 of 3 missed"]
    assert list(LOCATED.columns(LOCATED.lines()))[-1] == "missed"
    assert [row["index"] for row in LOCATED.shown()] == [2, 0, 1], "the least error first"
    metrics = LOCATED.metrics()
    assert (metrics["long_axis_location_error"], metrics["test_n"]) == (5.0, 3)
    assert metrics["long_axis_location_error_lung"] == 5.0
    assert "long_axis_location_error_liver" not in metrics
    assert not any("dice" in name or "predicted_mask" in name for name in metrics)
    assert metrics["long_heat_maps_minus_human_mask_n"] == 2


@pytest.mark.parametrize("width", [80, 160])
def test_it_in_the_terminal(width: int) -> None:
    out = io.StringIO()
    print_evaluation(LOCATED, Console(file=out, width=width))
    shown = " ".join(out.getvalue().split())
    assert shown.startswith("Locator: noon ")
    assert "By category Long" in shown
    assert "Table" not in shown
    assert "the paper" not in shown
    assert "predicted mask" not in shown
    assert "Ours was measured on a, 3 test slices, against RECIST marks." in shown
    assert "No diameters from the heat maps: 1 of 3 lesions." in shown
    assert max(map(len, out.getvalue().splitlines())) <= width


def test_it_on_a_page_with_and_without_its_paper() -> None:
    pictures = [(row, b"png") for row in LOCATED.shown()]
    html = render_evaluation(LOCATED, pictures)
    for said in ("<h1>Locator ", "Long axis location error 2.0 pixel</strong>",
                 "Long axis location error –</strong>", "5.000 ± 3.000"):  # fmt: skip
        assert said in html
    assert "Dice" not in html
    assert "Table" not in html
    theirs = replace(LOCATED, paper="stn_shn")
    html = render_evaluation(theirs, pictures)
    for said in ("<h1>STN + SHN ", "Table 1 below.", "5.580 ± 8.250", "7.400 ± 10.600"):
        assert said in html
    assert theirs.category_rows() == [], "its paper has no table by lesion type"


def test_a_system_that_only_segments() -> None:
    reported = ("precision", "recall", "dice")
    rows = [
        {"set": 0, "index": n, "file": f"{n}.png", "row": 1, "patient": "1", "lesion_type": "lung",
         "truth": "human", "precision": 1.0, "recall": dice, "dice": dice}
        for n, dice in enumerate((0.5, 0.9))
    ]  # fmt: skip
    view = replace(LOCATED, paper="wsss", reported=reported, rows=rows, merit=DICE, name="dusk")
    html = render_evaluation(view, [])
    assert "Table 4 below." in html
    assert "Diameters side by side" not in html
    assert "Not found" not in html
    assert list(view.columns(view.lines())) == list(reported)
    assert [row["index"] for row in view.shown()] == [1, 0]
    assert any(line.method == "HNN-SR-GC" for line in view.category_lines())
    assert set(view.metrics()) >= {"dice", "dice_std", "dice_lung", "n_lung", "test_n", "failed"}
    assert "missed" not in view.metrics()
