"""The longest chord of an outlined lesion that is perpendicular to an axis."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesions.crossings import Indices
from lesions.turns import Points

# Beyond this many cuts of edges at vertices, those that cannot be the longest are left out.
MOST_CUTS = 1 << 18
_TRIED = 256  # strips whose longest chord says what the others have to reach
_SAME = 1e-9


def longest_chord(vertices: Points, axis: Points, scale: Points) -> Points:
    """The ends (2, 2) of the longest chord perpendicular in mm to `axis` that stays on the lesion.

    Between the positions of two neighbouring vertices along the axis the ends of a chord move
    linearly, so the longest is found at a vertex' position, approached from either side.

    Args:
        vertices: (N, 2) of the lesion's outline, in order, (x, y) pixels.
        axis: (2, 2) start and end, (x, y) pixels.
        scale: (x, y) mm per pixel.
    """
    along = (axis[1] - axis[0]) * scale
    along /= np.hypot(*along)
    frame = np.array([along, [-along[1], along[0]]])
    middle = axis.mean(axis=0)
    u, v = ((vertices - middle) * scale @ frame.T).T
    at, knots = _merge_same(u)
    position, low, high = _longest_sections(_edges(at), knots, _edges(v))
    longest = high - low
    ties = np.flatnonzero(longest >= longest.max() - _SAME)
    best = ties[np.argmin(np.abs(position[ties]))]
    ends = np.array([[position[best], low[best]], [position[best], high[best]]])
    # Clipped, as rounding must not carry an end over the image's border.
    x, y = vertices.T
    corners = (x.min(), y.min()), (x.max(), y.max())
    return np.asarray(np.clip(ends @ frame / scale + middle, *corners))


def _edges(of_vertices: NDArray[Any]) -> NDArray[Any]:
    """(2, N): what each vertex has (N,), and the next."""
    return np.stack([of_vertices, np.roll(of_vertices, -1)])


def _sorted(one: NDArray[Any], other: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The lesser and the greater of each pair."""
    return np.minimum(one, other), np.maximum(one, other)


def _merge_same(values: Points) -> tuple[Indices, Points]:
    """The different values, ascending, and which of them each is; rounding makes no difference."""
    order = np.argsort(values, kind="stable")
    new = np.concatenate([[True], np.diff(values[order]) > _SAME])
    which = np.empty(len(values), np.intp)
    which[order] = np.cumsum(new) - 1
    return which, values[order][new]


