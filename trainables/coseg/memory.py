"""What a trained network keeps of its training lesions: how they look, and what gate each gives.

No pixels and no names: a partner acts on a lesion through its gate alone.
"""

from typing import cast

import torch
from torch import Tensor, nn


class Memory(nn.Module):
    """Up to `capacity` training lesions, in buffers that travel with the weights.

    Args:
        capacity: room.
        dimension: of a lesion's embedding; 0 where none is kept.
        channels: of a gate.
    """

    def __init__(self, capacity: int, dimension: int, channels: int) -> None:
        super().__init__()
        self.register_buffer("vectors", torch.zeros(capacity, dimension))
        self.register_buffer("gates", torch.zeros(capacity, channels))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @property
    def capacity(self) -> int:
        """How many lesions have room."""
        return len(cast("Tensor", self.vectors))

    @property
    def held(self) -> int:
        """How many there are; 0 before anything was learned."""
        return min(self.capacity, max(0, int(cast("Tensor", self.count))))

    def keep(self, vectors: Tensor, gates: Tensor) -> None:
        """Hold these lesions, and none else.

        Args:
            vectors: (M, dimension), unit length, M up to the capacity.
            gates: (M, channels).
        """
        for name, rows in (("vectors", vectors), ("gates", gates)):
            buffer = cast("Tensor", getattr(self, name))
            buffer.zero_()
            buffer[: len(rows)] = rows.to(buffer)
        cast("Tensor", self.count).fill_(len(vectors))

    def places(self, lesions: int) -> list[int]:
        """Which of so many training lesions are to be held: all, or evenly chosen ones."""
        return spread(lesions, self.capacity)

    def nearest(self, vectors: Tensor, count: int) -> Tensor:
        """The gates (N, k, channels) of the k nearest of each vector (N, dimension), by cosine.

        k is `count`, or as many as there are; one at least has to be held.
        """
        held = self.held
        likeness = vectors @ cast("Tensor", self.vectors)[:held].T
        # Sorted, and stable: ties go to the first, however many are asked for.
        order = torch.argsort(likeness, dim=1, descending=True, stable=True)
        return cast("Tensor", self.gates)[order[:, :count]]

    def evenly(self, count: int) -> Tensor:
        """The gates (k, channels) of lesions spread evenly over all that are held."""
        return cast("Tensor", self.gates)[spread(self.held, count)]


def spread(there: int, count: int) -> list[int]:
    """Up to `count` of so many places, evenly chosen.

    >>> spread(10, 4), spread(3, 4)
    ([0, 2, 5, 7], [0, 1, 2])
    """
    chosen = min(count, there)
    return [at * there // chosen for at in range(chosen)]
