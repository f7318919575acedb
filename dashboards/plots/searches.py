"""The plots of a search: history, front, what mattered, all parameters at once, two of them.

Only trials that were trained to their end are compared; the others are shown as what they are.
"""

from dataclasses import dataclass
from itertools import combinations
from textwrap import fill
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from dashboards.pages.view import SweepView, Trial
from dashboards.plots.drawing import CARD, FADED, LINE, OTHER, OURS, STYLE, Plot, figure_of, svg_of
from dashboards.plots.heights import draw_heights
from dashboards.plots.scales import Scale, scale_of_numbers
from dashboards.plots.states import in_order, look_of, mark
from dashboards.plots.study import LEAST_FINISHED, Searched, Target
from dashboards.plots.timeline import timeline
from lesions.errors import shown

MOST_AXES = 7  # parameters of the parallel coordinates
MOST_FRONTS = 3  # pairs of objectives
BEHIND: Any = {"facecolor": CARD, "edgecolor": "none", "alpha": 0.8, "pad": 0.6}  # words


@dataclass(frozen=True, kw_only=True)
class Search:
    """What a page shows of a search.

    Attributes:
        plots: every one that there are numbers for.
        missing: why one is not there, in sentences.
        front: the trials that no other beats in every objective, where there are several.
    """

    plots: list[Plot]
    missing: list[str]
    front: list[Trial]


def search_plots(view: SweepView) -> Search:
    """Draw a sweep's search."""
    searched = Searched(view)
    with mpl.rc_context(STYLE):
        drawn = [
            *(_history(searched, target) for target in searched.targets),
            *(_front(searched, *pair) for pair in _pairs(searched.targets)),
            _importance(searched),
            _contour(searched),
            _parallel(searched),
            timeline(view),
        ]
    plots = [plot for plot in drawn if plot is not None]
    return Search(plots=plots, missing=_missing(searched), front=searched.front)


def _missing(searched: Searched) -> list[str]:
    if not searched.view.trials or searched.importances:
        return []
    count = len(searched.finished)
    if not searched.by_importance():
        return [
            "The trials differ in no searched value: there is nothing whose importance to tell."
        ]
    if count >= LEAST_FINISHED:
        return ["Which parameter mattered cannot be told from these trials."]
    were = "trial was" if count == 1 else "trials were"
    return [
        f"Which parameter mattered is not told: {count} {were} trained to the end, and it takes "
        f"{LEAST_FINISHED} at least. Parameters stand in the order in which they were searched."
    ]


def _pairs(targets: list[Target]) -> list[tuple[Target, Target]]:
    return list(combinations(targets, 2))[:MOST_FRONTS]


def _history(searched: Searched, target: Target) -> Plot | None:
    trials = searched.view.trials
    if all(target.of(trial) is None for trial in trials):
        return None
    figure, axes = figure_of("trial", target.words)
    for trial in in_order(trials, searched.view.best):
        value, (name, look) = target.of(trial), look_of(trial, searched.view.best)
        if value is None:  # at the edge, where no value is
            edge = axes.get_xaxis_transform()
            mark(axes, trial.number, 0.02, name, look, transform=edge, clip_on=False)
        else:
            mark(axes, trial.number, value, name, look)
    best = _best_so_far(searched, target)
    if best:
        numbers, values = zip(*best, strict=True)
        axes.step(numbers, values, where="post", color=OURS, linewidth=1.6, label="best so far")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.margins(x=0.05, y=0.12)
    lacking = sum(target.of(trial) is None for trial in trials)
    said = f"the {target.end} of the finished, {best[-1][1]:.4g}" if best else "none finished"
    return Plot(
        title=f"The search: {target.words} by trial",
        caption="Each mark is a trial; the line is the best of those that were trained to the end."
        + (f" At the lower edge: {lacking} without a value." if lacking else ""),
        description=f"{target.words} of {len(trials) - lacking} trials in the order of starting; "
        f"{said}; {lacking} without a value.",
        svg=svg_of(figure, axes, f"history-{searched.targets.index(target)}", least=1),
    )


