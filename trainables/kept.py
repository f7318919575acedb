"""Lesions whose pixels stay decoded: a slice's PNG takes longer to read than a small network."""

from collections.abc import Sequence
from dataclasses import fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesions import Lesion

HUMAN = "human"
MOST_BYTES = 512 << 20  # of a training process, its loader's processes together


class DecodedLesion(Lesion):
    """A lesion that decodes its slice, and each mask, once; the arrays are read-only."""

    @cached_property
    def _hu(self) -> NDArray[np.int16]:
        return _read_only(super().slice_hu)

    @cached_property
    def _labels(self) -> dict[str, NDArray[np.uint8]]:
        return {}

    @property
    def slice_hu(self) -> NDArray[np.int16]:
        """The key slice, HU (H, W)."""
        return self._hu

    def mask(self, name: str) -> NDArray[np.uint8]:
        """The label image `name` (H, W); KeyError, with the choices, when there is none."""
        if name not in self._labels:
            self._labels[name] = _read_only(super().mask(name))
        return self._labels[name]

    @property
    def most_bytes(self) -> int:
        """What its pixels take at most, decoded and not."""
        height, width = self.shape
        encoded = [self.encoded, *self.masks.values()]
        packed = sum(len(one) for one in encoded if isinstance(one, bytes))
        return height * width * (2 + len(self.masks)) + packed


def _read_only(pixels: NDArray[Any]) -> NDArray[Any]:
    pixels.flags.writeable = False
    return pixels


class Kept(Sequence[Lesion]):
    """The same lesions; those that are asked for first stay decoded, as many as there is room for.

    Which stay does not change: at random, as training asks, no other choice hits more often.

    Args:
        lesions: read when asked for.
        most: bytes.
    """

    def __init__(self, lesions: Sequence[Lesion], most: int) -> None:
        self.lesions, self.room = lesions, most
        self._held: dict[int, DecodedLesion] = {}

    def __len__(self) -> int:
        """How many lesions."""
        return len(self.lesions)

    def __getitem__(self, at: Any) -> Any:
        """The lesion at an index, or those of a slice."""
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(len(self)))]
        if at in self._held:
            return self._held[at]
        lesion = self.lesions[at]
        if isinstance(lesion, DecodedLesion):
            return lesion
        own = DecodedLesion(**{one.name: getattr(lesion, one.name) for one in fields(Lesion)})
        if own.most_bytes > self.room:
            return lesion
        self.room -= own.most_bytes
        self._held[at] = own
        return own


class Unread(Sequence[Lesion]):
    """The same lesions without their human masks, where these may not choose the best epoch."""

    def __init__(self, lesions: Sequence[Lesion]) -> None:
        self.lesions = lesions

    def __len__(self) -> int:
        """How many lesions."""
        return len(self.lesions)

    def __getitem__(self, at: Any) -> Any:
        """The lesion at an index, or those of a slice."""
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(len(self)))]
        lesion = self.lesions[at]
        masks = {name: mask for name, mask in lesion.masks.items() if name != HUMAN}
        return replace(lesion, masks=masks)
