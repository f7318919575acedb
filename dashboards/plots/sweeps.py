"""The report's plots, as SVG that takes its colours from the page."""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from dashboards.pages.view import LesionResult, SweepView, Trial
from dashboards.recorded.numbers import number_of
from dashboards.tables.comparison import short_number
from lesions.errors import shown

# Stand-ins for the page's CSS variables: Matplotlib only knows fixed colours.
INK, LINE, OURS, OTHER, FADED = "#010001", "#010002", "#010003", "#010004", "#010005"
VARIABLES = {INK: "ink", LINE: "line", OURS: "ours", OTHER: "other", FADED: "faded"}
STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 10.5,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,  # names come from users: a dollar sign is a dollar sign
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.borderpad": 0.0,
    "legend.columnspacing": 1.4,
    "legend.fontsize": 9.5,
}
MOST_SEARCHED = 30  # parameters that have a plot
LOG_FROM = 30.0  # a searched range whose ends differ by this factor is drawn on a log axis


@dataclass(frozen=True, kw_only=True)
class Plot:
    """One plot: inline SVG, what it is called, and what a reader who cannot see it is told."""

    title: str
    caption: str
    description: str
    svg: str


def plots(view: SweepView) -> list[Plot]:
    """Every plot that the sweep has the numbers for."""
    with mpl.rc_context(STYLE):
        drawn = [
            _learning_curves(view, "val_dice", "Validation Dice"),
            _learning_curves(view, "train_loss", "Training loss"),
            *(_search_plot(view, name) for name in searched_names(view.trials)[:MOST_SEARCHED]),
            _dice_histogram(view),
            _axis_errors(view),
        ]
    return [plot for plot in drawn if plot is not None]


def searched_names(trials: Sequence[Trial]) -> list[str]:
    """The searched parameters of all trials, in order of appearance."""
    return list(dict.fromkeys(name for trial in trials for name in trial.searched))


def _learning_curves(view: SweepView, metric: str, label: str) -> Plot | None:
    trials = [trial for trial in view.trials if trial.history.get(metric)]
    if not trials:
        return None
    figure, axes = _figure("epoch", label)
    for trial in sorted(trials, key=_stand_out(view)):
        epochs, values = zip(*trial.history[metric], strict=True)
        name, colour = _role(view, trial)
        axes.plot(
            epochs,
            values,
            color=colour,
            label=name,
            linewidth=2.6 if trial is view.best else 1.2,
            linestyle="--" if colour == FADED else "-",
            marker="o" if len(epochs) == 1 else None,
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return Plot(
        title=f"{label} by epoch",
        caption="Each line is a trial. Dashed: pruned, failed or still running.",
        description=f"{label} of {len(trials)} trials by epoch.",
        svg=_svg(figure, axes, f"curves-{metric}"),
    )


def _search_plot(view: SweepView, name: str) -> Plot | None:
    points = [
        (trial, value, dice)
        for trial in sorted(view.trials, key=_stand_out(view))
        if (value := number_of(trial.searched.get(name))) is not None
        and (dice := trial.best_val_dice) is not None
    ]
    if not points:
        return None
    figure, axes = _figure(name, "best validation Dice")
    for trial, value, dice in points:
        label, colour = _role(view, trial)
        marker, size = {OURS: ("*", 15), OTHER: ("o", 7), FADED: ("x", 7)}[colour]
        axes.plot(
            value, dice, linestyle="none", marker=marker, markersize=size, color=colour, label=label
        )
    values = [value for _, value, _ in points]
    if min(values) > 0 and max(values) / min(values) >= LOG_FROM:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(numticks=6))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    _, at, highest = max(points, key=lambda point: point[2])
    return Plot(
        title=f"{name} and validation Dice",
        caption="Each mark is a trial; a cross was stopped before its last epoch.",
        description=f"Best validation Dice of {len(points)} trials against {name}; the highest, "
        f"{highest:.3f}, at {short_number(str(at))}.",
        svg=_svg(figure, axes, f"search-{name}"),
    )


