"""What every plot has: its style, its figure, and SVG that takes its colours from the page."""

import io
import re
import textwrap
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lesions.errors import shown

# Stand-ins for the page's CSS variables: Matplotlib only knows fixed colours.
INK, LINE, OURS, OTHER, FADED = "#010001", "#010002", "#010003", "#010004", "#010005"
CARD, SOFT = "#010006", "#010007"
# Methods side by side; what is more than these takes them again, in another dash.
SERIES = ("#010011", "#010012", "#010013", "#010014", "#010015", "#010016")
DASHES = ("-", "--", "-.", (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5, 1, 1.5)))
VARIABLES = {
    INK: "ink", LINE: "line", OURS: "ours", OTHER: "other", FADED: "faded", CARD: "card",
    SOFT: "soft",
    **{colour: f"series-{number}" for number, colour in enumerate(SERIES, 1)},
}  # fmt: skip
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
WIDEST = 32  # letters of an upright label


@dataclass(frozen=True, kw_only=True)
class Plot:
    """One plot: inline SVG, what it is called, and what a reader who cannot see it is told.

    Attributes:
        wide: whether it takes the page's whole width.
    """

    title: str
    caption: str
    description: str
    svg: str
    wide: bool = False


def figure_of(x: str, y: str, size: tuple[float, float] = (5.0, 3.5)) -> tuple[Figure, Axes]:
    """An empty figure of a size in inches, and its axes with these labels."""
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(shown(x))
    axes.set_ylabel(textwrap.fill(y, WIDEST))
    return figure, axes


def svg_of(figure: Figure, axes: Axes, name: str, least: int = 2) -> str:
    """The figure for inlining in HTML: the page's colours, ids that no other plot has.

    Args:
        figure, axes: what was drawn.
        name: of the plot on its page.
        least: how many kinds of marks there are before a legend tells them apart.
    """
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    if len(once) >= least:
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
