"""What every prompt is, and what makes one from a lesion."""

import hashlib
from abc import ABC, abstractmethod
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lesions.errors import InputError, shown
from lesions.lesion import Lesion

Point = tuple[float, float]


class Prompt(ABC):
    """What a system is told of a lesion: points of a slice, (x, y) pixels, centres at integers.

    Attributes:
        name: of the kind: "click", also the option that takes it.
        words: the kind in a sentence: "a click".
        form: how it is written: "X,Y".
        columns: of a table, x and y of each point in turn.
    """

    name: ClassVar[str]
    words: ClassVar[str]
    form: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]

    @classmethod
    @abstractmethod
    def from_points(cls, points: ArrayLike) -> Self:
        """The prompt of these points (N, 2); InputError where they are none of this kind."""

    @property
    @abstractmethod
    def points(self) -> NDArray[np.float64]:
        """(N, 2): what `from_points` makes the same prompt of."""

    @property
    @abstractmethod
    def middle(self) -> Point:
        """(x, y): where the lesion is looked for."""

    @abstractmethod
    def check_on(self, shape: tuple[int, int]) -> None:
        """InputError unless it can be meant of an image (H, W)."""

    @property
    def written(self) -> str:
        """Its numbers as `form` has them: "250,190"."""
        return ",".join(f"{number:g}" for number in self.points.flat)

    @classmethod
    def parse(cls, word: str) -> Self:
        """The prompt that `form` describes; InputError where it is none.

        >>> from lesions.prompts import Box, Click
        >>> Click.parse("250,190").at
        (250.0, 190.0)
        >>> Box.parse("40,80,20,60").middle
        (30.0, 70.0)
        """
        try:
            numbers = [float(part) for part in word.split(",")]
        except ValueError:
            numbers = []
        if len(numbers) != len(cls.columns) or not np.isfinite(numbers).all():
            raise InputError(f"--{cls.name} is {shown(word)!r}", remedy=cls._remedy())
        return cls.from_points(np.reshape(numbers, (-1, 2)))

    @classmethod
    def _remedy(cls) -> str:
        return f"say {cls.form} in pixels"

    @classmethod
    def _checked(cls, points: ArrayLike) -> NDArray[np.float64]:
        """The points as float64 (N, 2); InputError for another number of them, NaN, infinity."""
        shape = (len(cls.columns) // 2, 2)
        try:
            found = np.asarray(points, dtype=np.float64)
        except (TypeError, ValueError):  # no numbers, or rows of different lengths
            raise InputError(f"the points of {cls.words} are no array of numbers",
                             remedy=cls._remedy()) from None  # fmt: skip
        if found.shape != shape:
            raise InputError(f"the points of {cls.words} have the shape {found.shape}, not {shape}",
                             remedy=cls._remedy())  # fmt: skip
        if not np.isfinite(found).all():
            raise InputError(f"a point of {cls.words} is not finite: {found.tolist()}",
                             remedy=cls._remedy())  # fmt: skip
        return found


class Telling(ABC):
    """How evaluation tells a system of a lesion."""

    @property
    @abstractmethod
    def kind(self) -> type[Prompt]:
        """The kind of prompt that it makes."""

    @property
    def words(self) -> tuple[str, ...]:
        """What is told beside the slice: ("a click",)."""
        return (self.kind.words,)

    @abstractmethod
    def of(self, lesion: Lesion) -> Prompt:
        """The lesion's prompt, the same whenever it is asked for."""


def lesion_rng(lesion: Lesion) -> np.random.Generator:
    """What is random about a prompt is fixed by the lesion."""
    seed = hashlib.sha256(f"{lesion.file}:{lesion.row}".encode()).digest()[:8]
    return np.random.default_rng(int.from_bytes(seed, "little"))
