"""A lesion with the human's and our outline and RECIST drawn on it, as a picture."""

import io
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, Stroke
from numpy.typing import NDArray

from lesions.lesion import Lesion
from lesions.readers.png import encode_slice
from lesions.readers.prompted import PromptedSlice
from lesions.recist import Recist

SIZE = 384  # pixels, width and height of the picture
HUMAN, OURS = "#ff6ec7", "#2bff88"  # pink and green, as in the PDNet paper's Fig. 2
SOLID, DASHED = (0.0, None), (0.0, (3.0, 2.5))  # Matplotlib: offset, lengths on and off
SCALE_BAR_MM = 10.0
MARGIN = 2.5
DPI = 96

Mask = NDArray[Any]
Square = tuple[float, float, float]  # left, top, side


def overlay(
    lesion: Lesion,
    truth: Mask | None,
    prediction: Mask | None,
    truth_recist: Recist | None,
    predicted_recist: Recist | None,
    crop_margin: float = MARGIN,
    crop: Square | None = None,
) -> bytes:
    """Draw the crop around a lesion: pink and dashed is the human, green and solid is ours.

    The slice is windowed with the lesion's own window. A white bar of 10 mm stands at the lower
    left; where the crop leaves the slice it is black.

    Args:
        lesion: gives the slice, the window and the spacing.
        truth: label image (H, W), 1 or True is lesion; None draws nothing.
        prediction: the same, ours.
        truth_recist: the human's endpoints, in the slice's pixels.
        predicted_recist: ours.
        crop_margin: the crop's side, × the lesion's longer side; a prediction that reaches
            further widens the crop up to twice that.
        crop: of `crop_of`, where several pictures are to show the same.

    Returns:
        PNG bytes, 384 × 384 RGB.
    """
    left, top, side = crop or crop_of(lesion, prediction, crop_margin)
    figure = Figure(figsize=(SIZE / DPI, SIZE / DPI), dpi=DPI, facecolor="black")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    low, high = lesion.window
    axes.imshow(lesion.slice_hu, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    # The human's dashes go on top: what is below shows between them.
    for mask, recist, colour, style in (
        (prediction, predicted_recist, OURS, SOLID),
        (truth, truth_recist, HUMAN, DASHED),
    ):
        if mask is not None:
            _outline(axes, mask, colour, style)
        if recist is not None:
            _cross(axes, recist, colour, style)
    _scale_bar(axes, left, top, side, SCALE_BAR_MM / lesion.spacing[0])
    axes.set_xlim(left, left + side)
    axes.set_ylim(top + side, top)
    encoded = io.BytesIO()
    figure.savefig(encoded, format="png", metadata={"Software": None})
    return encoded.getvalue()


def answer_overlay(
    seen: PromptedSlice,
    window: tuple[float, float],
    mask: Mask | None,
    recist: Recist | None,
    square: tuple[tuple[float, float], float] | None,
) -> bytes:
    """What was found at a prompt, on a square of the slice.

    Args:
        seen: the slice.
        window: (low, high) HU.
        mask: ours (H, W), or None.
        recist: ours, or None.
        square: its middle (x, y) and its side, pixels of the slice; None takes one around what was
            found, or the whole slice.
    """
    middle, side = square or _square_around(mask, recist, seen.hu.shape)
    (x, y), half = middle, side / 2
    around = Recist([(x - half, y), (x + half, y), (x, y - half), (x, y + half)])
    height, width = seen.hu.shape
    lesion = Lesion(
        file=seen.image.name, row=1, recist=recist or around, spacing=seen.spacing,
        window=window, shape=(height, width), encoded=encode_slice(seen.hu),
    )  # fmt: skip
    view = (
        float(np.floor(x - half) - 0.5),
        float(np.floor(y - half) - 0.5),
        float(np.ceil(2 * half)),
    )
    return overlay(lesion, None, mask, None, recist, crop=view)


def _square_around(
    mask: Mask | None, recist: Recist | None, shape: tuple[int, ...]
) -> tuple[tuple[float, float], float]:
    """The middle (x, y) and side of a square MARGIN × as large as what was found."""
    found = np.empty((0, 2)) if recist is None else recist.points
    if mask is not None:
        rows, columns = np.nonzero(mask == 1)
        found = np.concatenate([found, np.column_stack([columns, rows])])
    if not len(found):
        height, width = shape
        return ((width - 1) / 2, (height - 1) / 2), float(max(shape) + 1)
    low, high = found.min(axis=0), found.max(axis=0)
    x, y = ((low + high) / 2).tolist()
    return (x, y), MARGIN * (float((high - low).max()) + 1)


def crop_of(lesion: Lesion, prediction: Mask | None, crop_margin: float = MARGIN) -> Square:
    """(left, top, side) of the square crop, in pixel coordinates of the slice.

    Pixel centres are integers, so the first pixel of a crop with left = −0.5 is shown whole.
    """
    x0, y0, x1, y1 = lesion.recist.bounds
    centre = np.array([x0 + x1, y0 + y1]) / 2
    extent = max(x1 - x0, y1 - y0)
    half = extent * crop_margin / 2
    if prediction is not None and (prediction == 1).any():
        rows, columns = np.nonzero(prediction == 1)
        reach = np.abs(np.column_stack([columns, rows]) - centre).max() + 0.1 * extent
        half = float(np.clip(reach, half, 2 * half))
    corner = np.floor(centre - half) - 0.5
    return float(corner[0]), float(corner[1]), float(np.ceil(2 * half) + 1)


def _outline(axes: Axes, mask: Mask, colour: str, style: Any) -> None:
    lesion = np.pad(mask == 1, 1).astype(np.float32)  # closes outlines at the slice's edge
    if not lesion.any():
        return
    height, width = mask.shape
    axes.contour(
        np.arange(-1, width + 1), np.arange(-1, height + 1), lesion,
        levels=[0.5], colors=[colour], linewidths=2.0, linestyles=[style],
    ).set_path_effects(_halo(3.2))  # fmt: skip


def _cross(axes: Axes, recist: Recist, colour: str, style: Any) -> None:
    for start, end in recist.points.reshape(2, 2, 2):
        axes.plot(
            [start[0], end[0]], [start[1], end[1]], color=colour, linewidth=1.3, linestyle=style,
            marker="o", markersize=3.5, markeredgewidth=0, path_effects=_halo(2.4),
        )  # fmt: skip


def _scale_bar(axes: Axes, left: float, top: float, side: float, length: float) -> None:
    x, y = left + 0.05 * side, top + 0.95 * side
    axes.plot([x, x + length], [y, y], color="white", linewidth=2.5, solid_capstyle="butt")


def _halo(width: float) -> list[Any]:
    return [Stroke(linewidth=width, foreground=(0, 0, 0, 0.55)), Normal()]
