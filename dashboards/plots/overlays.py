"""A lesion with the human's and our outline and RECIST drawn on it, as a picture."""

import io
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.patheffects import Normal, Stroke
from matplotlib.transforms import Affine2D, IdentityTransform, Transform
from numpy.typing import NDArray

from lesions.lesion import Lesion
from lesions.prompts import Box
from lesions.readers.png import encode_slice
from lesions.readers.prompted import PromptedSlice
from lesions.recist import Recist

SIZE = 384  # pixels, width and height of the picture
HUMAN, OURS = "#ff6ec7", "#2bff88"  # pink and green, as in the PDNet paper's Fig. 2
TOLD, VIEWED = "#ffd166", "#5cc8ff"  # yellow and blue: a box, and the view that was taken
SOLID, DASHED = (0.0, None), (0.0, (3.0, 2.5))  # Matplotlib: offset, lengths on and off
SCALE_BAR_MM = 10.0
UNEVEN = 1.01  # of a pixel's sides: from here on a bar stands for each
UPPER_LEFT = 0.06  # of a view's side: where the mark of its upper left corner is
MARGIN = 2.5
DPI = 96

Mask = NDArray[Any]
Square = tuple[float, float, float]  # left, top, side
Part = tuple[tuple[float, float], float]  # middle (x, y) and side of a square, slice pixels
View = tuple[NDArray[np.float64], int]  # (2, 3), a view's pixels → the slice's; the view's side


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
    left, and one upright where pixels are no squares; where the crop leaves the slice it is black.

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
    figure, (axes,) = _panels(1)
    _slice(axes, lesion.slice_hu, lesion.window, interpolation="nearest")
    # The human's dashes go on top: what is below shows between them.
    for mask, recist, colour, style in (
        (prediction, predicted_recist, OURS, SOLID),
        (truth, truth_recist, HUMAN, DASHED),
    ):
        if mask is not None:
            _outline(axes, mask, colour, style)
        if recist is not None:
            _cross(axes, recist, colour, style)
    _show(axes, (left, top, side), np.array(lesion.spacing[:2]))
    return picture_of(figure)


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    """Black squares side by side, without axes."""
    figure = Figure(figsize=(count * SIZE / DPI, SIZE / DPI), dpi=DPI, facecolor="black")
    panels = [figure.add_axes((at / count, 0, 1 / count, 1)) for at in range(count)]
    for panel in panels:
        panel.set_axis_off()
    return figure, panels


def _show(axes: Axes, crop: Square, mm: NDArray[np.float64]) -> None:
    """A part of what is drawn, with its scale bars; `mm` (2,) a pixel, across and down."""
    left, top, side = crop
    _scale_bar(axes, left, top, side, SCALE_BAR_MM / mm)
    axes.set_xlim(left, left + side)
    axes.set_ylim(top + side, top)


def picture_of(figure: Figure) -> bytes:
    """PNG bytes of what was drawn."""
    encoded = io.BytesIO()
    figure.savefig(encoded, format="png", metadata={"Software": None})
    return encoded.getvalue()


def answer_overlay(
    seen: PromptedSlice,
    window: tuple[float, float],
    mask: Mask | None,
    recist: Recist | None,
    square: Part | None,
    view: View | None = None,
) -> bytes:
    """What was found at a prompt, on a square of the slice, and beside it in the view of it.

    Args:
        seen: the slice.
        window: (low, high) HU.
        mask: ours (H, W), or None.
        recist: ours, or None.
        square: its middle (x, y) and its side, pixels of the slice; None takes one around what was
            found, or the whole slice.
        view: that was taken of it, if any. The picture is twice as wide then.
    """
    part = square or _square_around(mask, recist, seen.hu.shape)
    if view is not None:
        return _beside_its_view(seen, window, mask, recist, part, view)
    (x, y), half = part[0], part[1] / 2
    around = Recist([(x - half, y), (x + half, y), (x, y - half), (x, y + half)])
    height, width = seen.hu.shape
    lesion = Lesion(
        file=seen.image.name, row=1, recist=recist or around, spacing=seen.spacing,
        window=window, shape=(height, width), encoded=encode_slice(seen.hu),
    )  # fmt: skip
    crop = (
        float(np.floor(x - half) - 0.5),
        float(np.floor(y - half) - 0.5),
        float(np.ceil(2 * half)),
    )
    return overlay(lesion, None, mask, None, recist, crop=crop)


