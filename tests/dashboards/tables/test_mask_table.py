"""The table of pseudo masks: its numbers, beside the paper's, in a terminal and on a page."""

import csv
import io
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from dashboards.pages.masks import ROWS, draw, render_masks, write_mask_report, write_rows
from dashboards.tables.masks import (
    PAPER_METHODS,
    MaskTable,
    in_paper_order,
    notes,
    paper,
    print_masks,
    rankings,
)
from lesions.judging.measuring import Measured
from lesions.lesion import Lesion
from lesions.masks import PSEUDO_MASKS
from lesions.readers.deeplesion import Rejected
from lesions.readers.png import encode_labels
from tests.dashboards.pages.html_page import Page
from tests.dashboards.pages.test_report import HOSTILE


def score(dice: float, ms: float = 1.0, uncertain: float = 0.0) -> dict[str, float]:
    return {"recall": dice, "precision": dice / 2, "dice": dice, "uncertain": uncertain, "ms": ms}


def lesion(row: int, scores: dict[str, dict[str, float]], **about: Any) -> Measured:
    about = {"file": f"{row}.png", "patient": "1", "lesion_type": "lung", **about}
    return Measured(row=row, scores=scores, failed=about.pop("failed", {}), digest="", **about)


def table_of(*lesions: Measured, **fields: Any) -> MaskTable:
    methods = list(dict.fromkeys(name for one in lesions for name in (*one.scores, *one.failed)))
    about = {"name": "evening", "data": "our set, 2 slices", "marks": "", "aside": []}
    return MaskTable(**{**about, "methods": methods, "lesions": lesions, **fields})


@pytest.fixture(scope="module")
def table() -> MaskTable:
    """Every method of the paper and one of ours on three lesions of two types and patients."""
    names = [*PAPER_METHODS, "ellipse"]
    dice = np.array([[0.3, 0.5, 0.1, 0.6, 0.8, 0.9], [0.5, 0.5, 0.2, 0.8, 0.9, 0.9]])
    return table_of(
        lesion(1, {n: score(d, 10) for n, d in zip(names, dice[0], strict=True)}),
        lesion(2, {n: score(d, 30) for n, d in zip(names, dice[1], strict=True)}, patient="2"),
        lesion(
            3, {n: score(1.0, 20) for n in names}, lesion_type="soft_tissue", patient="2"
        ),
        aside=[Rejected(file="4.png", row=4, reason="no human mask in Masks_png")],
        tags={"data_fingerprint": "f00", "git_commit": "abc-dirty"},
    )  # fmt: skip


def shown(table: MaskTable, width: int = 160) -> str:
    text = io.StringIO()
    print_masks(table, Console(file=text, width=width))
    return text.getvalue()


def test_each_lesion_counts_the_same(table: MaskTable) -> None:
    metrics = table.metrics("recist")
    assert metrics["n"] == 3
    assert metrics["dice"] == pytest.approx((0.3 + 0.5 + 1) / 3)
    assert metrics["dice_std"] == pytest.approx(np.std([0.3, 0.5, 1]))
    assert metrics["precision"] == pytest.approx(metrics["recall"] / 2)
    assert (metrics["ms"], metrics["ms_mean"]) == (20, 20)
    assert metrics["dice_lung"] == pytest.approx(0.4)
    assert metrics["dice_soft_tissue"] == 1
    assert (metrics["failed"], metrics["uncertain"]) == (0, 0)


def test_ms_is_the_median() -> None:
    metrics = table_of(*(lesion(row, {"a": score(1, ms)}) for row, ms in enumerate([1, 2, 90])))
    assert metrics.metrics("a")["ms"] == 2
    assert metrics.metrics("a")["ms_mean"] == 31


def test_a_lesion_without_pixels_that_count_is_left_out_of_the_mean() -> None:
    table = table_of(lesion(1, {"a": score(0.5)}), lesion(2, {"a": score(math.nan, uncertain=1)}))
    metrics = table.metrics("a")
    assert (metrics["n"], metrics["dice_n"], metrics["dice"]) == (2, 1, 0.5)
    assert all(map(math.isfinite, metrics.values()))


