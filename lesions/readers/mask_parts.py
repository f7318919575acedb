"""The parts of a 3D mask: connected ones, joined where empty slices alone part them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lesions.errors import InputError

MOST_PARTS = 2048  # of one mask; noise has millions, and each would cost a slice
_TOUCHING = np.ones((3, 3, 3), bool)  # 26 neighbours: corners touch

Box = tuple[slice, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class MaskPart:
    """One lesion of a mask, or a speck.

    Attributes:
        box: where it lies.
        voxels: bool, of the box: which are its own.
        joined: how many connected parts it is made of.
    """

    box: Box
    voxels: NDArray[np.bool_]
    joined: int = 1


def parts_of_mask(lesion: NDArray[np.bool_], bridge: int) -> Iterator[MaskPart]:
    """The 26-connected parts of a mask (D, H, W), from feet to head.

    Args:
        lesion: what of it is lesion.
        bridge: two parts are one where the upper begins above the last slice of the lower, at most
            this many empty slices between, and the two overlap as seen along the axis.

    Raises:
        InputError: more than `MOST_PARTS` connected parts.
    """
    # Labelling costs voxels: a mask of lesions is nearly all air, so its middle is cut out first.
    for middle in ndimage.find_objects(lesion.view(np.uint8)):
        labels, count = ndimage.label(lesion[middle], structure=_TOUCHING)
        if count > MOST_PARTS:
            raise InputError(f"the mask has {count} separate parts, more than {MOST_PARTS}",
                             remedy="remove its specks: they are no lesions")  # fmt: skip
        of_part = _whose(labels, ndimage.find_objects(labels), bridge)
        labels = np.append(0, of_part + 1)[labels]
        sizes = np.bincount(of_part)
        for number, box in enumerate(ndimage.find_objects(labels)):
            placed = tuple(
                slice(m.start + b.start, m.start + b.stop) for m, b in zip(middle, box, strict=True)
            )
            yield MaskPart(box=placed, voxels=labels[box] == number + 1, joined=int(sizes[number]))


def _whose(
    labels: NDArray[np.signedinteger], boxes: Sequence[Box], bridge: int
) -> NDArray[np.intp]:
    """(number of parts,): the number of the lesion that each part is of, in the parts' order."""
    pairs = [
        (number, other)
        for number, box in enumerate(boxes)
        for other in _above(labels, boxes, number, box, bridge)
    ]
    below, above = np.reshape(np.array(pairs, np.intp), (-1, 2)).T
    graph = coo_array((np.ones(len(pairs)), (below, above)), shape=(len(boxes), len(boxes)))
    found = connected_components(graph, directed=False)[1]
    _, first, of_part = np.unique(found, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[of_part]


def _above(
    labels: NDArray[np.signedinteger], boxes: Sequence[Box], number: int, box: Box, bridge: int
) -> Iterator[int]:
    """The parts that begin over a part's last slice, across empty slices."""
    levels, *plane = box
    last = labels[levels.stop - 1][tuple(plane)] == number + 1
    for level in range(levels.stop + 1, min(levels.stop + bridge + 1, len(labels))):
        over = np.unique(labels[level][tuple(plane)][last])
        yield from (
            int(label) - 1 for label in over if label and boxes[label - 1][0].start == level
        )