def _best_so_far(searched: Searched, target: Target) -> list[tuple[int, float]]:
    found: list[tuple[int, float]] = []
    for trial in searched.finished:
        value = target.of(trial)
        if value is not None:
            better = not found or target.merit.beats(value, found[-1][1])
            found.append((trial.number, value if better else found[-1][1]))
    return found


def _importance(searched: Searched) -> Plot | None:
    found = dict(list(searched.importances.items())[:MOST_AXES])
    if not found:
        return None
    figure, axes = figure_of("importance (all: 1)", "", (5.0, 1.4 + 0.38 * len(found)))
    for place, share in enumerate(found.values()):
        axes.barh(place, share, color=OURS, height=0.6)
        axes.annotate(f"{share:.2f}", (share, place), xytext=(4, 0), textcoords="offset points",
                      va="center")  # fmt: skip
    axes.set_yticks(range(len(found)), [shown(name) for name in found])
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.set_xlim(0, 1.15 * max(max(found.values()), 0.01))
    axes.grid(axis="y", visible=False)
    first, share = next(iter(found.items()))
    left = len(searched.importances) - len(found)
    more = f"; {left} less important ones are left out" if left else ""
    return Plot(
        title="Which parameter mattered",
        caption=f"PED-ANOVA of {searched.targets[0].words} over {len(searched.finished)} finished "
        "trials, within the values that were tried: how far the best tenth's values differ from "
        f"all trials'. Few trials tell little{more}.",
        description=f"Shares of importance of {len(found)} parameters; first {shown(first)}, "
        f"{share:.2f}.",
        svg=svg_of(figure, axes, "importance"),
    )


def _parallel(searched: Searched) -> Plot | None:
    target = searched.targets[0]
    names = searched.by_importance()[:MOST_AXES]
    told = [(trial, value) for trial in searched.view.trials
            if (value := target.of(trial)) is not None and names
            and all(name in trial.searched for name in names)]  # fmt: skip
    if not told:
        return None
    values = scale_of_numbers([value for _, value in told], may_be_log=False)
    scales = [*(searched.scales[name] for name in names), values]
    figure, axes = figure_of("", "", (7.6, 3.6))
    good = _best_quarter(searched, target)
    for trial, value in sorted(told, key=lambda one: (one[0] in good, one[0].state == "finished")):
        places = [scales[x].place(trial.searched[name]) for x, name in enumerate(names)]
        heights = [np.nan if place is None else place for place in (*places, values.place(value))]
        axes.plot(range(len(scales)), heights, **_line_of(trial, trial in good))
    _upright_axes(axes, [*names, target.words], scales)
    return Plot(
        title="All searched values at once",
        caption="Each line is a trial, through its values to what came of it, on the right.",
        description=f"Parallel coordinates of {len(told)} trials over "
        f"{', '.join(map(shown, names))} and {target.words}.",
        svg=svg_of(figure, axes, "parallel"),
        wide=True,
    )


def _line_of(trial: Trial, is_good: bool) -> dict[str, Any]:
    if trial.state != "finished":
        return {"color": FADED, "linewidth": 1.0, "linestyle": "--", "label": "not to the end"}
    if is_good:
        return {"color": OURS, "linewidth": 2.0, "label": "best quarter of the finished"}
    return {"color": OTHER, "linewidth": 1.0, "label": "finished"}


