"""The click: where it may fall, and the two images that tell a network of it (PDNet)."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lesions.ellipse import ellipse
from lesions.errors import InputError
from lesions.heatmaps import gaussian
from lesions.lesion import Lesion
from lesions.prompts.prompt import Point, Prompt, Telling, lesion_rng
from lesions.recist import Recist


@dataclass(frozen=True, kw_only=True)
class Click(Prompt):
    """A point of the lesion, and what an earlier part of a system would say of its box.

    Attributes:
        at: (x, y) pixels.
        size: the longer side of the lesion's box, pixels, where it is told.
        place: (x, y), the middle of that box, where it is told.
    """

    name = "click"
    words = "a click"
    form = "X,Y"
    columns = ("x", "y")

    at: Point
    size: float | None = None
    place: Point | None = None

    @classmethod
    def from_points(cls, points: ArrayLike) -> Self:
        """The click at a point (1, 2); of size and place nothing is told."""
        ((x, y),) = cls._checked(points).tolist()
        return cls(at=(x, y))

    @property
    def points(self) -> NDArray[np.float64]:
        """(1, 2)."""
        return np.array([self.at])

    @property
    def middle(self) -> Point:
        """The point itself."""
        return self.at

    def check_on(self, shape: tuple[int, int]) -> None:
        """InputError unless it lies between the outermost pixels' centres of an image (H, W)."""
        (x, y), (height, width) = self.at, shape
        if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
            raise InputError(f"the click {self.written} lies outside its {width} × {height} pixels")


@dataclass(frozen=True, kw_only=True)
class TellClick(Telling):
    """A random point of the click region, fixed by the lesion.

    Attributes:
        size: tell the longer side of the RECIST's ellipse too, in place of the size that an
            earlier part would find.
        place: tell the middle of the ellipse's box too, where the size is told.
    """

    size: bool = False
    place: bool = False
    kind = Click

    def __post_init__(self) -> None:
        """ValueError for a place without a size."""
        if self.place and not self.size:
            raise ValueError("the lesion's place is told with its size, not alone")

    @property
    def words(self) -> tuple[str, ...]:
        """A click, and what else is told."""
        if not self.size:
            return (Click.words,)
        told = "size and place" if self.place else "size (not its place)"
        return Click.words, f"the lesion's {told}"

    def of(self, lesion: Lesion) -> Click:
        """The lesion's click."""
        at = random_click(lesion.recist, lesion.shape, lesion_rng(lesion))
        if not self.size:
            return Click(at=at)
        middle, size = ellipse_box(lesion.recist, lesion.shape)
        return Click(at=at, size=size, place=middle if self.place else None)


def ellipse_box(recist: Recist, shape: tuple[int, int]) -> tuple[Point, float]:
    """The middle (x, y) of the ellipse's bounding box and its longer side, in slice pixels."""
    rows, columns = np.nonzero(ellipse(recist, shape))
    (x0, x1), (y0, y1) = ((v.min(), v.max()) for v in (columns, rows))
    return ((x0 + x1) / 2, (y0 + y1) / 2), float(max(x1 - x0, y1 - y0) + 1)


def click_region(recist: Recist, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Where a radiologist would click: the ellipse at half its area, bool (H, W), never empty."""
    return ellipse(recist, shape, scale=0.5)


def random_click(
    recist: Recist, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[float, float]:
    """A pixel (x, y) of the click region, each as likely as the next."""
    row, column = divmod(int(rng.choice(np.flatnonzero(click_region(recist, shape)))), shape[1])
    return float(column), float(row)


def click_prior(
    click: tuple[float, float], shape: tuple[int, int], sigma: float
) -> NDArray[np.float32]:
    """The click image and the distance image.

    Args:
        click: (x, y) pixels.
        shape: (H, W).
        sigma: the Gaussian's standard deviation, pixels.

    Returns:
        float32 (2, H, W): a Gaussian with peak 1 at the click, and the Euclidean distance from
        the click, divided by that of the pixel furthest away.
    """
    x = np.arange(shape[1], dtype=np.float32) - np.float32(click[0])
    y = np.arange(shape[0], dtype=np.float32) - np.float32(click[1])
    prior = np.empty((2, *shape), dtype=np.float32)
    np.multiply(gaussian(y, sigma)[:, None], gaussian(x, sigma), out=prior[0])
    furthest = max(float(np.hypot(np.abs(x).max(), np.abs(y).max())), 1.0)
    np.add(np.square(y / furthest)[:, None], np.square(x / furthest), out=prior[1])
    np.minimum(np.sqrt(prior[1], out=prior[1]), 1, out=prior[1])
    return prior
