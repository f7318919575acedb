"""Which pairs of an outline's vertices have background between them, told by a few points.

Vertices lie at halves of a pixel. So the points that part the segment between two of them in 2, 4,
8 or 16 are whole numbers of a small unit, and in which pixel or on whose border each lies is exact.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_PARTS = (4, 8, 16)  # after 2, powers of it: what one has looked at the next leaves out
_ROWS = 128  # vertices whose pairs are looked at together

Indices = NDArray[np.intp]
Halves = NDArray[np.int32]


def not_crossing(filled: NDArray[np.bool_], halves: Halves) -> tuple[Indices, Indices]:
    """The pairs of vertices, the first before the second, without what surely leaves the lesion.

    Of those that are left, too, some may leave it.

    Args:
        filled: bool (H, W), the lesion, with background at the border.
        halves: (N, 2), the vertices' (x, y) in halves of a pixel from the centre of the first.
    """
    places = _places(filled)
    width, there = places.shape[1], places.ravel()
    x, y = np.ascontiguousarray(halves.T)

    def inside(one: tuple[Any, Any], other: tuple[Any, Any], part: int, parts: int) -> Any:
        column, row = (
            _place((parts - part) * a + part * b, parts) for a, b in zip(one, other, strict=True)
        )
        return there[row * width + column]

    found = [np.empty((2, 0), np.intp)]
    for start in range(0, len(halves), _ROWS):  # a few at a time stay in the processor's cache
        rows, rest = slice(start, start + _ROWS), slice(start, None)
        middle = inside((x[rows, None], y[rows, None]), (x[rest], y[rest]), 1, 2)
        # In half the time of `nonzero`.
        first, second = np.divmod(np.flatnonzero(np.triu(middle, 1)), middle.shape[1])
        first, second = first + start, second + start
        for parts in _PARTS:
            for part in range(1, parts, 2):
                left = inside((x[first], y[first]), (x[second], y[second]), part, parts)
                first, second = first[left], second[left]
        found.append(np.stack([first, second]))
    first, second = np.concatenate(found, axis=1)
    return first, second


def _place(sums: Halves, parts: int) -> Halves:
    """Where points lie along one axis: 2n + 1 within pixel n, 2n between pixels n − 1 and n.

    Args:
        sums: the points in a unit of which a pixel has 2 · `parts`.
        parts: a power of two.
    """
    shifted, power = sums + parts, parts.bit_length()
    return (shifted >> power) + ((shifted + (2 * parts - 1)) >> power)


def _places(filled: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(2H + 1, 2W + 1): whether some of the outlined lesion may lie at a place; see `_place`."""
    up, down, left, right = (
        np.pad(filled, 1)[rows, columns]
        for rows, columns in (
            (np.s_[:-2], np.s_[1:-1]), (np.s_[2:], np.s_[1:-1]),
            (np.s_[1:-1], np.s_[:-2]), (np.s_[1:-1], np.s_[2:]),
        )
    )  # fmt: skip
    # The outline cuts a corner off a background pixel where two of its neighbours meet.
    near = filled | ((up | down) & (left | right))
    places = np.zeros([2 * side + 1 for side in filled.shape], bool)
    places[1::2, 1::2] = near
    places[:-1:2, 1::2] |= near
    places[2::2, 1::2] |= near
    places[:, :-1:2] |= places[:, 1::2]
    places[:, 2::2] |= places[:, 1::2]
    return places
