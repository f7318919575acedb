"""The report: one file, nothing loaded, every number there."""

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from dashboards.pages.report import render, write_report
from dashboards.pages.view import SweepView, Trial
from dashboards.recorded.runs import read_sweep
from dashboards.tables.papers import shown_rows
from lesions.errors import InputError
from lesions.metrics.merit import Merit
from tests.dashboards.pages.html_page import Page
from tests.dashboards.searched import DICE, SECONDS, searched_trials, sweep_of, trial_of

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>.png'


def changed(view: SweepView, **fields: object) -> SweepView:
    return SweepView(**{**vars(view), **fields})


def page_of(view: SweepView) -> Page:
    return Page(render(view, shown_rows("pdnet")))


@pytest.fixture(scope="module")
def html(view: SweepView) -> str:
    return render(view, shown_rows("pdnet"))


def test_it_loads_nothing(html: str) -> None:
    page = Page(html)
    assert page.named("script", "link", "iframe", "object", "embed", "base", "form") == []
    for attributes in (attributes for _, attributes in page.tags):
        for name in ("src", "href", "xlink:href"):
            assert attributes.get(name, "#").startswith(("#", "data:image/png;base64,"))
    assert "@import" not in html
    assert set(re.findall(r"url\((.)", html)) <= {"#"}
    assert "http" not in html


def test_the_numbers_are_there(html: str, view: SweepView) -> None:
    text = Page(html).text
    for name in ("precision", "recall", "dice", "long_axis_error", "short_axis_error"):
        assert f"{view.test[name]:.3f} ± {view.test[f'{name}_std']:.3f}" in text
    for number in ("0.924 ± 0.045", "1.733 ± 1.470", "0.885 ± 0.049", "1350", "0.785 ± 0.094"):
        assert number in text
    for fact in ("sha256:6f1c2e0a9b", "4b825dc642cb", "2 CPU, 0 GPU", "2026-", "loss.weight"):
        assert fact in text
    assert "not a medical device" in text
    assert "not comparable as a ranking" in text


def test_best_median_and_worst(html: str, view: SweepView) -> None:
    page = Page(html)
    pictures = page.named("img")
    assert len(pictures) == 3
    for place, rank in (("Best", 1), ("Median", 4), ("Worst", 7)):
        lesion = view.lesions[rank - 1]
        assert re.search(rf"{place} · Dice {lesion.metrics['dice']:.3f}\s+{lesion.file}", page.text)
    assert all(picture["alt"] for picture in pictures)


def test_tables_and_plots_can_be_read_aloud(html: str) -> None:
    page = Page(html)
    assert len(page.named("caption")) == len(page.named("table")) == 3
    assert all(cell.get("scope") for cell in page.named("th"))
    drawings = [a for a in page.named("div") if a.get("role") == "img"]
    assert len(drawings) == 10
    assert all(drawing["aria-label"] for drawing in drawings)


def test_ids_are_unique_and_every_reference_is_met(html: str) -> None:
    page = Page(html)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', html))
    assert used <= set(ids)


def test_plots_take_the_pages_colours(html: str) -> None:
    assert "var(--ours)" in html
    assert "#01000" not in html


def test_the_same_view_gives_the_same_bytes(view: SweepView, html: str) -> None:
    assert render(view, shown_rows("pdnet")) == html


def test_a_hostile_name_is_text(view: SweepView) -> None:
    lesions = [
        type(lesion)(**{**vars(lesion), "file": HOSTILE, "lesion_type": HOSTILE})
        for lesion in view.lesions
    ]
    trials = [
        Trial(**{**vars(trial), "state": HOSTILE, "searched": {f"${HOSTILE}": "1"}})
        for trial in view.trials
    ]
    tags = {**view.tags, "sweep": HOSTILE, "data": HOSTILE, "git_commit": HOSTILE}
    references = [type(r)(method=HOSTILE, metrics=r.metrics) for r in view.references]
    page = page_of(
        changed(
            view, lesions=lesions, trials=trials, tags=tags, references=references,
            config={HOSTILE: HOSTILE},
        )
    )  # fmt: skip
    assert page.named("script") == []
    assert page.named("img") == []
    assert HOSTILE in page.text
    assert not any(name.startswith("on") for _, a in page.tags for name in a)


NASTY = ("\x1b[2J", "\ud800", "a\0b", "x" * 9000, "$\\frac{1}{0", "🙂\n\u202e", "_hidden", "")


@pytest.mark.parametrize("text", NASTY)
def test_no_text_stops_a_page(view: SweepView, tmp_path: Path, text: str) -> None:
    trials = [
        Trial(**{**vars(t), "state": text, "searched": {text: "1", "rate": text}})
        for t in view.trials[:2]
    ]
    references = [type(r)(method=text, metrics=r.metrics) for r in view.references]
    lesions = [type(x)(**{**vars(x), "file": text, "patient": text}) for x in view.lesions[:2]]
    page = changed(
        view, trials=trials, references=references, lesions=lesions, config={text: text},
        tags={**view.tags, "sweep": text, "data": text, text: text}, started=None, ended=2**62,
    )  # fmt: skip
    write_report(page, shown_rows("pdnet"), tmp_path / "page.html")
    assert "<h1>PDNet" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_missing_pieces_are_named(client: MlflowClient, experiment: str, view: SweepView) -> None:
    text = page_of(read_sweep(client, "pdnet", "morning")).text
    for sentence in (
        "has not ended", "no test result yet", "No test lesions are recorded",
        "nothing to draw", "has no trials yet",
    ):  # fmt: skip
        assert sentence in text
    assert "no picture was logged" in page_of(changed(view, overlays={})).text


