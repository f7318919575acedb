"""How a trial's state looks: each has a colour and a shape of its own, for paper and for eyes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from dashboards.pages.view import Trial
from dashboards.plots.drawing import OTHER, OURS, SERIES, SOFT


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a state is drawn.

    Attributes:
        marker: Matplotlib's.
        colour: of marks and bars.
        hatch: Matplotlib's, over a bar that is not filled; "" of a filled one.
        size: of the marker, in points.
        hollow: whether the marker is only an outline.
    """

    marker: str
    colour: str
    hatch: str = ""
    size: float = 7.0
    hollow: bool = False


LOOKS = {
    "finished": Look(marker="o", colour=OTHER),
    "pruned": Look(marker="x", colour=SOFT, hatch="////"),
    "failed": Look(marker="v", colour=SERIES[4], hatch="xxxx"),
    "interrupted": Look(marker="D", colour=SERIES[3], hatch="....", size=6.0, hollow=True),
    "running": Look(marker=">", colour=SERIES[2], hatch="----", hollow=True),
}
BEST = Look(marker="*", colour=OURS, size=15.0)
_UNKNOWN = Look(marker="s", colour=SOFT, hatch="||||", size=5.0, hollow=True)


def look_of(trial: Trial, best: Trial | None) -> tuple[str, Look]:
    """(name in the legend, how it is drawn)."""
    if trial is best:
        return f"best: trial {trial.number}", BEST
    if trial.state in LOOKS:
        return trial.state, LOOKS[trial.state]
    return "another state", _UNKNOWN


def in_order(trials: Iterable[Trial], best: Trial | None) -> list[Trial]:
    """Those of a state together, in the legend's order, and the best one drawn over all."""
    place = {state: number for number, state in enumerate(LOOKS)}
    return sorted(trials, key=lambda one: (one is best, place.get(one.state, len(place))))


def mark(axes: Axes, x: float, y: float, name: str, look: Look, **style: Any) -> None:
    """One trial's mark."""
    axes.plot(
        [x], [y], linestyle="none", marker=look.marker, markersize=look.size, color=look.colour,
        markerfacecolor="none" if look.hollow else look.colour, label=name, **style,
    )  # fmt: skip
