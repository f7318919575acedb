"""The box: around a lesion, and rough."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lesions.errors import InputError
from lesions.lesion import Lesion
from lesions.prompts.prompt import Point, Prompt, Telling, lesion_rng


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
        corners = np.asarray(points, dtype=np.float64)
        (x0, y0), (x1, y1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        if not (x0 < x1 and y0 < y1):
            raise InputError(f"the box {x0:g},{y0:g},{x1:g},{y1:g} has no area")
        return cls(low=(x0, y0), high=(x1, y1))

    @property
    def points(self) -> NDArray[np.float64]:
        """(2, 2): the low and the high corner."""
        return np.array([self.low, self.high])

    @property
    def middle(self) -> Point:
        """Its middle."""
        x, y = self.points.mean(axis=0).tolist()
        return x, y

    @property
    def side(self) -> float:
        """The longer side, pixels."""
        return max(self.high[0] - self.low[0], self.high[1] - self.low[1])


@dataclass(frozen=True, kw_only=True)
class TellBox(Telling):
    """A square `least` to `most` times the longer side of the RECIST's box, which it holds.

    Size and offset are random, fixed by the lesion (STN + SHN: 2 to 2.5 times as large).
    """

    least: float = 2.0
    most: float = 2.5
    kind = Box

    def of(self, lesion: Lesion) -> Box:
        """The lesion's box."""
        return rough_box(lesion.recist.bounds, self.least, self.most, lesion_rng(lesion))


def rough_box(
    bounds: tuple[float, float, float, float],
    least: float,
    most: float,
    rng: np.random.Generator,
) -> Box:
    """A square `least` to `most` times the longer side of `bounds` (x0, y0, x1, y1), holding it."""
    low, high = np.array(bounds[:2]), np.array(bounds[2:])
    side = float((high - low).max()) * rng.uniform(least, most)
    # Uniform over the squares of that side that hold the bounds.
    corner = rng.uniform(high - side, low)
    return Box.from_points([corner, corner + side])