def test_no_finished_trial(view: SweepView) -> None:
    stopped = [trial for trial in view.trials if trial.state != "finished"]
    page = page_of(changed(view, trials=stopped, references=[]))
    assert "pruned" in page.text
    assert "nothing to draw" not in page.text


def test_a_lesion_without_prediction(view: SweepView) -> None:
    lesion = view.lesions[0]
    empty = type(lesion)(**{**vars(lesion), "metrics": {"dice": 0.0}})
    text = page_of(changed(view, lesions=[empty])).text
    assert "nothing predicted to measure" in text
    assert "Median" not in text


def test_a_system_that_is_judged_by_an_error(located: SweepView) -> None:
    page = Page(render(located, []))
    assert "Dice" not in page.text
    assert "paper" not in page.text.replace("--paper", "").replace("(--paper)", "")
    for said in (
        "11.2 pixel long axis location error", "2.8 pixel short axis length error",
        "the 5 test lesions by long axis location error",
        "chosen by validation long axis location error;",
    ):  # fmt: skip
        assert said in " ".join(page.text.split()), said
    for place, value, file in (("Best", "2.0 pixel", 2), ("Median", "7.5 pixel", 1),
                               ("Worst", "–", 3)):  # fmt: skip
        assert re.search(rf"{place} · Long axis location error {value}\s+{file}.png", page.text)
    assert "nothing predicted to measure" not in page.text, "it says nothing of diameters"
    plots = [a["aria-label"] for a in page.named("div") if a.get("role") == "img"]
    assert plots == [
        "Validation long axis location error (pixel) of 3 trials by epoch.",
        "Training loss of 3 trials by epoch.",
        "Best validation long axis location error (pixel) of 3 trials against learning_rate; "
        "the lowest, 3.500, at 0.001.",
        "Long axis location error (pixel) of 4 test lesions; the lowest is 2.000, the highest "
        "31.250.",
        "best validation long axis location error (pixel) of 3 trials in the order of starting; "
        "the lowest of the finished, 3.5; 0 without a value.",
        "Parallel coordinates of 3 trials over learning_rate and best validation long axis "
        "location error (pixel).",
        "3 trials: 3 finished, over 0.01 seconds.",
    ]


def test_its_paper_stands_beside_it(located: SweepView) -> None:
    text = Page(render(located, shown_rows("stn_shn"))).text
    assert "5.580 ± 8.250" in text
    assert "From the paper, on other lesions" in text
    assert "DeepLesion readers' test set" in text


@pytest.mark.parametrize("values", [[0.5], [1e13, 1e13 - 0.01], [0.0, -0.0], [-1e13, 1e13]])
@pytest.mark.parametrize("better", ["higher", "lower"])
def test_a_merit_of_any_size_is_drawn(view: SweepView, values: list[float], better: str) -> None:
    merit, first = Merit(name="own", better=better), view.lesions[0]
    lesions = [type(first)(**{**vars(first), "metrics": {"own": x}}) for x in values]
    page = page_of(changed(view, merit=merit, lesions=lesions, test={}))
    assert f"own of {len(values)} test lesions" in str(page.tags) or "own of 0.8" in str(page.tags)


def test_a_metric_that_is_no_number_is_a_dash(view: SweepView) -> None:
    lost = {**view.test, "long_axis_error": math.nan, "dice_std": math.nan}
    references = [type(r)(method=r.method, metrics={"dice": math.nan}) for r in view.references]
    page = page_of(changed(view, test=lost, references=references))
    assert "nan" not in page.text
    assert f"{view.test['dice']:.3f}" in page.text


def test_what_a_search_came_to(view: SweepView) -> None:
    trials = [replace(one, images_per_second=1234.5) for one in searched_trials(12)]
    found = Page(render(sweep_of(trials, objectives=(DICE, SECONDS)), []))
    words = " ".join(found.text.split())
    assert "0.6 core-hours 0.15 GPU-hours" in words
    assert "seconds, lower is better" in words
    assert "1234 1 min 30 s 0.05 0.0125" in words
    assert words.count("Why: no memory") == 1
    assert "Pareto front" in words
    assert len(found.named("table")) == 3
    before = page_of(view).text
    assert "Core-hours" in before, "and a dash, of a sweep of before"
    assert "core-hours" not in before


def test_a_reason_is_text_on_one_line(view: SweepView) -> None:
    trial = trial_of(0, None, "failed", reason=f"\x1b[2J{HOSTILE}{'x' * 9000}")
    page = Page(render(sweep_of([trial]), []))
    assert page.named("img", "script") == []
    assert f"Why: ?[2J{HOSTILE}" in page.text
    assert "x" * 400 not in page.text


def test_a_file_is_written_whole(view: SweepView, html: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    write_report(view, shown_rows("pdnet"), path)
    assert path.read_text(encoding="utf-8") == html
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_a_place_that_cannot_be_written_is_named(view: SweepView, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("kept")
    for path in (file / "report.html", tmp_path):
        with pytest.raises(InputError, match="the report cannot be written"):
            write_report(view, shown_rows("pdnet"), path)
    assert file.read_text() == "kept"