def _dice_histogram(view: SweepView) -> Plot | None:
    if not view.lesions:
        return None
    dice = [lesion.dice for lesion in view.lesions]
    figure, axes = _figure("Dice", "lesions at or above (%)")
    share = [100 * (i + 1) / len(dice) for i in range(len(dice))]
    axes.step(
        [1.0, *dice, 0.0],
        [0.0, *share, 100.0],
        where="post",
        color=OURS,
        linewidth=2.2,
        label="ours",
    )
    for reference, style in zip(view.references, ("--", ":", "-."), strict=False):
        if (mean := number_of(reference.metrics.get("dice"))) is not None:
            label = f"mean: {shown(reference.method)}"
            axes.axvline(mean, color=OTHER, linestyle=style, linewidth=1.4, label=label)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 103)
    reached = sum(x >= 0.8 for x in dice)
    return Plot(
        title="Dice over the test lesions",
        caption="The share of test lesions that reach a Dice or more. Upright lines: the mean Dice "
        "of the references on the same lesions.",
        description=f"{reached} of {len(dice)} test lesions reach a Dice of 0.8; the lowest is "
        f"{min(dice):.3f}, the highest {max(dice):.3f}.",
        svg=_svg(figure, axes, "dice"),
    )


def _axis_errors(view: SweepView) -> Plot | None:
    long = _pairs(view.lesions, "long_axis_mm", "long_axis_error")
    short = _pairs(view.lesions, "short_axis_mm", "short_axis_error")
    if not long and not short:
        return None
    figure, axes = _figure("true diameter (mm)", "absolute error (mm)")
    for pairs, label, colour, marker in (
        (long, "long axis", OURS, "o"),
        (short, "short axis", OTHER, "^"),
    ):
        x, y = [x for x, _ in pairs], [y for _, y in pairs]
        axes.plot(
            x, y, linestyle="none", marker=marker, markersize=5, alpha=0.75, color=colour,
            label=label,
        )  # fmt: skip
    axes.set_ylim(bottom=0)
    absent = sum(lesion.long_axis_error is None for lesion in view.lesions)
    note = f" Left out: {absent} without a prediction to measure." if absent else ""
    return Plot(
        title="Diameter errors",
        caption=f"Each mark is one axis of one test lesion.{note}",
        description="Absolute error of the long and the short axis in mm against the true "
        f"diameter, {len(long) + len(short)} points.",
        svg=_svg(figure, axes, "axes"),
    )


def _stand_out(view: SweepView) -> Callable[[Trial], tuple[bool, bool]]:
    """Sort key: the best trial is drawn last, over the finished, over the stopped ones."""
    return lambda trial: (trial is view.best, trial.state == "finished")


def _role(view: SweepView, trial: Trial) -> tuple[str, str]:
    """(name in the legend, colour)."""
    if trial is view.best:
        return f"best: trial {trial.number}", OURS
    return ("finished", OTHER) if trial.state == "finished" else ("stopped", FADED)


def _pairs(lesions: Sequence[LesionResult], x: str, y: str) -> list[tuple[float, float]]:
    pairs = [(getattr(lesion, x), getattr(lesion, y)) for lesion in lesions]
    return [(a, b) for a, b in pairs if a is not None and b is not None]


def _figure(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.0, 3.5), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(shown(x))
    axes.set_ylabel(y)
    return figure, axes


def _svg(figure: Figure, axes: Axes, name: str) -> str:
    """The figure for inlining in HTML: the page's colours, ids that no other plot has."""
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    if len(once) > 1:
        names = sorted(once, key=lambda label: not label.startswith("best: "))
        columns = 3 if len(names) == 3 else 2
        figure.legend([once[x] for x in names], names, loc="outside upper left", ncols=columns)
    text = io.StringIO()
    prefix = re.sub(r"[^a-zA-Z0-9_]+", "-", name)[:100]
    with mpl.rc_context({"svg.hashsalt": prefix}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"| (width|height)="[\d.]+pt"', "", svg, count=4)
    svg = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{prefix}-", svg)
    for stand_in, variable in VARIABLES.items():
        svg = svg.replace(stand_in, f"var(--{variable})")
    return svg.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1)