def _best_quarter(searched: Searched, target: Target) -> list[Trial]:
    ranked = sorted(searched.finished, key=lambda trial: target.merit.rank(target.of(trial)))
    return ranked[: -(-len(ranked) // 4)]


def _upright_axes(axes: Axes, names: list[str], scales: list[Scale]) -> None:
    """An axis of its own for each scale, with its values beside it."""
    for x, scale in enumerate(scales):
        axes.axvline(x, color=LINE, linewidth=1.2)
        for place, words in scale.ticks():
            axes.annotate(shown(words), (x, place), xytext=(4, 1), textcoords="offset points",
                          fontsize=8.5, zorder=5, bbox=BEHIND)  # fmt: skip
    axes.set_xticks(range(len(names)), [_broken(shown(name)) for name in names])
    axes.set_xlim(-0.1, len(names) - 0.6)
    axes.set_ylim(-0.05, 1.08)
    axes.set_yticks([])
    axes.grid(visible=False)
    for side in axes.spines.values():
        side.set_visible(False)


def _broken(name: str) -> str:
    """A dotted name, a line for its first parts and one for its last."""
    before, dot, last = name.rpartition(".")
    if dot and len(name) > 14:
        return f"{before}{dot}\n{last}"
    return fill(name, width=13, break_long_words=False)


def _contour(searched: Searched) -> Plot | None:
    names, target = searched.numbers_by_importance()[:2], searched.targets[0]
    if len(names) < 2:
        return None
    (across, up), (x_scale, y_scale) = names, [searched.scales[name] for name in names]
    told = [
        (trial, x, y, value)
        for trial in searched.view.trials
        if (value := target.of(trial)) is not None
        and (x := x_scale.place(trial.searched.get(across, ""))) is not None
        and (y := y_scale.place(trial.searched.get(up, ""))) is not None
    ]
    if not told:
        return None
    figure, axes = figure_of(across, up)
    whole = np.array([one[1:] for one in told if one[0].state == "finished"]).reshape(-1, 3)
    filled = draw_heights(axes, whole)
    best = searched.view.best
    spots = {one[0].number: one[1:3] for one in told}
    for trial in in_order([one[0] for one in told], best):
        mark(axes, *spots[trial.number], *look_of(trial, best), clip_on=False)
    for set_ticks, scale in ((axes.set_xticks, x_scale), (axes.set_yticks, y_scale)):
        places, words = zip(*scale.ticks(5), strict=True)
        set_ticks(places, [shown(word) for word in words])
    axes.set_xlim(-0.04, 1.04)
    axes.set_ylim(-0.04, 1.04)
    which = (
        "The two numbers that mattered most" if searched.importances else "The first two numbers"
    )
    stronger = "the stronger the colour, the higher; between trials it is only drawn straight"
    why = f"Filled: {target.words} of finished trials, {stronger}." if filled else (
        "Too few finished trials lie apart for heights between them."
    )  # fmt: skip
    return Plot(
        title=f"{which}: {shown(across)} and {shown(up)}",
        caption=f"Each mark is a trial. {why}",
        description=f"{target.words} of {len(told)} trials over {shown(across)} and {shown(up)}.",
        svg=svg_of(figure, axes, "contour"),
    )


def _front(searched: Searched, across: Target, up: Target) -> Plot | None:
    told = [(trial, x, y) for trial in searched.view.trials
            if (x := across.of(trial)) is not None and (y := up.of(trial)) is not None]  # fmt: skip
    if not told:
        return None
    figure, axes = figure_of(across.words, up.words)
    spots = {trial.number: (x, y) for trial, x, y in told}
    for trial in in_order([one[0] for one in told], searched.view.best):
        mark(axes, *spots[trial.number], *look_of(trial, searched.view.best))
    front = [(x, y) for trial, x, y in told if trial in searched.front]
    if front:
        xs, ys = zip(*sorted(front), strict=True)
        two = len(searched.targets) == 2
        axes.plot(
            xs, ys, color=OURS, linewidth=1.6, linestyle="-" if two else "none", marker="o",
            markersize=12, markerfacecolor="none", label="Pareto front", zorder=1,
        )  # fmt: skip
    axes.margins(0.1)
    places = [searched.targets.index(one) for one in (across, up)]
    return Plot(
        title=f"{across.words} against {up.words}",
        caption=f"Each mark is a trial. Ringed: the {len(front)} finished ones that no other beats "
        f"in every objective; better are {_way(across, 'right')} and {_way(up, 'up')}.",
        description=f"{len(told)} trials by {across.words} and {up.words}; {len(front)} on the "
        "Pareto front.",
        svg=svg_of(figure, axes, f"front-{places[0]}-{places[1]}"),
    )


def _way(target: Target, high: str) -> str:
    low = {"right": "left", "up": "down"}[high]
    return high if target.merit.better == "higher" else low
