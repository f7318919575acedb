"""The longest chord of an outlined lesion that is perpendicular to an axis."""

import numpy as np
from numpy.typing import NDArray

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
    edges = np.stack([vertices, np.roll(vertices, -1, axis=0)], axis=1)
    u, v = np.moveaxis(((edges - middle) * scale) @ frame.T, -1, 0)
    position, low, high = _longest_sections(_merge_same(u), v)
    longest = high - low
    ties = np.flatnonzero(longest >= longest.max() - _SAME)
    best = ties[np.argmin(np.abs(position[ties]))]
    ends = np.array([[position[best], low[best]], [position[best], high[best]]])
    # Clipped, as rounding must not carry an end over the image's border.
    corners = vertices.min(axis=0), vertices.max(axis=0)
    return np.asarray(np.clip(ends @ frame / scale + middle, *corners))


def _merge_same(values: Points) -> Points:
    """The values with those that differ by rounding alone made equal."""
    flat = values.ravel()
    order = np.argsort(flat, kind="stable")
    new = np.concatenate([[True], np.diff(flat[order]) > _SAME])
    merged = np.empty_like(flat)
    merged[order] = flat[order][np.flatnonzero(new)[np.cumsum(new) - 1]]
    return merged.reshape(values.shape)


def _longest_sections(u: Points, v: Points) -> tuple[Points, Points, Points]:
    """The polygon's cuts at each vertex' u, the longest of all among them; see `_sections`.

    Args:
        u: (N, 2) of the edges' two ends, along the axis.
        v: (N, 2), across it.
    """
    knots = np.unique(u)
    start, stop = np.searchsorted(knots, np.sort(u, axis=1)).T
    strips = np.arange(len(knots) - 1)
    # Of a lesion that winds, each strip is crossed by each arm: time and memory grow as a square.
    if int((stop - start).sum()) > MOST_CUTS:
        some = strips[:: -(-len(strips) // _TRIED)]
        _, low, high = _sections(u, v, knots, some)
        good, edges_of_bins = _bins_that_reach(float((high - low).max()), u, v)
        first, last = (
            np.clip(np.searchsorted(edges_of_bins, ends + aside) - 1, 0, len(good) - 1)
            for ends, aside in ((knots[:-1], -_SAME), (knots[1:], _SAME))
        )
        counted = np.concatenate([[0], np.cumsum(good)])
        strips = strips[counted[last + 1] > counted[first]]
    return _sections(u, v, knots, strips)


def _bins_that_reach(length: float, u: Points, v: Points) -> tuple[NDArray[np.bool_], Points]:
    """In which bins of u a chord of this length may lie, and the bins' limits.

    No chord crosses an edge that spans its bin: none is longer than the room between two of them.
    """
    low, high = np.sort(u, axis=1).T
    first, width = u.min(), (high - low).mean() / 4
    count = int(np.ceil((u.max() - first) / width))
    limits = first + width * np.arange(count + 1)
    start = np.searchsorted(limits, low + _SAME)
    spans = np.maximum(np.searchsorted(limits, high - _SAME) - 1 - start, 0)
    edge = np.repeat(np.arange(len(u)), spans)
    within = np.arange(len(edge)) + (start - (np.cumsum(spans) - spans))[edge]
    slope = (v[edge, 1] - v[edge, 0]) / (u[edge, 1] - u[edge, 0])
    left = v[edge, 0] + slope * (limits[within] - u[edge, 0])
    right = v[edge, 0] + slope * (limits[within + 1] - u[edge, 0])
    # What does not span its bin ends in it: beyond its ends there is no lesion.
    floor, ceiling = np.full(count, np.inf), np.full(count, -np.inf)
    for ends in u.T:
        for aside in (-_SAME, _SAME):
            at = np.clip(np.searchsorted(limits, ends + aside) - 1, 0, count - 1)
            np.minimum.at(floor, at, v.min(axis=1))
            np.maximum.at(ceiling, at, v.max(axis=1))
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


def _sections(
    u: Points, v: Points, knots: Points, strips: NDArray[np.intp]
) -> tuple[Points, Points, Points]:
    """The polygon's cuts at each vertex' u: position, lowest and highest v of each interval.

    Args:
        u: (N, 2) of the edges' two ends, along the axis.
        v: (N, 2), across it.
        knots: the different u, ascending.
        strips: the numbers, ascending, of those between two knots that count; 0 the first.
    """
    start, stop = np.searchsorted(knots[strips], np.sort(u, axis=1)).T
    # Every strip between two knots is crossed by an even number of edges; sorted, they pair up.
    edge = np.repeat(np.arange(len(u)), stop - start)
    first_of_edge = np.cumsum(stop - start) - (stop - start)
    strip = strips[np.arange(len(edge)) + (start - first_of_edge)[edge]]
    slope = (v[edge, 1] - v[edge, 0]) / (u[edge, 1] - u[edge, 0])
    left = v[edge, 0] + slope * (knots[strip] - u[edge, 0])
    right = v[edge, 0] + slope * (knots[strip + 1] - u[edge, 0])
    order = np.lexsort((left + right, strip))
    low, high = order[::2], order[1::2]
    position = np.concatenate([knots[strip[low]], knots[strip[low] + 1]])
    bottom = np.concatenate([left[low], right[low]])
    top = np.concatenate([left[high], right[high]])
    return _joined(position, bottom, top)


def _joined(position: Points, low: Points, high: Points) -> tuple[Points, Points, Points]:
    """The same intervals with those joined that touch at one position, as both sides count."""
    order = np.lexsort((low, position))
    position, low, high = position[order], low[order], high[order]
    # Each position gets a range of its own, so that one running maximum serves all.
    shift = np.unique(position, return_inverse=True)[1] * (2 * (high.max() - low.min()) + 1)
    furthest = np.maximum.accumulate(high + shift)
    new = np.concatenate([[True], (low + shift)[1:] > furthest[:-1] + _SAME])
    first = np.flatnonzero(new)
    last = np.concatenate([first[1:], [len(low)]]) - 1
    return position[first], low[first], (furthest - shift)[last]
