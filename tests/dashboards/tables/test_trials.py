"""Trials as rows of text."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from dashboards.pages.view import SweepView
from dashboards.tables.comparison import sweep_notes
from dashboards.tables.terminal import print_comparison
from dashboards.tables.trials import cost_in_all, digits, duration
from tests.dashboards.searched import DICE, SECONDS, searched_trials, sweep_of, trial_of


def shown(view: SweepView, width: int) -> str:
    text = io.StringIO()
    print_comparison(view, [], Console(file=text, width=width))
    return text.getvalue().partition("Trials")[2]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "–"), (0.04, "0.0 s"), (59.94, "59.9 s"), (60, "1 min 00 s"), (3599.4, "59 min 59 s"),
     (3599.9, "1 h 00 min"), (7500, "2 h 05 min"), (1e9, "277777 h 47 min"), (1e99, "–")],
)  # fmt: skip
def test_durations(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


def test_digits() -> None:
    assert [digits(x) for x in (None, 0.0, 0.01234, 12.345, 123456.7)] == [
        "–", "0", "0.0123", "12.3", "123457",
    ]  # fmt: skip


def test_the_terminal_tells_cost_and_reason() -> None:
    text = shown(sweep_of(searched_trials(12), objectives=(DICE, SECONDS)), 200)
    first = next(line for line in text.splitlines() if line.strip().startswith("0 "))
    assert first.split()[-5:] == ["min", "30", "s", "0.05", "0.0125"]
    assert "Trial 8 failed: no memory" in text
    assert "In all 0.6 core-hours, 0.15 GPU-hours." in text
    assert "seconds, lower is better" in " ".join(text.split())


def test_the_terminal_tells_how_fast_each_learned() -> None:
    text = shown(sweep_of([trial_of(0, 0.5, images_per_second=123.456), trial_of(1, 0.6)]), 200)
    first, second = (next(line for line in text.splitlines() if line.strip().startswith(number))
                     for number in ("0 ", "1 "))  # fmt: skip
    assert "Images/s" in text
    assert "123  1 min 30 s" in first
    assert "–  1 min 30 s" in second


def test_the_terminal_tells_the_front_and_what_a_trial_breaks() -> None:
    trials = [trial_of(n, 0.5, values={"val_dice": n / 9, "seconds": n}) for n in range(3)]
    trials.append(trial_of(3, 0.5, values={"val_dice": 0.9, "seconds": 0}, breaks="dice<=0.5"))
    text = shown(sweep_of(trials, objectives=(DICE, SECONDS)), 200)
    assert "finished, breaks dice<=0.5" in text
    assert "Pareto front, by val_dice: trial 2, 1, 0." in text


def test_a_narrow_terminal_leaves_each_trials_cost_out() -> None:
    text = shown(sweep_of(searched_trials(12)), 100)
    assert "finished" in text
    assert "Core-hours" not in text
    assert "In all 0.6 core-hours" in text


def test_a_sweep_that_was_ended_early_says_so() -> None:
    view = sweep_of(searched_trials(3))
    early = replace(view, tags={**view.tags, "ended_early": "3 of 8 trials have ended"})
    assert "The sweep was ended early: 3 of 8 trials have ended." in sweep_notes(early, [], [])
    assert not any("early" in note for note in sweep_notes(view, [], []))


def test_the_cost_of_some_says_of_how_many() -> None:
    told = trial_of(0, 0.5, busy_s=3600.0, resources={"CPU": 2.0})
    assert cost_in_all(sweep_of([told, trial_of(1, 0.5)])) == [("2", "core-hours of 1 trials")]
    assert cost_in_all(sweep_of([trial_of(0, 0.5)])) == []


def test_a_sweep_of_before_has_no_columns_of_cost(view: SweepView) -> None:
    assert "hours" not in shown(view, 160)
    assert "Duration" not in shown(view, 160)