def test_the_registrys_names_are_the_papers() -> None:
    assert [*PAPER_METHODS.values()] == [row.method for row in paper()[:5]]
    order = in_paper_order(["snakes", "grabcut_r", "ellipse", "recist"])
    assert order == ["recist", "grabcut_r", "snakes", "ellipse"]
    assert sorted(in_paper_order([*PSEUDO_MASKS])) == sorted(PSEUDO_MASKS)


def test_ours_stand_above_the_papers_on_both_data_sets(table: MaskTable) -> None:
    lines = table.lines()
    assert [line.method for line in lines[:6]] == [
        "recist (RECIST)", "dcrf (DCRF)", "grabcut (GrabCut)", "grabcut_i (GrabCut-i)",
        "grabcut_r (GrabCut-R)", "ellipse",
    ]  # fmt: skip
    assert [line.source for line in lines] == ["ours"] * 6 + ["paper"] * 10
    assert {line.measured_on for line in lines[:6]} == {"our set"}
    assert [line.measured_on for line in lines[6::5]] == [
        "lymph node data set",
        "DeepLesion test set",
    ]
    assert lines[10].cell("dice") == "0.830 ± 0.060"
    assert lines[0].cell("ms") == "20.0"


def test_the_order_of_the_papers_methods(table: MaskTable) -> None:
    assert rankings(table) == {
        "our set": ["GrabCut-R", "GrabCut-i", "DCRF", "RECIST", "GrabCut"],
        "lymph node data set": ["GrabCut-R", "GrabCut-i", "RECIST", "DCRF", "GrabCut"],
        "DeepLesion test set": ["GrabCut-R", "GrabCut-i", "DCRF", "GrabCut", "RECIST"],
    }
    assert "our set: GrabCut-R > GrabCut-i > DCRF > RECIST > GrabCut; " in " ".join(notes(table))
    some = replace(table, methods=["ellipse", "recist"])
    assert "GrabCut-R >" not in " ".join(notes(some))


def test_uncertain_pixels_have_a_column_only_where_there_are_any(table: MaskTable) -> None:
    assert "uncertain" not in table.columns()
    assert "Uncertain" not in shown(table)
    some = table_of(lesion(1, {"a": score(1, uncertain=0.25)}), lesion(2, {"a": score(1)}))
    assert some.lines()[0].cell("uncertain") == "0.125"
    assert "Uncertain" in shown(some)
    assert "count neither for nor against" in " ".join(notes(some))


def test_a_failed_mask_is_counted_and_listed(table: MaskTable) -> None:
    failed = table_of(
        lesion(1, {"a": score(0.5), "b": score(0.5)}),
        lesion(2, {"a": score(1.0)}, failed={"b": "error: too dark"}),
    )
    assert [line.lesions for line in failed.lines()[:2]] == [2, 1]
    assert failed.metrics("b")["failed"] == 1
    assert "b made no mask of 1 of the lesions: its row is over the others." in shown(failed)
    page = Page(render_masks(failed, {}))
    assert "b: error: too dark" in page.text
    assert "no mask" in page.text


def test_a_method_that_always_fails_has_dashes() -> None:
    never = table_of(lesion(1, {}, failed={"b": "error"}))
    assert (never.lines()[0].lesions, never.lines()[0].cell("dice")) == (0, "–")
    assert never.metrics("b") == {"n": 0, "patients": 0, "failed": 1}
    assert "highest mean Dice" not in Page(render_masks(never, {})).text


