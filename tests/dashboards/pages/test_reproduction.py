"""Ours beside the paper's table, in the terminal and on the page; how ours differ below."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from dashboards.pages.reproduction import (
    Reproduction,
    print_reproduction,
    render_reproduction,
)
from dashboards.tables.differences import differences
from dashboards.tables.papers import known_rows, paper_rows, shown_rows
from dashboards.tables.results import Result, summarised
from dashboards.tables.shares import shares
from lesions.metrics.merit import Merit
from lesions.metrics.summary import Mean
from tests.dashboards.pages.html_page import Page


def result(method: str, dice: float, subgroup: str = "all") -> Result:
    return Result(
        method=method, subgroup=subgroup, data="the shipped sample", lesions=2, patients=2,
        values={"dice_stage2": Mean(dice, 0.1)},
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
        Result(
            method=method,
            subgroup="all",
            data=data,
            lesions=2,
            patients=2,
            values={"dice": Mean(dice, 0.1)},
        )
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
        Result(method=method, subgroup="overall", data="here", lesions=2, patients=2,
               values={merit.name: Mean(value, 1.0)})
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
            patients=1,
            values={"dice": Mean(0.5, 0.0)},
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


def of_seeds(method: str, dice: dict[int, list[float]]) -> Result:
    """A row of ours whose lesions are of a patient each."""
    rows = {
        seed: {"": [{"dice": one, "patient": f"p{at}", "file": "a.png", "row": at}
                    for at, one in enumerate(values)]}
        for seed, values in dice.items()
    }  # fmt: skip
    return summarised(method, "all", "here", {"dice_stage2": ("", "dice")}, rows)


BASE = of_seeds("base", {0: [0.5] * 9, 1: [0.5] * 9, 2: [0.5] * 9})
PE = of_seeds("base+PE", {0: [0.6] * 9, 1: [0.7] * 9, 2: [0.8] * 9})


def view_of_seeds(results: list[Result], seeds: tuple[int, ...]) -> Reproduction:
    found = differences(results, ["dice_stage2"])
    return replace(view_of("3", results, ["dice_stage2"]), differences=found, seeds=seeds)


WHOLE = replace(PE, method="PDNet (base+PE+T2D+B2U+SA)")


@pytest.mark.parametrize("width", [80, 160])
def test_names_and_verdicts_stay_whole(width: int) -> None:
    out = io.StringIO()
    print_reproduction(
        view_of_seeds([PE, BASE, WHOLE, BASE, BASE], (0, 1, 2)), Console(file=out, width=width)
    )
    shown = out.getvalue().partition("Differences")[2]
    assert all(word in shown for word in ("(base+PE+T2D+B2U+SA)", "▲ better", "apart", "+0.200"))


@pytest.mark.parametrize("width", [80, 160])
def test_differences_stand_below_with_their_interval_and_each_seed(width: int) -> None:
    out = io.StringIO()
    print_reproduction(view_of_seeds([BASE, PE], (0, 1, 2)), Console(file=out, width=width))
    shown = " ".join(out.getvalue().partition("Differences")[2].split())
    for words in ("+0.200", "+0.200 … +0.200", "+0.100 +0.200 +0.300", "▲ better", "9 of them"):
        assert all(word in shown for word in words.split()), words
    assert "1 of 1 intervals exclude zero" in shown
    assert "not a finding" not in shown
    assert "each with every seed" in out.getvalue()
    assert max(map(len, out.getvalue().splitlines())) <= width


def test_the_page_marks_what_is_told_apart() -> None:
    html = render_reproduction(view_of_seeds([BASE, PE, BASE], (0, 1, 2)))
    assert html.count('<tr class="better">') == 1
    assert html.count('<tr class="worse">') == 1
    assert html.count("not told apart") == 1, "the third row is the first again"
    assert "+0.100 +0.200 +0.300" in html
    assert "9 lesions of 9 patients" in html
    assert 'id="differences"' not in render_reproduction(view_of("3", [BASE], ["dice_stage2"]))


def view_of_shares(seeds: tuple[int, ...]) -> Reproduction:
    """Two methods, of which the paper tells one's worst Dice and the other's shares."""
    rows = paper_rows("ahrnet", "1")
    here = {row.method: row for row in rows if row.dataset == "deeplesion_test"}
    told = ("worst_dice", "fraction_dice_ge_0.80", "fraction_dice_gt_0.85")
    results = [
        summarised(
            method, "all", "here", {"dice": ("", "dice")},
            {seed: {"": [{"dice": dice, "patient": f"p{at}", "file": "a.png", "row": at}
                         for at, dice in enumerate(dices)]} for seed in seeds},
            told,
        )
        for method, dices in {"nnUNet": [0.4, 0.9], "AHRNet+RLS": [0.8, 0.85]}.items()
    ]  # fmt: skip
    pairs = [(here[result.method], result) for result in results]
    return Reproduction(
        name="evening", paper="ahrnet", rows=rows, results=results, columns=["dice"],
        data="here", seeds=seeds, shares=shares(pairs, known_rows("ahrnet")),
    )  # fmt: skip


def test_shares_stand_below_the_table_and_are_drawn() -> None:
    view = view_of_shares((0,))
    html = render_reproduction(view)
    page = Page(html)
    (label,) = (one["aria-label"] for one in page.named("div") if one.get("role") == "img")
    for words in ("nnUNet: lowest 0.400, half of the lesions reach 0.90",
                  "AHRNet+RLS: lowest 0.800, half of the lesions reach 0.85",
                  "the paper's AHRNet+RLS: 99% reach 0.8;", "the paper's nnUNet: 100% reach 0.436",
                  "92% reach 0.85"):  # fmt: skip
        assert words in label
    assert "90% reach" not in label, "that is of the hold-out set, which ours does not stand beside"
    text = " ".join(page.text.split())
    for words in ("Of the lesions", "Dice over the lesions of here", "paper: AHRNet+RLS",
                  "AHRNet+RLS here 0.800 0.789 1.000 0.990 0.000 0.920",
                  "hold-out test set, the paper alone – – – 0.900"):  # fmt: skip
        assert words in text
    assert "#0100" not in html, "every colour is the page's"
    assert "each seed's value" not in text
    assert html == render_reproduction(view_of_shares((0,)))
    assert "0.800 0.800 0.800 0.789" in " ".join(
        Page(render_reproduction(view_of_shares((0, 1)))).text.split()
    )
    out = io.StringIO()
    print_reproduction(view, Console(file=out, width=80))
    assert "Of the lesions" in out.getvalue().partition("Note:")[2]
    assert 'id="shares"' not in render_reproduction(replace(view, shares=[]))


def test_what_was_trained_on_is_said_of_the_rows_that_it_is_of() -> None:
    """Once where it is so of every row."""
    leak = "LEAK: 1 of 2 lesions lie on slices with the very pixels of one."
    base, ours = (replace(result(name, 0.5), leaks=[leak]) for name in ("nnUNet", "PDNet"))
    assert leak in view_of("3", [base, ours], ["dice_stage2"]).notes()
    clean = replace(base, leaks=["No lesion's patient was trained on."])
    notes = list(view_of("3", [clean, ours], ["dice_stage2"]).notes())
    assert f"PDNet: {leak}" in notes
    assert "nnUNet: No lesion's patient was trained on." in notes
