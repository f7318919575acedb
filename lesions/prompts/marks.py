"""The marks: both RECIST axes, as drawn or with an error of a given size."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lesions.errors import InputError
from lesions.lesion import Lesion
from lesions.prompts.prompt import Point, Prompt, Telling, lesion_rng
from lesions.recist import Recist


@dataclass(frozen=True, kw_only=True)
class Marks(Prompt):
    """RECIST marks on the slice."""

    name = "marks"
    words = "the RECIST marks"
    form = "X1,Y1,X2,Y2,X3,Y3,X4,Y4"
    columns = ("x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4")

    recist: Recist

    @classmethod
    def from_points(cls, points: ArrayLike) -> Self:
        """The marks of four endpoints (4, 2): the long axis' two, then the short one's."""
        found = cls._checked(points)
        try:
            return cls(recist=Recist(found))
        except ValueError as error:
            raise InputError(str(error), remedy=cls._remedy()) from None

    @property
    def points(self) -> NDArray[np.float64]:
        """(4, 2): the endpoints in canonical order."""
        return self.recist.points

    @property
    def middle(self) -> Point:
        """Where the axes cross."""
        x, y = self.recist.centre.tolist()
        return x, y

    def check_on(self, shape: tuple[int, int]) -> None:
        """InputError unless all lie on the pixels of an image (H, W), up to their outer edges."""
        height, width = shape
        within = (self.points >= -0.5) & (self.points <= (width - 0.5, height - 0.5))
        if not within.all():
            raise InputError(f"the marks {self.written} lie outside its {width} × {height} pixels")


@dataclass(frozen=True, kw_only=True)
class TellMarks(Telling):
    """The lesion's own marks.

    Attributes:
        noise: each axis is longer or shorter by up to this fraction about the crossing, at
            random, fixed by the lesion (WSSS: 20 %); 0 tells them as annotated.
    """

    noise: float = 0.0
    kind = Marks

    def __post_init__(self) -> None:
        """ValueError for noise that could take an axis away."""
        if not 0 <= self.noise < 1:
            raise ValueError(f"an axis is off by a fraction of its length, not by {self.noise}")

    @property
    def words(self) -> tuple[str, ...]:
        """What is told, and how far off it is."""
        off = f", each axis off by up to {self.noise:.0%}" if self.noise else ""
        return (f"{Marks.words}{off}",)

    def of(self, lesion: Lesion) -> Marks:
        """The lesion's marks."""
        if not self.noise:
            return Marks(recist=lesion.recist)
        long, short = 1 + lesion_rng(lesion).uniform(-self.noise, self.noise, size=2)
        return Marks(recist=Recist(lesion.recist.stretched(long, short)))
