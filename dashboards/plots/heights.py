"""Heights over a plane between scattered points: filled between triangles, with lines on them."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.tri import Triangulation
from numpy.typing import NDArray

from dashboards.plots.drawing import INK, OURS

LEVELS = 7
STRONGEST = 0.75  # how little the page shines through the highest


def draw_heights(axes: Axes, points: NDArray[Any]) -> bool:
    """Draw them; False, and nothing, where the points do not span a plane or are of one height.

    Args:
        axes: to draw in.
        points: x, y and height of each, (n, 3); of those at one place the mean is drawn.
    """
    places, of = np.unique(points[:, :2], axis=0, return_inverse=True)
    if len(places) < 4:
        return False
    heights = np.bincount(of.ravel(), points[:, 2]) / np.bincount(of.ravel())
    low, high = float(heights.min()), float(heights.max())
    try:
        between = Triangulation(places[:, 0], places[:, 1])
    except (ValueError, RuntimeError):  # all on one line
        return False
    if not high - low > 1e-9 * max(abs(low), abs(high)):
        return False
    levels = np.linspace(low, high, LEVELS + 1)
    # One of the page's colours, the stronger the higher: a page has no other scale of colours.
    colours = [to_rgba(OURS, STRONGEST * (n + 0.5) / LEVELS) for n in range(LEVELS)]
    axes.tricontourf(between, heights, levels=levels, colors=colours)
    lines = axes.tricontour(between, heights, levels=levels[1:-1:2], colors=INK, linewidths=0.5)
    axes.clabel(lines, fmt=lambda height: f"{height:.3g}", fontsize=8, colors=INK)
    return True