def _longest_sections(at: Indices, knots: Points, v: Points) -> tuple[Points, Points, Points]:
    """The polygon's cuts at each vertex' u, the longest of all among them; see `_sections`.

    Args:
        at: (2, N) of the edges' two ends: which of `knots` is their u, along the axis.
        knots: the different u, ascending.
        v: (2, N), across it.
    """
    strips = np.arange(len(knots) - 1)
    # Of a lesion that winds, each strip is crossed by each arm: time and memory grow as a square.
    if int(np.abs(at[1] - at[0]).sum()) > MOST_CUTS:
        some = strips[:: -(-len(strips) // _TRIED)]
        _, low, high = _sections(at, knots, v, some)
        good, edges_of_bins = _bins_that_reach(float((high - low).max()), knots[at], v)
        first, last = (
            np.clip(np.searchsorted(edges_of_bins, ends + aside) - 1, 0, len(good) - 1)
            for ends, aside in ((knots[:-1], -_SAME), (knots[1:], _SAME))
        )
        counted = np.concatenate([[0], np.cumsum(good)])
        strips = strips[counted[last + 1] > counted[first]]
    return _sections(at, knots, v, strips)


def _bins_that_reach(length: float, u: Points, v: Points) -> tuple[NDArray[np.bool_], Points]:
    """In which bins of u a chord of this length may lie, and the bins' limits.

    No chord crosses an edge that spans its bin: none is longer than the room between two of them.
    """
    low, high = _sorted(*u)
    first, width = u.min(), (high - low).mean() / 4
    count = int(np.ceil((u.max() - first) / width))
    limits = first + width * np.arange(count + 1)
    start = np.searchsorted(limits, low + _SAME)
    spans = np.maximum(np.searchsorted(limits, high - _SAME) - 1 - start, 0)
    edge = np.repeat(np.arange(len(low)), spans)
    within = np.arange(len(edge)) + (start - (np.cumsum(spans) - spans))[edge]
    left, right = _crossed(u, v, edge, limits, within)
    # What does not span its bin ends in it: beyond its ends there is no lesion.
    floor, ceiling = np.full(count, np.inf), np.full(count, -np.inf)
    for ends in u:
        for aside in (-_SAME, _SAME):
            at = np.clip(np.searchsorted(limits, ends + aside) - 1, 0, count - 1)
            np.minimum.at(floor, at, v.min(axis=0))
            np.maximum.at(ceiling, at, v.max(axis=0))
    every, nowhere = np.arange(count), np.full(count, np.inf)
    places = np.concatenate([every, within, every])
    order = np.lexsort((np.concatenate([-nowhere, left + right, nowhere]), places))
    bottom = np.concatenate([floor, np.minimum(left, right), nowhere])[order]
    top = np.concatenate([-nowhere, np.maximum(left, right), ceiling])[order]
    places, room = places[order], np.append(top[1:] - bottom[:-1], -np.inf)
    last = np.append(places[1:] != places[:-1], True)
    reach = np.full(count, -np.inf)
    np.maximum.at(reach, places[~last], room[~last])
    return reach >= length - 1e-6, limits


def _crossed(
    u: Points, v: Points, edge: Indices, limits: Points, within: Indices
) -> tuple[Points, Points]:
    """The v where each `edge` crosses the limit `within` of u, and the next limit."""
    u0, v0 = u[0][edge], v[0][edge]
    slope = (v[1][edge] - v0) / (u[1][edge] - u0)
    return v0 + slope * (limits[within] - u0), v0 + slope * (limits[within + 1] - u0)


def _sections(
    at: Indices, knots: Points, v: Points, strips: Indices
) -> tuple[Points, Points, Points]:
    """The polygon's cuts at each vertex' u: position, lowest and highest v of each interval.

    Args:
        at: (2, N) of the edges' two ends: which of `knots` is their u, along the axis.
        knots: the different u, ascending.
        v: (2, N), across it.
        strips: the numbers, ascending, of those between two knots that count; 0 the first.
    """
    before = np.searchsorted(strips, np.arange(len(knots)))
    start, stop = _sorted(*before[at])
    # Every strip between two knots is crossed by an even number of edges; sorted, they pair up.
    edge = np.repeat(np.arange(len(start)), stop - start)
    first_of_edge = np.cumsum(stop - start) - (stop - start)
    strip = strips[np.arange(len(edge)) + (start - first_of_edge)[edge]]
    left, right = _crossed(knots[at], v, edge, knots, strip)
    order = np.lexsort((left + right, strip))
    low, high = order[::2], order[1::2]
    knot = np.concatenate([strip[low], strip[low] + 1])
    bottom = np.concatenate([left[low], right[low]])
    top = np.concatenate([left[high], right[high]])
    knot, bottom, top = _joined(knot, bottom, top)
    return knots[knot], bottom, top


def _joined(knot: Indices, low: Points, high: Points) -> tuple[Indices, Points, Points]:
    """The same intervals with those joined that touch at one knot, as both sides count."""
    order = np.lexsort((low, knot))
    knot, low, high = knot[order], low[order], high[order]
    # Each knot gets a range of its own, so that one running maximum serves all.
    nth = np.cumsum(np.diff(knot, prepend=knot[0]) > 0)
    shift = nth * (2 * (high.max() - low.min()) + 1)
    furthest = np.maximum.accumulate(high + shift)
    new = np.concatenate([[True], (low + shift)[1:] > furthest[:-1] + _SAME])
    first = np.flatnonzero(new)
    last = np.concatenate([first[1:], [len(low)]]) - 1
    return knot[first], low[first], (furthest - shift)[last]
