"""When each trial ran, and how it ended."""

from collections.abc import Sequence

from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import offset_copy

from dashboards.pages.view import SweepView, Trial
from dashboards.plots.drawing import Plot, figure_of, svg_of
from dashboards.plots.states import in_order, look_of, mark
from lesions.errors import shown

UNITS = ((7200.0, 3600.0, "hours"), (120.0, 60.0, "minutes"))  # from which length, seconds of one
BAR_INCHES, MOST_INCHES = 0.13, 8.0
AFTER = 6  # points from a bar's end to its mark


def timeline(view: SweepView) -> Plot | None:
    """The plot; None where no trial tells when it began."""
    known = [trial for trial in view.trials if trial.started is not None]
    if not known:
        return None
    begun = min(trial.started or 0.0 for trial in known)
    latest = _latest(view, known)
    whole = max((latest - begun) / 1000, 1e-3)
    second, words = next(((s, w) for least, s, w in UNITS if whole >= least), (1.0, "seconds"))
    height = min(MOST_INCHES, max(2.0, 1.2 + BAR_INCHES * len(known)))
    figure, axes = figure_of(f"{words} since the first trial began", "trial", (7.2, height))
    after = offset_copy(axes.transData, figure, x=AFTER, units="points")
    for trial in in_order(known, view.best):
        start = ((trial.started or 0.0) - begun) / 1000 / second
        end = ((latest if trial.ended is None else trial.ended) - begun) / 1000 / second
        name, look = look_of(trial, view.best)
        axes.barh(
            trial.number, max(0.0, end - start), left=start, height=0.62, edgecolor=look.colour,
            color="none" if look.hatch else look.colour, hatch=look.hatch, linewidth=0.8,
        )  # fmt: skip
        mark(axes, max(start, end), trial.number, name, look, transform=after, clip_on=False)
    axes.set_xlim(left=0)
    axes.set_ylim(max(trial.number for trial in known) + 0.7, -0.7)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(axis="y", visible=False)
    return Plot(
        title="When the trials ran",
        caption="Each bar is a trial, from its start to its end; the mark at its end tells how it "
        "ended. One that was tried again is one bar.",
        description=f"{_counted(known)}, over {whole / second:.3g} {words}.",
        svg=svg_of(figure, axes, "timeline", least=1),
        wide=True,
    )


def _latest(view: SweepView, trials: Sequence[Trial]) -> float:
    """When something was last heard of the sweep: where a bar without an end is cut off."""
    told = [view.ended, *(time for one in trials for time in (one.started, one.ended))]
    return max(time for time in told if time is not None)


def _counted(trials: Sequence[Trial]) -> str:
    states = [shown(trial.state) for trial in trials]
    counts = [f"{states.count(state)} {state}" for state in dict.fromkeys(states)]
    return f"{len(trials)} trials: {', '.join(counts)}"
