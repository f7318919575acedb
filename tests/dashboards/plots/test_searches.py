"""The plots of a search: what they say, for one trial and for many, whatever was searched."""

import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from dashboards.pages.view import SweepView
from dashboards.plots.heights import draw_heights
from dashboards.plots.scales import Scale, scale_of
from dashboards.plots.searches import search_plots
from dashboards.plots.states import BEST, LOOKS
from dashboards.plots.study import LEAST_FINISHED, Searched
from lesions.metrics.merit import Merit
from tests.dashboards.searched import (
    BEGUN,
    DICE,
    SECONDS,
    searched_trials,
    sweep_of,
    trial_of,
)


def said(view: SweepView) -> dict[str, str]:
    return {plot.title: plot.description for plot in search_plots(view).plots}


def test_every_plot_of_a_whole_search() -> None:
    view = sweep_of(searched_trials(36))
    found = search_plots(view)
    assert found.missing == []
    plots = {plot.title: plot for plot in found.plots}
    assert [plot.wide for plot in found.plots] == [False, False, False, True, True]
    assert list(plots) == [
        "The search: best validation Dice by trial", "Which parameter mattered",
        "The two numbers that mattered most: loop.rate and model.width",
        "All searched values at once", "When the trials ran",
    ]  # fmt: skip
    best = max(trial.best_value(view.merit) or 0 for trial in view.trials
               if trial.state == "finished")  # fmt: skip
    history, importance, contour, parallel, times = (one.description for one in found.plots)
    assert history == ("best validation Dice of 32 trials in the order of starting; the highest of "
                       f"the finished, {best:.4g}; 4 without a value.")  # fmt: skip
    assert importance.startswith("Shares of importance of 3 parameters; first loop.rate, 0.")
    assert "of 32 trials over loop.rate and model.width" in contour
    assert "32 trials over loop.rate, model.width, optimiser and best validation Dice" in parallel
    assert times == "36 trials: 24 finished, 8 pruned, 4 failed, over 36.5 minutes."


def test_what_decides_is_the_most_important() -> None:
    found = Searched(sweep_of(searched_trials(60))).importances
    assert sum(found.values()) == pytest.approx(1)
    assert next(iter(found)) == "loop.rate"
    assert found["loop.rate"] > 0.6


@pytest.mark.parametrize("count", [1, 2, 8])
def test_of_few_trials_no_importance_is_told(count: int) -> None:
    found = search_plots(sweep_of(searched_trials(count)))
    (sentence,) = found.missing
    if count == 1:
        assert "differ in no searched value" in sentence
    else:
        assert f"it takes {LEAST_FINISHED} at least" in sentence
    assert not any("mattered" in plot.title for plot in found.plots)


def test_where_all_came_to_the_same_nothing_mattered() -> None:
    trials = [trial_of(n, 0.5, searched={"rate": str(n)}) for n in range(12)]
    (sentence,) = search_plots(sweep_of(trials)).missing
    assert "cannot be told from these trials" in sentence


def test_one_parameter_only_has_no_contour() -> None:
    trials = [trial_of(n, n / 30, searched={"rate": str(10.0**-n)}) for n in range(14)]
    plots = said(sweep_of(trials))
    assert not any("two" in title for title in plots)
    assert plots["Which parameter mattered"].endswith("first rate, 1.00.")


def test_between_choices_nothing_is_drawn() -> None:
    trials = [trial_of(n, n / 30, searched={"a": "xyz"[n % 3], "b": "uv"[n % 2]})
              for n in range(14)]  # fmt: skip
    plots = said(sweep_of(trials))
    assert not any("two numbers" in title for title in plots)
    assert plots["All searched values at once"].startswith("Parallel coordinates of 14 trials")


def test_when_all_failed_there_is_the_timeline() -> None:
    trials = [trial_of(n, None, "failed", searched={"rate": str(n)}) for n in range(4)]
    found = search_plots(sweep_of(trials))
    assert [plot.title for plot in found.plots] == ["When the trials ran"]
    assert "failed" in found.plots[0].svg, "a legend, though there is but one kind"
    assert "0 trials were trained to the end" in found.missing[0]


def test_a_sweep_without_trials_has_nothing() -> None:
    found = search_plots(sweep_of([]))
    assert (found.plots, found.missing, found.front) == ([], [], [])


def test_the_front_is_what_no_other_beats() -> None:
    trials = searched_trials(40)
    view = sweep_of(trials, objectives=(DICE, SECONDS))
    finished = [one for one in trials if one.state == "finished"]
    points = np.array([[-one.values["val_dice"], one.values["seconds"]] for one in finished])
    beaten = [any((other <= one).all() and (other < one).any() for other in points)
              for one in points]  # fmt: skip
    wanted = {one.number for one, is_beaten in zip(finished, beaten, strict=True) if not is_beaten}
    found = search_plots(view)
    assert {one.number for one in found.front} == wanted
    dice = [one.values["val_dice"] for one in found.front]
    assert dice == sorted(dice, reverse=True)
    (front,) = [plot for plot in found.plots if "against" in plot.title]
    assert f"{len(wanted)} on the Pareto front" in front.description
    assert "right and down" in front.caption
    histories = [plot.description for plot in found.plots if plot.title.startswith("The search")]
    assert ["the highest" in histories[0], "the lowest" in histories[1]] == [True, True]


