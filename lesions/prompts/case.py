"""A case: all that a system sees of a lesion."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lesions.lesion import Lesion
from lesions.prompts.prompt import Prompt, Telling


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A slice and what is told of the lesion on it.

    Attributes:
        slice_hu: the key slice, HU (H, W).
        window: (low, high) HU.
        spacing: (x, y, z) mm.
        prompt: in the slice's pixels.
        volume: the slices around it, HU (D, H, W), where they are at hand.
        key: the key slice's place in `volume`.
    """

    slice_hu: NDArray[np.int16]
    window: tuple[float, float]
    spacing: tuple[float, float, float]
    prompt: Prompt
    volume: NDArray[np.int16] | None = None
    key: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the key slice."""
        height, width = self.slice_hu.shape
        return height, width


def case_of(lesion: Lesion, telling: Telling) -> Case:
    """A lesion as evaluation shows it to a system: its marks and masks stay behind."""
    return Case(
        slice_hu=lesion.slice_hu,
        window=lesion.window,
        spacing=lesion.spacing,
        prompt=telling.of(lesion),
    )