def _beside_its_view(
    seen: PromptedSlice,
    window: tuple[float, float],
    mask: Mask | None,
    recist: Recist | None,
    part: Part,
    view: View,
) -> bytes:
    """The slice and the view, in both ours, the box that was told and the view's outline.

    A dot is at the view's upper left. The view is black beyond the slice, and beyond the part of
    the slice that was looked at.
    """
    matrix, size = view
    to_slice, mm = Affine2D(np.vstack([matrix, [0, 0, 1]])), np.array(seen.spacing[:2])
    middle = (size - 1) / 2
    outline = to_slice.transform(_corners(((middle, middle), size)))
    told = _box(seen.prompt) if isinstance(seen.prompt, Box) else outline[:0]
    figure, (left, right) = _panels(2)
    for axes, turned, interpolation in (
        (left, IdentityTransform(), "nearest"), (right, to_slice.inverted(), "bilinear")
    ):  # fmt: skip
        placed = turned + axes.transData
        _slice(axes, seen.hu, window, interpolation=interpolation, transform=placed)
        if mask is not None:
            _outline(axes, mask, OURS, SOLID, placed)
        for corners, colour in ((told, TOLD), (outline, VIEWED)):
            axes.fill(*corners.T, fill=False, edgecolor=colour, linewidth=1.5, transform=placed)
        corner = to_slice.transform([(UPPER_LEFT * size, UPPER_LEFT * size)])
        axes.plot(*corner.T, "o", color=VIEWED, markersize=5, transform=placed)
        if recist is not None:
            _cross(axes, recist, OURS, SOLID, placed)
    right.images[0].set_clip_path(Path(_corners(part)), to_slice.inverted() + right.transData)
    _show(left, _around(part, np.concatenate([told, outline])), mm)
    _show(right, (-0.5, -0.5, size), np.hypot(*(matrix[:, :2] * mm[:, None])))
    return picture_of(figure)


def _corners(part: Part) -> NDArray[np.float64]:
    """(4, 2), one after the other."""
    middle, side = part
    return np.array(middle) + side / 2 * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])


def _box(box: Box) -> NDArray[np.float64]:
    """Its corners (4, 2), one after the other."""
    (x0, y0), (x1, y1) = box.points
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def _around(part: Part, points: NDArray[np.float64]) -> Square:
    """The crop that shows a part and these points, up to twice the part's side."""
    (x, y), side = part
    reach = 1.05 * float(np.abs(points - part[0]).max())
    half = float(np.clip(reach, side / 2, side))
    return x - half, y - half, 2 * half


def _square_around(mask: Mask | None, recist: Recist | None, shape: tuple[int, ...]) -> Part:
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


def _slice(axes: Axes, hu: NDArray[np.int16], window: tuple[float, float], **how: Any) -> None:
    low, high = window
    axes.imshow(hu, cmap="gray", vmin=low, vmax=high, **how)


def _outline(
    axes: Axes, mask: Mask, colour: str, style: Any, placed: Transform | None = None
) -> None:
    lesion = np.pad(mask == 1, 1).astype(np.float32)  # closes outlines at the slice's edge
    if not lesion.any():
        return
    height, width = mask.shape
    axes.contour(
        np.arange(-1, width + 1), np.arange(-1, height + 1), lesion,
        levels=[0.5], colors=[colour], linewidths=2.0, linestyles=[style],
        transform=placed or axes.transData,
    ).set_path_effects(_halo(3.2))  # fmt: skip


def _cross(
    axes: Axes, recist: Recist, colour: str, style: Any, placed: Transform | None = None
) -> None:
    for start, end in recist.points.reshape(2, 2, 2):
        axes.plot(
            [start[0], end[0]], [start[1], end[1]], color=colour, linewidth=1.3, linestyle=style,
            marker="o", markersize=3.5, markeredgewidth=0, path_effects=_halo(2.4),
            transform=placed or axes.transData,
        )  # fmt: skip


def _scale_bar(
    axes: Axes, left: float, top: float, side: float, lengths: NDArray[np.float64]
) -> None:
    """As long as these (2,) across and down: one bar where they are the same, else both."""
    x, y = left + 0.05 * side, top + 0.95 * side
    across, down = lengths.tolist()
    uneven = max(across, down) > UNEVEN * min(across, down)
    xs, ys = ([x, x, x + across], [y - down, y, y]) if uneven else ([x, x + across], [y, y])
    axes.plot(xs, ys, color="white", linewidth=2.5, solid_capstyle="butt")


def _halo(width: float) -> list[Any]:
    return [Stroke(linewidth=width, foreground=(0, 0, 0, 0.55)), Normal()]
