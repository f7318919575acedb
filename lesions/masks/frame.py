"""The rectangle of pixels about a RECIST in which its pseudo masks are made."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lesions.recist import Recist

Image = NDArray[np.float64]
Mask = NDArray[np.bool_]
Part = tuple[slice, slice]

# Distances in pixels that differ by less are the same: far above the rounding of single precision.
_DECIMALS = 4


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Whole pixels, laid out as if the image had no border: near it, nothing looks different.

    Attributes:
        left, top: the first column and row; negative beyond the image's border.
        width, height: pixels.
    """

    left: int
    top: int
    width: int
    height: int

    @classmethod
    def about(cls, recist: Recist) -> "Frame":
        """The WSSS paper's region of interest: twice the extent of the RECIST [w, h].

        At least one pixel wider on each side than the box that holds half of its area (3.1).
        """
        centre, size = box(recist)
        half = np.maximum(size, np.sqrt(0.5) * size + 1)
        left, top = np.ceil(centre - half).astype(int).tolist()
        right, bottom = np.floor(centre + half).astype(int).tolist()
        return cls(left=left, top=top, width=right - left + 1, height=bottom - top + 1)

    @property
    def grid(self) -> tuple[Image, Image]:
        """x (1, width) and y (height, 1) of the pixels."""
        x = np.arange(self.left, self.left + self.width, dtype=np.float64)
        y = np.arange(self.top, self.top + self.height, dtype=np.float64)
        return x[None, :], y[:, None]

    def overlap(self, shape: tuple[int, int]) -> tuple[Part, Part]:
        """The part within an image (H, W): where it lies in the frame, and where in the image."""
        height, width = shape
        top, left = max(self.top, 0), max(self.left, 0)
        bottom = max(min(self.top + self.height, height), top)
        right = max(min(self.left + self.width, width), left)
        return (
            np.s_[top - self.top : bottom - self.top, left - self.left : right - self.left],
            np.s_[top:bottom, left:right],
        )

    def within(self, recist: Recist, scale: float) -> Mask:
        """Pixels of the box [w, h] about the RECIST, its sides times `scale`: (height, width).

        No side is shorter than a pixel, so the box is never empty.
        """
        (x, y), (centre, size) = self.grid, box(recist)
        half = np.maximum(scale * size, 1.0) / 2
        return np.asarray((np.abs(x - centre[0]) <= half[0]) & (np.abs(y - centre[1]) <= half[1]))

    def from_axes(self, recist: Recist) -> Image:
        """Distance in pixels to the nearer of the two axes, (height, width)."""
        x, y = self.grid
        long, short = (_from_segment(x, y, *axis) for axis in recist.points.reshape(2, 2, 2))
        return np.minimum(long, short)

    def from_centre(self, recist: Recist) -> Image:
        """Distance in pixels to the axes' intersection, (height, width)."""
        (x, y), centre = self.grid, recist.centre
        return np.asarray(np.hypot(x - centre[0], y - centre[1]))


def box(recist: Recist) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The tight box's centre (x, y) and sides [w, h], each of them at least a pixel."""
    bounds = np.reshape(recist.bounds, (2, 2))
    return bounds.mean(axis=0), np.maximum(bounds[1] - bounds[0], 1.0)


def lowest(values: Image, ties: Image, count: int) -> Mask:
    """The `count` places with the lowest values; of equal ones those with lower `ties` come first.

    What is equal in both is taken in the order of the array.
    """
    chosen = np.zeros(values.shape, dtype=np.bool_)
    if count > 0:
        values = np.round(values, _DECIMALS)
        last = np.partition(values, count - 1, axis=None)[count - 1]
        chosen[values < last] = True
        equal = np.flatnonzero(values == last)
        order = np.argsort(np.round(ties.flat[equal], _DECIMALS), kind="stable")
        chosen.flat[equal[order[: count - np.count_nonzero(chosen)]]] = True
    return chosen


def _from_segment(x: Image, y: Image, start: Image, end: Image) -> Image:
    along = end - start
    t = ((x - start[0]) * along[0] + (y - start[1]) * along[1]) / (along @ along)
    t = np.clip(t, 0, 1)
    return np.asarray(np.hypot(x - start[0] - t * along[0], y - start[1] - t * along[1]))
