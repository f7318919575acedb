"""The plots of a sweep's report."""

from collections.abc import Callable, Iterable

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from dashboards.pages.view import SweepView, Trial
from dashboards.plots.drawing import FADED, OTHER, OURS, STYLE, Plot, figure_of, svg_of
from dashboards.plots.histograms import AT_OR_ABOVE, draw_reached
from dashboards.plots.scales import LOG_FROM
from dashboards.recorded.numbers import number_of
from dashboards.tables.comparison import short_number
from dashboards.tables.metrics import metric_of
from dashboards.tables.trials import searched_names
from lesions.errors import shown

MOST_SEARCHED = 30  # parameters that have a plot
MOST_BINS = 20


def plots(view: SweepView) -> list[Plot]:
    """Every plot that the sweep has the numbers for."""
    merit = metric_of(view.merit.name)
    with mpl.rc_context(STYLE):
        drawn = [
            _learning_curves(view, view.merit.validated, f"Validation {merit.measured}"),
            _learning_curves(view, "train_loss", "Training loss"),
            *(_search_plot(view, name) for name in searched_names(view.trials)[:MOST_SEARCHED]),
            _reached(view) if _is_share(view) else _histogram(view),
            _axis_errors(view),
        ]
    return [plot for plot in drawn if plot is not None]


def _learning_curves(view: SweepView, metric: str, label: str) -> Plot | None:
    trials = [trial for trial in view.trials if trial.history.get(metric)]
    if not trials:
        return None
    figure, axes = figure_of("epoch", label)
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
        svg=svg_of(figure, axes, f"curves-{metric}"),
    )


def _search_plot(view: SweepView, name: str) -> Plot | None:
    points = [
        (trial, value, best)
        for trial in sorted(view.trials, key=_stand_out(view))
        if (value := number_of(trial.searched.get(name))) is not None
        and (best := trial.best_value(view.merit)) is not None
    ]
    if not points:
        return None
    metric = metric_of(view.merit.name)
    figure, axes = figure_of(name, f"best validation {metric.measured}")
    for trial, value, best in points:
        label, colour = _role(view, trial)
        marker, size = {OURS: ("*", 15), OTHER: ("o", 7), FADED: ("x", 7)}[colour]
        axes.plot(
            value, best, linestyle="none", marker=marker, markersize=size, color=colour, label=label
        )
    values = [value for _, value, _ in points]
    if min(values) > 0 and max(values) / min(values) >= LOG_FROM:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(numticks=6))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    _, at, best = min(points, key=lambda point: view.merit.rank(point[2]))
    end = "highest" if view.merit.better == "higher" else "lowest"
    return Plot(
        title=f"{name} and validation {metric.words}",
        caption="Each mark is a trial; a cross was stopped before its last epoch.",
        description=f"Best validation {metric.measured} of {len(points)} trials against {name}; "
        f"the {end}, {best:.3f}, at {short_number(str(at))}.",
        svg=svg_of(figure, axes, f"search-{name}"),
    )


def _is_share(view: SweepView) -> bool:
    """Whether the merit is a part of one whole, the more the better, as Dice is."""
    values, metric = _values(view), metric_of(view.merit.name)
    between = metric.fraction or (not metric.unit and all(0 <= x <= 1 for x in values))
    return view.merit.better == "higher" and between


def _values(view: SweepView) -> list[float]:
    """The merit of every test lesion that has it, the best first."""
    name = view.merit.name
    return [lesion.metrics[name] for lesion in view.lesions if name in lesion.metrics]


def _reached(view: SweepView) -> Plot | None:
    """The share of lesions that reach a figure of merit or more."""
    values, metric = _values(view), metric_of(view.merit.name)
    if not values:
        return None
    figure, axes = figure_of(metric.title, AT_OR_ABOVE)
    draw_reached(axes, [values], color=OURS, linewidth=2.2, label="ours")
    _reference_lines(view, axes)
    reached = sum(x >= 0.8 for x in values)
    return Plot(
        title=f"{metric.title} over the test lesions",
        caption=f"The share of test lesions that reach a {metric.words} or more. Upright lines: "
        f"the mean {metric.words} of the references on the same lesions.",
        description=f"{reached} of {len(values)} test lesions reach a {metric.words} of 0.8; the "
        f"lowest is {min(values):.3f}, the highest {max(values):.3f}.",
        svg=svg_of(figure, axes, f"lesions-{view.merit.name}"),
    )


def _histogram(view: SweepView) -> Plot | None:
    """How many lesions have which figure of merit."""
    values, metric = _values(view), metric_of(view.merit.name)
    if not values:
        return None
    figure, axes = figure_of(metric.heading, "lesions")
    apart = max(values) - min(values) > 1e-6 * max(map(abs, values))
    axes.hist(values, bins=min(MOST_BINS, len(values)) if apart else 1, color=OURS, label="ours")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    _reference_lines(view, axes)
    return Plot(
        title=f"{metric.title} over the test lesions",
        caption=f"How many test lesions have which {metric.measured}. Upright lines: the mean of "
        "the references on the same lesions.",
        description=f"{metric.heading} of {len(values)} test lesions; the lowest is "
        f"{min(values):.3f}, the highest {max(values):.3f}.",
        svg=svg_of(figure, axes, f"lesions-{view.merit.name}"),
    )


def _reference_lines(view: SweepView, axes: Axes) -> None:
    for reference, style in zip(view.references, ("--", ":", "-."), strict=False):
        if (mean := number_of(reference.metrics.get(view.merit.name))) is not None:
            label = f"mean: {shown(reference.method)}"
            axes.axvline(mean, color=OTHER, linestyle=style, linewidth=1.4, label=label)


def _axis_errors(view: SweepView) -> Plot | None:
    long = _pairs((one.long_axis_mm, one.metrics.get("long_axis_error")) for one in view.lesions)
    short = _pairs((one.short_axis_mm, one.metrics.get("short_axis_error")) for one in view.lesions)
    if not long and not short:
        return None
    figure, axes = figure_of("true diameter (mm)", "absolute error (mm)")
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
    absent = sum("long_axis_error" not in lesion.metrics for lesion in view.lesions)
    note = f" Left out: {absent} without a prediction to measure." if absent else ""
    return Plot(
        title="Diameter errors",
        caption=f"Each mark is one axis of one test lesion.{note}",
        description="Absolute error of the long and the short axis in mm against the true "
        f"diameter, {len(long) + len(short)} points.",
        svg=svg_of(figure, axes, "axes"),
    )


def _stand_out(view: SweepView) -> Callable[[Trial], tuple[bool, bool]]:
    """Sort key: the best trial is drawn last, over the finished, over the stopped ones."""
    return lambda trial: (trial is view.best, trial.state == "finished")


def _role(view: SweepView, trial: Trial) -> tuple[str, str]:
    """(name in the legend, colour)."""
    if trial is view.best:
        return f"best: trial {trial.number}", OURS
    return ("finished", OTHER) if trial.state == "finished" else ("stopped", FADED)


def _pairs(measured: Iterable[tuple[float | None, float | None]]) -> list[tuple[float, float]]:
    return [(a, b) for a, b in measured if a is not None and b is not None]
