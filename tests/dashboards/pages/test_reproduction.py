"""Ours beside the paper's table: hand-computed rows, in the terminal and on the page."""

import io

import pytest
from rich.console import Console

from dashboards.pages.reproduction import (
    Reproduction,
    Result,
    print_reproduction,
    render_reproduction,
    summarised,
)
from dashboards.tables.papers import paper_rows, shown_rows
from lesions.metrics.merit import Merit

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


def result(method: str, dice: float, subgroup: str = "all") -> Result:
    return Result(
        method=method, subgroup=subgroup, data="the shipped sample", lesions=2,
        values={"dice_stage2": (dice, 0.1)},
    )  # fmt: skip


def view_of(table: str, results: list[Result], columns: list[str]) -> Reproduction:
    return Reproduction(
        name="evening",
        paper="pdnet",
        rows=paper_rows("pdnet", table),
        results=results,
        columns=columns,
        data="the shipped sample, 63 test slices of 4 patients",
        remarks=["Ours: <tiny>."],
    )


def test_a_row_takes_each_column_from_its_part() -> None:
    row = summarised("base", "all", "here", STAGES, MEASURED)
    assert row.lesions == 2
    assert row.values["dice_stage1"] == pytest.approx((0.6, 0.1))
    assert row.values["dice_stage2"] == pytest.approx((0.85, 0.05))
    assert row.values["long_axis_error"] == pytest.approx((1.0, 0.0)), "NaN is left out"
    assert row.metrics["dice_stage1_std"] == pytest.approx(0.1)
    assert row.metrics["test_n"] == 2


def test_a_subgroup_is_a_lesion_type() -> None:
    row = summarised("base", "liver", "here", STAGES, MEASURED)
    assert row.lesions == 1
    assert row.values["dice_stage2"] == (0.9, 0.0)
    assert "long_axis_error" not in row.values
    assert summarised("base", "kidney", "here", STAGES, MEASURED).values == {}


def test_nothing_measured_is_a_row_of_dashes() -> None:
    row = summarised("base", "all", "here", STAGES, {"stage1": [], "stage2": []})
    assert (row.lesions, row.values) == (0, {})


@pytest.mark.parametrize("width", [80, 160])
def test_ours_stands_beside_the_papers(width: int) -> None:
    view = view_of("3", [result("base", 0.7), result("base+PE", 0.6)], ["dice_stage2"])
    out = io.StringIO()
    print_reproduction(view, Console(file=out, width=width))
    shown = " ".join(out.getvalue().split())
    assert "PDNet, Table 3: evening" in shown
    assert shown.index("base, ours") < shown.index("base+PE, ours") < shown.index("DeepLesion test")
    for number in ("0.700", "0.909", "0.068", "0.924"):
        assert number in shown
    assert "By Dice, stage 2, ours: base > base+PE; the paper's: base+PE > base." in shown
    assert "Ours: <tiny>." in shown
    assert max(map(len, out.getvalue().splitlines())) <= width


def test_each_row_says_where_it_was_measured_and_one_set_alone_is_ranked() -> None:
    rows = [
        Result(method=method, subgroup="all", data=data, lesions=2, values={"dice": (dice, 0.1)})
        for data, base, ours in (("the sample", 0.5, 0.6), ("external", 0.9, 0.8))
        for method, dice in (("nnUNet", base), ("PDNet", ours))
    ]
    view = view_of("1", rows, ["dice"])
    assert [line.measured_on for line in view.lines()][:4] == [
        *["the sample"] * 2,
        *["external"] * 2,
    ]
    assert "By Dice, ours: PDNet > nnUNet; the paper's: PDNet > nnUNet." in view.notes()


def test_an_error_is_ranked_from_the_least() -> None:
    merit = Merit(name="long_axis_location_error", better="lower")
    values = {"SHN": 9.0, "STN+SHN (TPP; HM)": 5.0, "STN+SHN (TPP+LRP; HM)": 7.0}
    rows = [
        Result(method=method, subgroup="overall", data="here", lesions=2,
               values={merit.name: (value, 1.0)})
        for method, value in values.items()
    ]  # fmt: skip
    view = Reproduction(
        name="evening", paper="stn_shn", rows=shown_rows("stn_shn"), results=rows,
        columns=[merit.name], data="here", merit=merit,
    )  # fmt: skip
    assert view.title == "STN + SHN, Table 1"
    assert view.headings == {merit.name: "Long axis location error (pixel)"}
    assert (
        "By long axis location error (pixel), ours: "
        "STN+SHN (TPP; HM) < STN+SHN (TPP+LRP; HM) < SHN; the paper's: "
        "STN+SHN (TPP+LRP; HM) < STN+SHN (TPP; HM) < SHN." in view.notes()
    )


def test_categories_are_named_and_not_ranked() -> None:
    rows = [
        Result(
            method="PDNet",
            subgroup=kind,
            data="the shipped sample",
            lesions=1,
            values={"dice": (0.5, 0.0)},
        )
        for kind in ("lung", "lymph_node")
    ]
    view = view_of("2", rows, ["dice"])
    assert [line.measured_on for line in view.lines()][:2] == [
        "the shipped sample, lung",
        "the shipped sample, lymph node",
    ]
    assert not any("By Dice" in note for note in view.notes())
    assert len(view.lines()) == 2 + 10


def test_the_page() -> None:
    html = render_reproduction(view_of("3", [result("base", 0.7)], ["dice_stage2"]))
    assert "base, ours" in html
    assert "0.700 ± 0.100" in html
    assert "0.924 ± 0.045" in html
    assert "Ours: &lt;tiny&gt;." in html
    assert html == render_reproduction(view_of("3", [result("base", 0.7)], ["dice_stage2"]))
