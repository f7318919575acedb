"""Cumulative histograms: the share of lesions that reach a value or more, a line a method."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from dashboards.plots.drawing import CARD, DASHES, INK, SERIES, STYLE, Plot, figure_of, svg_of
from dashboards.tables.metrics import metric_of
from lesions.errors import shown
from lesions.metrics import dice_histogram

AT_OR_ABOVE = "lesions at or above (%)"
LEVELS = np.arange(1001) / 1000
SIZE = (5.6, 4.1)
WORST_LEFT = 0.5  # where the axis of a histogram begins at the latest

Lesions = Sequence[float] | NDArray[np.float64]  # a value each; a NaN is left out


@dataclass(frozen=True, kw_only=True)
class Point:
    """What a paper tells of a method's histogram: the share of lesions at or above a value."""

    method: str
    value: float
    share: float


def draw_reached(axes: Axes, by_seed: Sequence[Lesions], **style: Any) -> NDArray[np.float64]:
    """Draw one line, the mean over seeds, from 0 to 1; its values, one of `LEVELS` each, in %."""
    share = 100 * np.mean([dice_histogram(values, LEVELS)[1] for values in by_seed], axis=0)
    axes.step(LEVELS, share, where="pre", **style)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 103)
    found: NDArray[np.float64] = share
    return found


def cumulative_histogram(
    name: str, where: str, lines: Mapping[str, Sequence[Lesions]], points: Sequence[Point] = ()
) -> Plot | None:
    """The plot of a metric between 0 and 1; None where no lesion has it.

    Args:
        name: the metric's.
        where: what it was measured on, in words.
        lines: each lesion's value, by method and seed.
        points: the paper's.
    """
    known = {
        method: measured
        for method, by_seed in lines.items()
        if (measured := [kept for values in by_seed if len(kept := _known(values))])
    }
    if not known:
        return None
    metric, words = metric_of(name), []
    with mpl.rc_context(STYLE):
        figure, axes = figure_of(metric.title, AT_OR_ABOVE, SIZE)
        colours = {}
        for number, (method, by_seed) in enumerate(known.items()):
            colours[method] = SERIES[number % len(SERIES)]
            share = draw_reached(
                axes, by_seed, color=colours[method], linewidth=1.6, label=shown(method),
                linestyle=DASHES[number % len(DASHES)],
            )  # fmt: skip
            half = LEVELS[np.flatnonzero(share.round(6) >= 50)[-1]]
            lowest = min(values.min() for values in by_seed)
            words.append(f"{method}: lowest {lowest:.3f}, half of the lesions reach {half:.2f}")
        for point in points:
            axes.plot(
                point.value, 100 * point.share, linestyle="none", marker="o", markersize=6.5,
                markeredgewidth=1.6, markerfacecolor=CARD, clip_on=False, zorder=3,
                color=colours.get(point.method, INK), label=shown(f"paper: {point.method}"),
            )  # fmt: skip
            words.append(f"the paper's {point.method}: {point.share:.0%} reach {point.value:g}")
        starts = [*(v.min() for one in known.values() for v in one), *(p.value for p in points)]
        axes.set_xlim(min(WORST_LEFT, np.floor(10 * min(starts)) / 10), 1)
        seeds = "; the mean over the seeds" if max(map(len, known.values())) > 1 else ""
        circles = " Circles: the paper's, on its own lesions." if points else ""
        return Plot(
            title=f"{metric.title} over the lesions of {where}",
            caption=f"The share of lesions that reach a {metric.words} or more{seeds}.{circles}",
            description=f"The share of lesions that reach a {metric.words}. {'; '.join(words)}.",
            svg=svg_of(figure, axes, f"histogram-{name}-{where}"),
        )


def _known(values: Lesions) -> NDArray[np.float64]:
    kept = np.asarray(values, dtype=np.float64)
    return kept[~np.isnan(kept)]