@pytest.mark.parametrize("width", [80, 100, 120, 160])
def test_no_number_is_cut(table: MaskTable, width: int) -> None:
    text = shown(table, width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    for number in ("0.600", "0.294", "0.350", "0.090", "1000", "20.0"):
        assert number in text


def test_the_terminal_shows_types_and_reasons(table: MaskTable) -> None:
    text = shown(table)
    assert re.search(r"lung +2 +2 +0\.400", text)
    assert re.search(r"soft tissue +1 +1 +1\.000", text)
    assert "1 set aside: no human mask in Masks_png" in text
    assert "Dice by lesion type" not in shown(table_of(lesion(1, {"a": score(1)})))


def test_lesions_shown_go_from_the_best_to_the_worst() -> None:
    dice = [0.2, 0.9, 0.5, 0.7, 0.1, 0.3, 0.8]
    table = table_of(*(lesion(row, {"a": score(x)}) for row, x in enumerate(dice, start=1)))
    assert [one.scores["a"]["dice"] for one in table.shown()] == [0.9, 0.7, 0.3, 0.1]
    assert len(table_of(lesion(1, {"a": score(1)})).shown()) == 1


def test_the_page_holds_it_all(table: MaskTable, sample: list[Lesion]) -> None:
    masked = [
        replace(one, masks={"human": one.masks["human"], "ellipse": one.masks["human"]})
        for one in sample[:3]
    ]
    drawn = [draw(one, table.methods) for one in masked]
    assert [[*some] for some in drawn] == [["ellipse"]] * 3
    pictures = {one.key: some for one, some in zip(table.shown(), drawn, strict=True)}
    html = render_masks(table, pictures)
    page = Page(html)
    assert len(page.named("img")) == 3
    assert page.text.count("no picture") == 15
    assert page.named("script", "link", "iframe") == []
    assert "http" not in html
    for word in ("recist (RECIST)", "ellipse", "GrabCut-R", "lymph node data set", "0.830 ± 0.060",
                 "DeepLesion test set", "no human mask in Masks_png", "f00", "abc-dirty",
                 "not a medical device", "highest mean Dice: ellipse", "0.933"):  # fmt: skip
        assert word in page.text
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert len(page.named("caption")) == len(page.named("table")) == 4


def test_a_long_list_is_cut_and_says_so(table: MaskTable) -> None:
    aside = [Rejected(file=f"{row}.png", row=row, reason="empty") for row in range(1, 302)]
    page = Page(render_masks(replace(table, aside=aside), {}))
    assert "101 more are in the CSV file" in page.text
    assert "301 of 301: empty" in page.text


def test_a_hostile_name_is_text() -> None:
    bad = lesion(1, {HOSTILE: score(1)}, file=HOSTILE, patient=HOSTILE, lesion_type=HOSTILE)
    table = table_of(bad, name=HOSTILE, data=HOSTILE, tags={"x": HOSTILE})
    page = Page(render_masks(table, {}))
    assert page.named("script", "img") == []
    assert HOSTILE in page.text
    markup = table_of(lesion(1, {"[red]a[/]": score(1)}), name="[b]x[/]", data="[i]y[/]")
    assert all(text in shown(markup) for text in ("[red]a[/]", "[b]x[/]", "[i]y[/]"))


def test_all_pictures_of_a_lesion_show_the_same_crop(sample: list[Lesion]) -> None:
    one = sample[0]
    wide = np.ones(one.shape, np.uint8)
    masks = {"human": one.masks["human"], "a": one.masks["human"], "b": encode_labels(wide)}
    both = draw(replace(one, masks=masks), ["a", "b"])
    alone = draw(replace(one, masks={name: masks[name] for name in ("human", "a")}), ["a"])
    assert both["a"] != alone["a"]


def test_every_score_is_in_the_csv_file(table: MaskTable, tmp_path: Path) -> None:
    write_rows(table, tmp_path / "lesions.csv")
    with (tmp_path / "lesions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [*rows[0]] == [*ROWS]
    assert len(rows) == 3 * 6 + 1
    assert rows[0]["method"] == "recist"
    assert float(rows[0]["dice"]) == 0.3
    assert rows[-1]["reason"] == "no human mask in Masks_png"
    write_mask_report(table, {}, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == render_masks(table, {})
