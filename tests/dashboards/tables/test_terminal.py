"""What the terminal shows."""

import io
from dataclasses import replace

import pytest
from mlflow import MlflowClient
from rich.console import Console

from dashboards.pages.view import SweepView
from dashboards.recorded.runs import read_sweep
from dashboards.tables.comparison import result_words
from dashboards.tables.papers import shown_rows
from dashboards.tables.terminal import print_comparison, text_table
from tests.dashboards.conftest import REFERENCES


def shown(view: SweepView, width: int) -> str:
    text = io.StringIO()
    print_comparison(view, shown_rows("pdnet"), Console(file=text, width=width))
    return text.getvalue()


def line_of(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.strip().startswith(start))


def test_ours_stands_beside_the_references_and_the_paper(view: SweepView) -> None:
    text = shown(view, 160)
    dice = f"{view.test['dice']:.3f} ± {view.test['dice_std']:.3f}"
    assert dice in line_of(text, "PDNet, ours (trial 4)")
    for method, (mean, std) in REFERENCES.items():
        assert f"{mean:.3f} ± {std:.3f}" in line_of(text, method)
    paper = line_of(text, "PDNet  ")
    for number in ("1000", "0.961 ± 0.044", "0.924 ± 0.045", "1.733 ± 1.470", "1.524 ± 1.374"):
        assert number in paper
    assert "–" in line_of(text, "Cai et al.")


@pytest.mark.parametrize("width", [80, 100, 160])
def test_a_mean_has_its_interval_and_what_was_missed_below_it(view: SweepView, width: int) -> None:
    measured = {"dice_low": 0.412, "dice_high": 0.888, "avd": 4.0, "avd_std": 1.5, "avd_n": 5.0}
    test = {**view.test, **measured, "test_patients": 4.0, "test_n": 7.0}
    view = replace(view, test=test)
    lines = shown(view, width).splitlines()
    text = " ".join(" ".join(lines).split())
    assert max(map(len, lines)) <= width
    assert "95% over 4 patients" in text
    assert ("0.412 to 0.888" if width == 160 else "0.412–") in text
    assert "0.888" in text
    assert "Below a mean is its 95% interval over patients (10,000 draws" in text
    assert "no interval" not in text
    assert ("2 of 7 missed" in text) == ("AVD" in text)


def test_of_two_patients_it_says_that_there_is_no_interval(view: SweepView) -> None:
    text = shown(replace(view, test={**view.test, "test_patients": 2.0}), 160)
    assert "no interval: 2 patients" in text
    assert "Over fewer than 3 patients no interval can be given" in " ".join(text.split())
    assert "interval" not in shown(view, 160), "a run of a version before tells no patients"


def test_a_trainings_result_in_words() -> None:
    metrics = {"test_n": 7.0, "test_patients": 4.0, "dice": 0.5, "dice_std": 0.1, "dice_low": 0.4,
               "dice_high": 0.6, "avd": 2.0, "avd_std": 1.0, "avd_n": 5.0,
               "val_dice": 0.9}  # fmt: skip
    assert list(result_words(metrics, ("dice", "avd", "vs"))) == [
        "test: 7 lesions (95% over 4 patients)",
        "test Dice 0.500 ± 0.100, 0.400 to 0.600",
        "test AVD (pixel) 2.000 ± 1.000, 2 of 7 missed",
    ]
    assert list(result_words({"val_dice": 0.9}, ("dice",))) == []


def test_a_trials_best_value_has_its_interval(view: SweepView) -> None:
    """That of the epoch whose value it is."""
    history = {"val_dice": [(1, 0.4), (2, 0.6), (3, 0.5)], "best_val_dice": [(3, 0.6)],
               "val_dice_low": [(1, 0.1), (2, 0.2), (3, 0.3)],
               "val_dice_high": [(1, 0.7), (2, 0.8), (3, 0.9)]}  # fmt: skip
    trial = replace(view.trials[0], history=history, lesions=9, patients=3)
    assert trial.best_interval(view.merit) == (0.2, 0.8)
    text = shown(replace(view, trials=[trial]), 160)
    assert "Trials, on 9 validation lesions of 3 patients" in text
    assert "0.600 (0.200 to 0.800)" in text
    few = replace(trial, history={name: history[name] for name in ("val_dice", "best_val_dice")})
    assert few.best_interval(view.merit) is None, "of a version before, or of two patients"


def test_it_says_that_the_data_differ(view: SweepView) -> None:
    text = " ".join(shown(view, 160).split())
    assert f"Ours was measured on {view.data}, against human masks;" in text
    assert "on the DeepLesion test set and the external test set" in text
    assert "not comparable as a ranking" in text


def test_every_trial_has_a_line(view: SweepView) -> None:
    trials = shown(view, 160).partition("Trials")[2]
    assert "learning_rate" in trials
    assert line_of(trials, "1 ").split() == ["1", "pruned", "0.0001778", "0.005623", "0.436", "3"]
    assert "0.825" in line_of(trials, "4 ")


@pytest.mark.parametrize("width", [80, 100, 160])
def test_no_number_is_cut(view: SweepView, width: int) -> None:
    text = shown(view, width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    for number in ("0.961", "0.044", "1.733", "1.470", "1350", "0.924"):
        assert number in text


def test_a_sweep_without_results_says_so(client: MlflowClient, experiment: str) -> None:
    text = shown(read_sweep(client, "pdnet", "morning"), 160)
    assert "no test result yet" in text
    assert "has no trials yet" in text


def test_markup_in_names_is_text(view: SweepView) -> None:
    tags = {**view.tags, "sweep": "[red]a[/]", "data": "[bold]b[/], c"}
    text = shown(SweepView(**{**vars(view), "tags": tags}), 200)
    assert "[red]a[/]" in text
    assert "[bold]b[/], c" in text


@pytest.mark.parametrize("width", [60, 80])
def test_the_name_of_a_row_is_never_cut(width: int) -> None:
    text = io.StringIO()
    row = ["pdnet-stage1:12", *["the shipped sample of lesions"] * 5]
    console = Console(file=text, width=width)
    console.print(text_table("Models", [f"column {n}" for n in range(6)], [row]))
    assert "pdnet-stage1:12" in text.getvalue()


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("paper", ["", "stn_shn"])
def test_a_system_that_is_judged_by_an_error(located: SweepView, paper: str, width: int) -> None:
    text = io.StringIO()
    print_comparison(located, shown_rows(paper), Console(file=text, width=width))
    lines, words = text.getvalue().splitlines(), " ".join(text.getvalue().split())
    assert "…" not in words
    assert max(map(len, lines)) <= width
    assert "Dice" not in words
    assert "Precision" not in words
    for number in ("11.188", "11.749", "40.000", "3.500", "6.000"):  # by hand: 44.75 / 4
        assert number in words
    assert ("5.580" in words) == ("comparable as a ranking" in words) == bool(paper)
    if width == 160:
        assert "Best validation long axis location error (pixel)" in words
        trials = text.getvalue().partition("Trials")[2]
        assert line_of(trials, "1 ").split() == ["1", "finished", "0.001", "3.500", "6"]


def test_a_metric_that_nobody_knows_has_its_own_name(view: SweepView) -> None:
    test = {**view.test, "[red]own[/]": 0.25, "[red]own[/]_std": 0.125, "vs": 0.5, "vs_std": 0.1}
    text = shown(SweepView(**{**vars(view), "test": test}), 200)
    assert "[red]own[/]" in text
    assert "0.250 ± 0.125" in line_of(text, "PDNet, ours")
    assert "VS" not in text, "the paper's table has none"
