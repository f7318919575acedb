"""What a network weighed of a lesion and of those beside it, as a picture."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dashboards.plots.overlays import DPI, OURS, SIZE, TOLD, Part, picture_of
from lesions.lesion import Lesion

HEAT, STRENGTH = "inferno", 0.45
MAP_SHARE = 0.66  # of the picture's height
TEXT = {"color": "white", "fontsize": 9, "fontfamily": "sans-serif"}

Weights = NDArray[np.float32]


def attention_picture(
    lesion: Lesion, square: Part, own: Weights, partners: Weights, where: Weights | None
) -> bytes:
    """Above, the view with the weight of each place; below, the weight of each channel.

    Channels are in the order of the lesion's own weights, in green; those that its partners give
    on the mean are yellow. Where the two part, the partners say something of their own.

    Args:
        lesion: gives the slice and the window.
        square: the view's middle (x, y) and side, slice pixels.
        own, partners: (C,), 0…1.
        where: (h, w), over the view; None draws the view alone.

    Returns:
        PNG bytes, 384 × 384 RGB.
    """
    figure = Figure(figsize=(SIZE / DPI, SIZE / DPI), dpi=DPI, facecolor="black")
    above = figure.add_axes((0, 1 - MAP_SHARE, 1, MAP_SHARE))
    above.set_axis_off()
    (x, y), side = square
    left, top = x - side / 2, y - side / 2
    low, high = lesion.window
    above.imshow(lesion.slice_hu, cmap="gray", vmin=low, vmax=high)
    if where is not None:
        extent = (left, left + side, top + side, top)
        above.imshow(where, cmap=HEAT, alpha=STRENGTH, extent=extent, interpolation="nearest")
    above.set_xlim(left, left + side)
    above.set_ylim(top + side, top)
    words = "where it is active" if where is not None else "all places count alike"
    above.set_title(words, y=0.9, **TEXT)  # type: ignore[arg-type]
    _channels(figure, own, partners)
    return picture_of(figure)


def _channels(figure: Figure, own: Weights, partners: Weights) -> None:
    """Both gates, channel by channel."""
    below = figure.add_axes((0.09, 0.12, 0.88, 1 - MAP_SHARE - 0.14), facecolor="black")
    order = np.argsort(own, kind="stable")
    places = np.arange(len(own))
    for weights, colour, words in (
        (partners, TOLD, "its partners' gate"), (own, OURS, "its own gate")
    ):  # fmt: skip
        below.step(places, weights[order], color=colour, linewidth=1.1, where="mid", label=words)
    below.set_xlim(-0.5, len(own) - 0.5)
    below.tick_params(colors="white", labelsize=7)
    below.set_xlabel(f"{len(own)} channels", labelpad=1, **TEXT)  # type: ignore[arg-type]
    for spine in below.spines.values():
        spine.set_color("#555")
    below.legend(fontsize=8, frameon=False, labelcolor="white", loc="upper left", borderpad=0)
