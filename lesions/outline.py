"""The sub-pixel outline of a mask, and the longest segments that stay on the lesion.

The outline is marching squares at level 0.5 of a binary image. Its edges lie on the lines
x = n + ½, y = n + ½, x + y = n + ½ and x − y = n + ½ (n whole). A segment cut where it crosses
these lines is therefore on the lesion exactly when the middle of every piece is: an exact test
that costs the segment's length, not the outline's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
from numpy.typing import NDArray

from lesions.boundary import boundary
from lesions.chords import longest_chord
from lesions.crossings import Indices, not_crossing
from lesions.labels import EMPTY
from lesions.turns import Points, same_for_all

# Beyond this many vertices every k-th is tried: no lesion is so ragged, a noisy prediction is.
MOST_VERTICES = 2000
# Equally long axes whose perpendiculars are compared: no lesion has so many, a comb has.
MOST_TIES = 32
# Pixels to either side of a segment where it is tested, so that the outline itself counts as
# lesion: far below the detail of the outline, far above rounding.
_NUDGE = 1e-7
_SAME = 1e-9


@dataclass(frozen=True, eq=False)
class Outline:
    """The outer outline of one lesion.

    Attributes:
        vertices: (N, 2), (x, y) pixels, in order along the outline.
        origin: (x, y) of the pixel `filled[0, 0]`.
        filled: bool, the lesion without holes, within a border of two background pixels.
    """

    vertices: Points
    origin: Points
    filled: NDArray[np.bool_]

    @property
    def edges(self) -> Points:
        """(N, 2, 2): each vertex and the next."""
        return np.stack([self.vertices, np.roll(self.vertices, -1, axis=0)], axis=1)


def lesion_outline(lesion: NDArray[np.bool_]) -> Outline:
    """The outer outline of the largest 8-connected component of `lesion` (H, W).

    Raises:
        ValueError: the mask has another number of dimensions, or no pixel of it is lesion.
    """
    (left, top), crop = _lesion_box(lesion)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(crop.view(np.uint8), connectivity=8)
    component = np.pad(labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])), 2)
    # Where the lesion is 8-connected, its background is 4-connected.
    _, background = cv2.connectedComponents((~component).view(np.uint8), connectivity=4)
    filled = background != background[0, 0]
    origin = np.array([left - 2.0, top - 2.0])
    return Outline(vertices=boundary(filled) + origin, origin=origin, filled=filled)


def _lesion_box(lesion: NDArray[np.bool_]) -> tuple[tuple[int, int], NDArray[np.bool_]]:
    """(x, y) of the first pixel of the smallest box that holds all lesion, and the box."""
    if lesion.ndim != 2:
        raise ValueError(f"a mask has the shape (H, W), not {lesion.shape}")
    if not lesion.any():
        raise ValueError(EMPTY)
    left, top, width, height = cv2.boundingRect(lesion.view(np.uint8))
    return (left, top), np.ascontiguousarray(lesion[top : top + height, left : left + width])


def longest_axes(lesion: NDArray[np.bool_], scale: Points) -> Points:
    """The long axis and the longest chord perpendicular to it: (4, 2) ends, (x, y) pixels.

    Of equally long axes the one with the longest perpendicular is taken; where that is longer still
    it is the long axis. What is equal in that as
    well is chosen in the order of the outline, which begins at the same place of the lesion
    whichever way its mask is stored.

    Args:
        lesion: bool (H, W).
        scale: (x, y) mm per pixel.

    Raises:
        ValueError: see `lesion_outline`.
    """
    origin, box = _lesion_box(lesion)
    turn = same_for_all(box, scale)
    turned, outline = turn.scale(scale), lesion_outline(np.ascontiguousarray(turn.image(box)))
    found = [_with_perpendicular(outline, long, turned)
             for long in longest_segments(outline, turned)]  # fmt: skip
    # Rounded, so that of equals the first is taken whatever the last bit says.
    long, short = max(
        found, key=lambda axes: (round(_mm(axes[0], turned), 6), round(_mm(axes[1], turned), 9))
    )
    return turn.points_back(np.concatenate([long, short]), box.shape) + origin


def _with_perpendicular(outline: Outline, long: Points, scale: Points) -> tuple[Points, Points]:
    """An axis and its longest perpendicular chord, which takes its place where it is longer.

    A chord that touches the outline may be longer than any segment between two vertices.
    """
    short = longest_chord(outline.vertices, long, scale)
    while _mm(short, scale) > _mm(long, scale) + _SAME:
        long, short = short, longest_chord(outline.vertices, short, scale)
    return long, short


def _mm(segment: Points, scale: Points) -> float:
    return float(np.hypot(*((segment[1] - segment[0]) * scale)))


def longest_segments(outline: Outline, scale: Points) -> Points:
    """The pairs of vertices (K, 2, 2) furthest apart in mm whose segment stays on the lesion.

    Args:
        outline: the lesion's.
        scale: (x, y) mm per pixel.

    Returns:
        One segment, or all that are as long, up to `MOST_TIES`.
    """
    vertices, best, reach = outline.vertices, outline.edges[:1], 0.0
    hull = vertices[cv2.convexHull((2 * vertices).astype(np.int32), returnPoints=False)[:, 0]]
    # The hull holds the longest pairs of all, which on most lesions stay inside and end here.
    for some, pairs in (
        (hull, lambda _, points: np.triu_indices(len(points), 1)),
        (vertices[:: -(-len(vertices) // MOST_VERTICES)], _pairs),
    ):
        candidates = _reaching(reach, some, hull, scale)
        first, second, lengths = _as_long_as(reach, candidates, scale, pairs(outline, candidates))
        hit = next(_staying_inside(outline, candidates[first], candidates[second]), None)
        if hit is not None:
            reach = float(lengths[hit])
            tied = slice(hit, hit + np.count_nonzero(lengths[hit:] > reach - _SAME))
            starts, ends = candidates[first[tied]], candidates[second[tied]]
            others = islice(_staying_inside(outline, starts[1:], ends[1:]), MOST_TIES - 1)
            inside = [0, *(1 + index for index in others)]
            best = np.stack([starts[inside], ends[inside]], axis=1)
            if hit == 0:
                break
    return best


def _reaching(reach: float, points: Points, hull: Points, scale: Points) -> Points:
    """Those of the points from which some point of the hull is as far, mm: no other has a pair."""
    (x, y), (hull_x, hull_y) = (points * scale).T, (hull * scale).T
    lengths = np.hypot(x[:, None] - hull_x, y[:, None] - hull_y)
    return np.asarray(points[lengths.max(axis=1) > reach - 2 * _SAME])


def _pairs(outline: Outline, vertices: Points) -> tuple[Indices, Indices]:
    """The pairs of vertices but most of those whose segment leaves the lesion; see `crossings`."""
    halves = np.rint(2 * (vertices - outline.origin)).astype(np.int32)
    return not_crossing(outline.filled, halves)


def _as_long_as(
    reach: float, points: Points, scale: Points, pairs: tuple[Indices, Indices]
) -> tuple[Indices, Indices, Points]:
    """Those of the pairs that are as long, and their distances in mm, the longest first."""
    (x, y), (first, second) = (points * scale).T, pairs
    lengths = np.hypot(x[first] - x[second], y[first] - y[second])
    long = lengths > reach - _SAME
    first, second, lengths = first[long], second[long], lengths[long]
    # Rounded, so that ties keep the vertices' order whatever the last bit says.
    order = np.argsort(-np.round(lengths, 9), kind="stable")
    return first[order], second[order], lengths[order]


def _staying_inside(outline: Outline, starts: Points, ends: Points) -> Iterator[int]:
    """Indices of the segments that stay on the lesion, in order."""
    # The very first stays on most lesions; after it, few do.
    done, chunk = 0, 1
    while done < len(starts):
        a, b = starts[done : done + chunk], ends[done : done + chunk]
        left = np.arange(len(a))
        # A few points along the segment refuse most; the exact test is for what they leave.
        for parts in (4, 16, 64) if done else ():
            middles = (np.arange(parts) + 0.5) / parts
            left = left[_on_lesion(outline, a[left], b[left], middles[None, :]).all(axis=1)]
        for index in left:
            if _stays_inside(outline, a[index], b[index]):
                yield done + int(index)
        done, chunk = done + chunk, min(max(4 * chunk, 16), 16384)


def _stays_inside(outline: Outline, start: Points, end: Points) -> bool:
    """Whether the whole segment lies inside or on the outline."""
    (x0, y0), (x1, y1) = start, end
    cuts = [np.array([0.0, 1.0])]
    for a, b in ((x0, x1), (y0, y1), (x0 + y0, x1 + y1), (x0 - y0, x1 - y1)):
        if a != b:
            lines = np.arange(np.ceil(min(a, b) - 0.5), max(a, b)) + 0.5
            cuts.append((lines - a) / (b - a))
    steps = np.sort(np.clip(np.concatenate(cuts), 0, 1))
    pieces = np.diff(steps) > _SAME
    middles = ((steps[1:] + steps[:-1]) / 2)[pieces]
    return bool(_on_lesion(outline, start[None], end[None], middles[None]).all())


def _on_lesion(outline: Outline, starts: Points, ends: Points, at: Points) -> NDArray[np.bool_]:
    """Whether the points at the fractions `at` (1, K) of N segments are on the lesion: (N, K)."""
    along = ends - starts
    aside = along[:, ::-1] * (-1, 1) * (_NUDGE / np.hypot(*along.T))[:, None]
    points = starts[:, None] + at[..., None] * along[:, None]
    found = _contains(outline, points + aside[:, None])
    found[~found] = _contains(outline, (points - aside[:, None])[~found])
    return found


def _contains(outline: Outline, points: Points) -> NDArray[np.bool_]:
    """Whether points (…, 2) lie within the polygon; on an edge, either answer."""
    filled, local = outline.filled, points - outline.origin
    column, row = np.moveaxis(np.floor(local).astype(np.intp), -1, 0)
    nearest = np.floor(local + 0.5).astype(np.intp)
    corner = filled[nearest[..., 1], nearest[..., 0]]
    in_corner = np.abs(local - nearest).sum(axis=-1) < 0.5
    a, b = filled[row, column], filled[row, column + 1]
    c, d = filled[row + 1, column], filled[row + 1, column + 1]
    # The middle of a cell is lesion with three or two opposite corners set (8-connected); with
    # two neighbouring corners its nearer half is.
    middle = (a & d) | (b & c) | (corner & ((a & (b | c)) | (d & (b | c))))
    return np.where(in_corner, corner, middle)
