"""The box: around a lesion, and rough."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lesions.errors import InputError
from lesions.lesion import Lesion
from lesions.masks.parts import part_at
from lesions.prompts.prompt import Point, Prompt, Telling, lesion_rng

LARGEST = 3  # times the image's longer side: 2.5 around a lesion that fills it


@dataclass(frozen=True, kw_only=True)
class Box(Prompt):
    """An upright rectangle of the slice that holds the lesion.

    Attributes:
        low, high: (x, y) of its corners, pixels.
    """

    name = "box"
    words = "a box"
    form = "X0,Y0,X1,Y1"
    columns = ("x0", "y0", "x1", "y1")

    low: Point
    high: Point

    @classmethod
    def from_points(cls, points: ArrayLike) -> Self:
        """The box of two opposite corners (2, 2), in any order."""
        corners = cls._checked(points)
        (x0, y0), (x1, y1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        if not (x0 < x1 and y0 < y1):
            raise InputError(f"the box {x0:g},{y0:g},{x1:g},{y1:g} has no area",
                             remedy="say two opposite corners, X0,Y0,X1,Y1 in pixels")  # fmt: skip
        return cls(low=(x0, y0), high=(x1, y1))

    @property
    def points(self) -> NDArray[np.float64]:
        """(2, 2): the low and the high corner."""
        return np.array([self.low, self.high])

    @property
    def middle(self) -> Point:
        """Its middle."""
        (x0, y0), (x1, y1) = self.low, self.high
        return (x0 + x1) / 2, (y0 + y1) / 2

    @property
    def side(self) -> float:
        """The longer side, pixels."""
        return max(self.high[0] - self.low[0], self.high[1] - self.low[1])

    def check_on(self, shape: tuple[int, int]) -> None:
        """InputError unless its middle lies on an image (H, W), or where it is far larger.

        It may reach beyond the image, as one around a lesion at the border does: it stays whole.
        """
        (x, y), (height, width) = self.middle, shape
        said = f"its {width} × {height} pixels"
        if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
            raise InputError(f"the middle of the box {self.written} lies outside {said}")
        if self.side > LARGEST * max(shape):
            raise InputError(f"the box {self.written} is more than {LARGEST} times as large as "
                             f"{said}")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TellBox(Telling):
    """A square `least` to `most` times the longer side of the RECIST's box, which it holds.

    Size and offset are random, fixed by the lesion (STN + SHN: 2 to 2.5 times as large).
    """

    least: float = 2.0
    most: float = 2.5
    kind = Box

    def __post_init__(self) -> None:
        """ValueError for a square that could not hold the RECIST's box."""
        if not 1 <= self.least <= self.most:
            raise ValueError(f"a box of {self.least} to {self.most} times the lesion")

    def of(self, lesion: Lesion) -> Box:
        """The lesion's box."""
        return rough_box(lesion.recist.bounds, self.least, self.most, lesion_rng(lesion))


def rough_box(
    bounds: tuple[float, float, float, float],
    least: float,
    most: float,
    rng: np.random.Generator,
) -> Box:
    """A square `least` to `most` times the longer side of `bounds` (x0, y0, x1, y1), holding it.

    Each size, and each place of a square of that size, is as likely as the next.
    """
    low, high = np.array(bounds[:2]), np.array(bounds[2:])
    side = float((high - low).max()) * rng.uniform(least, most)
    # By rounding, each of these could be off by a last bit.
    corner = rng.uniform(np.minimum(high - side, low), low)
    return Box.from_points([np.minimum(corner, low), np.maximum(corner + side, high)])


def box_around(mask: NDArray[Any], at: Point, least: float, most: float) -> Box:
    """The box of another model's segmentation: like `rough_box`, with nothing left to chance.

    A square around the box of one 8-connected part, the one that holds the point or is nearest to
    it: with the same middle, and half way between `least` and `most` times its longer side.

    Args:
        mask: (H, W), 1 or True is lesion.
        at: (x, y) pixels.
        least, most: of `rough_box`.

    Raises:
        InputError: no pixel of the mask is lesion.
    """
    rows, columns = np.nonzero(part_at(np.asarray(mask) == 1, at))
    if not len(rows):
        raise InputError("the segmentation is empty: there is nothing to put a box around",
                         remedy=f"draw the box yourself: --{Box.name} {Box.form}")  # fmt: skip
    # From the outer edges of the outermost pixels, as a RECIST is measured from a mask.
    low = np.array([columns.min(), rows.min()]) - 0.5
    high = np.array([columns.max(), rows.max()]) + 0.5
    middle, reach = (low + high) / 2, float((high - low).max()) * (least + most) / 4
    return Box.from_points([middle - reach, middle + reach])