def test_what_breaks_a_constraint_beats_nobody() -> None:
    values = [(0.9, 1.0), (0.8, 2.0), (0.7, 0.5)]
    trials = [trial_of(n, dice, values={"val_dice": dice, "seconds": seconds},
                       breaks="" if n else "val_n>=9")
              for n, (dice, seconds) in enumerate(values)]  # fmt: skip
    view = sweep_of(trials, objectives=(DICE, SECONDS))
    assert [one.number for one in search_plots(view).front] == [1, 2]


def test_of_three_objectives_each_pair_is_drawn() -> None:
    third = Merit(name="memory", better="lower")
    trials = [trial_of(n, 0.5, values={"val_dice": n / 9, "seconds": n, "memory": 9 - n})
              for n in range(9)]  # fmt: skip
    found = search_plots(sweep_of(trials, objectives=(DICE, SECONDS, third)))
    assert sum("against" in plot.title for plot in found.plots) == 3
    assert len(found.front) == 9


def test_states_are_told_apart_by_colour_and_by_shape() -> None:
    looks = [*LOOKS.values(), BEST]
    assert len({look.marker for look in looks}) == len(looks)
    assert len({look.colour for look in looks}) == len(looks)
    assert len({look.hatch for look in LOOKS.values()}) == len(LOOKS)
    trials = [trial_of(n, 0.5, state) for n, state in enumerate([*LOOKS, "odd <state>"])]
    svg = search_plots(sweep_of(trials, tags={"sweep": "s", "best_trial": "t0"})).plots[-1].svg
    for state in (*list(LOOKS)[1:], "best: trial 0", "another state"):
        assert state in svg


def test_a_trial_that_runs_reaches_to_what_was_heard_last() -> None:
    running = trial_of(0, 0.5, "running", ended=None)
    later = trial_of(1, 0.5, started=BEGUN + 600_000, ended=BEGUN + 3_600_000)
    unknown = trial_of(2, 0.5, started=None)
    times = said(sweep_of([running, later, unknown]))["When the trials ran"]
    assert times == "2 trials: 1 running, 1 finished, over 60 minutes."


@pytest.mark.parametrize("texts", [["1e13", "-1e13"], ["<b>" * 999, "$\\frac{1}{0"]])
def test_any_values_can_be_drawn(texts: list[str]) -> None:
    trials = [
        trial_of(n, 0.5, searched={"$a_{<b>": texts[n % 2], "b": str(n)},
                 values={"val_dice": [0.1, 1e13, -1e13, 0.1][n % 4], "seconds": -1e13 * (n % 2)})
        for n in range(16)
    ]  # fmt: skip
    found = search_plots(sweep_of(trials, objectives=(DICE, SECONDS)))
    assert all("<b>" not in plot.svg for plot in found.plots)
    assert all("nan" not in plot.description for plot in found.plots)


@pytest.mark.parametrize(
    "texts",
    [["1e13", "-1e13"], ["nan", "1"], ["0", "0"], ["1e-300", "1"], ["True", "False"], ["", "1"],
     ["-5", "5000"], ["5", "5.0"], ["1e-5", "3e-5", "0.1"]],
)  # fmt: skip
def test_any_value_has_a_place(texts: list[str]) -> None:
    scale = scale_of(texts)
    for text in texts:
        place = scale.place(text)
        assert place is not None
        assert 0 <= place <= 1
    assert all(-1e-6 < place < 1 + 1e-6 for place, _ in scale.ticks())


def test_ticks() -> None:
    assert scale_of(["4", "8", "16", "8", "4"]).ticks() == [(0, "4"), (1 / 3, "8"), (1, "16")]
    assert scale_of(["a", "b", "a"]).ticks() == [(0, "a"), (1, "b")]
    decades = scale_of(["1e-5", "1e-1"]).ticks(9)
    assert [words for _, words in decades] == ["1e-05", "0.0001", "0.001", "0.01", "0.1"]
    assert [place for place, _ in decades] == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert Scale(low=2, high=2).ticks() == [(0.5, "2")]
    assert Scale(low=1, high=9).place("other") is None
    assert Scale(low=1, high=90, log=True).place("-1") is None


@pytest.mark.parametrize(
    ("points", "drawn"),
    [
        ([(0, 0, 1), (0, 1, 2), (1, 0, 3), (1, 1, 4)], True),
        ([(0, 0, 1), (0, 1, 2), (1, 0, 3)], False),
        ([(0.1 * n, 0.1 * n, n) for n in range(9)], False),
        ([(0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1)], False),
        ([(0, 0, n) for n in range(9)], False),
    ],
)
def test_heights_take_points_that_span_a_plane(
    points: list[tuple[float, float, float]], drawn: bool
) -> None:
    axes = Figure().add_subplot()
    assert draw_heights(axes, np.array(points, dtype=float)) is drawn
    assert bool(axes.collections) is drawn
    assert math.isfinite(sum(axes.get_xlim()))
