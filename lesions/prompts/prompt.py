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

    @classmethod
    def parse(cls, word: str) -> Self:
        """The prompt that `form` describes, as "250,190"; InputError where it is none."""
        try:
            numbers = np.array([float(part) for part in word.split(",")])
            if len(numbers) != len(cls.columns) or not np.isfinite(numbers).all():
                raise ValueError(word)
        except ValueError:
            raise InputError(
                f"--{cls.name} is {shown(word)!r}", remedy=f"say {cls.form} in pixels"
            ) from None
        return cls.from_points(numbers.reshape(-1, 2))


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
