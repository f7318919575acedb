"""The eight ways to store an image, by flips and quarter turns: a measurement depends on none."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Turn:
    """One of the eight: rows and columns change places first, then each may run backwards."""

    transposed: bool
    upside_down: bool
    mirrored: bool

    def image(self, image: NDArray[Any]) -> NDArray[Any]:
        """The image (H, W) stored so: a view, (W, H) where transposed."""
        rows, columns = (slice(None, None, -1 if back else 1) for back in self.reversed)
        return (image.T if self.transposed else image)[rows, columns]

    @property
    def reversed(self) -> tuple[bool, bool]:
        """Whether rows and columns run backwards."""
        return self.upside_down, self.mirrored

    def scale(self, scale: Points) -> Points:
        """(x, y) mm per pixel of the image stored so."""
        return scale[::-1] if self.transposed else scale

    def points_back(self, points: Points, shape: tuple[int, ...]) -> Points:
        """Points (…, 2) of the image stored so, in the image of this shape (H, W) itself."""
        height, width = shape[::-1] if self.transposed else shape
        x = width - 1 - points[..., 0] if self.mirrored else points[..., 0]
        y = height - 1 - points[..., 1] if self.upside_down else points[..., 1]
        return np.stack([y, x] if self.transposed else [x, y], axis=-1)


TURNS = tuple(Turn(*said) for said in product((False, True), repeat=3))


def same_for_all(image: NDArray[np.bool_], scale: Points) -> Turn:
    """The turn after which an image is stored alike, whichever of the eight ways it was before.

    Where more than one does that, the image is its own mirror image, and each is as good.

    Args:
        image: (H, W).
        scale: (x, y) mm per pixel, which a transposed image has the other way round.
    """

    def plan(turn: Turn) -> tuple[Any, ...]:
        return *turn.scale(scale).tolist(), turn.image(image).shape

    first = min(map(plan, TURNS))
    return min(
        (turn for turn in TURNS if plan(turn) == first),
        key=lambda turn: turn.image(image).tobytes(),
    )
