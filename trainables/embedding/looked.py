"""Lesions as an embedder's training needs them: the patch of each, its box and its cues."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lesions import Lesion
from trainables.embedding.cues import Cues, cues_of, row_of
from trainables.embedding.network import EmbedderConfig
from trainables.embedding.views import View, view


@dataclass(frozen=True, kw_only=True, eq=False)
class Looked:
    """N lesions, each read once.

    Attributes:
        patches: float16 (N, S, S): 23,000 of 120 pixels a side take 0.7 GB.
        boxes: float32 (N, 4), pixels of the patch.
        cues: of all.
    """

    patches: NDArray[np.float16]
    boxes: NDArray[np.float32]
    cues: Cues

    @property
    def views(self) -> Iterator[View]:
        """Each as it is marked."""
        for patch, box in zip(self.patches, self.boxes, strict=True):
            yield View(patch=patch.astype(np.float32), box=box)

    def batch(
        self, places: NDArray[np.int64], device: torch.device, moves: NDArray[np.float64]
    ) -> tuple[Tensor, Tensor]:
        """Patches (B, 1, S, S) and boxes (B, 4) of some.

        Args:
            places: (B,).
            device: where they are wanted.
            moves: (B, 4), of each box's edges, as fractions of its sides.
        """
        patches = torch.from_numpy(self.patches[places].astype(np.float32))[:, None]
        boxes = self.boxes[places].astype(np.float64)
        sides = boxes[:, 2:] - boxes[:, :2]
        boxes = boxes + moves * np.concatenate([sides, sides], axis=1)
        return patches.to(device), torch.from_numpy(boxes.astype(np.float32)).to(device)


def look_at(lesions: Iterable[Lesion], config: EmbedderConfig) -> Looked:
    """All of these lesions."""
    patches, boxes, rows = [], [], []
    for lesion in lesions:
        slice_hu, bounds = lesion.slice_hu, lesion.recist.bounds
        seen = view(slice_hu, lesion.window, lesion.spacing, bounds, config)
        patches.append(seen.patch.astype(np.float16))
        boxes.append(seen.box)
        rows.append(row_of(lesion, slice_hu))
    empty = np.empty((0, config.pixels, config.pixels), np.float16)
    return Looked(
        patches=np.stack(patches) if patches else empty,
        boxes=np.reshape(np.array(boxes, np.float32), (-1, 4)),
        cues=cues_of(rows),
    )
