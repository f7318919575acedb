"""Where a made lesion goes: in tissue where such lesions are, near walls and vessels too."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lesions.phantom.backgrounds import Background

TRIES = 60  # of a lesion in a host of a slice
APART_MM = 3.0  # between two lesions of a slice, at least
MOST_BONE = 0.03  # of a lesion's pixels
# What share of a lesion must lie in its host: far from its walls, or beside them.
DEEP, NEAR = 0.98, 0.75
HOW_OFTEN_NEAR = 0.35


@dataclass(frozen=True, kw_only=True, eq=False)
class Place:
    """A free place.

    Attributes:
        host: the tissue there.
        corner: (x, y), the pixel of the slice where the lesion's box begins.
        near: whether it may have touched a wall.
    """

    host: str
    corner: tuple[int, int]
    near: bool


def find_place(
    background: Background,
    footprint: NDArray[np.bool_],
    host: str,
    taken: NDArray[np.bool_],
    random: np.random.Generator,
) -> Place | None:
    """A place for a lesion in a slice; None where none was found in `TRIES`.

    A lesion never lies across air, but one of the lung may touch its wall.

    Args:
        background: the slice.
        footprint: bool (h, w), the pixels that it touches on any slice.
        host: a name of `backgrounds.HOSTS`.
        taken: bool (H, W), what other lesions have and what is near them.
        random: the source.
    """
    inside = background.hosts[host]
    middles = np.flatnonzero(inside)
    if len(middles) < footprint.sum():
        return None
    near = bool(random.uniform() < HOW_OFTEN_NEAR)
    height, width = footprint.shape
    for middle in random.choice(middles, TRIES):
        y, x = divmod(int(middle), inside.shape[1])
        top, left = y - height // 2, x - width // 2
        if min(top, left) < 0 or top + height > inside.shape[0] or left + width > inside.shape[1]:
            continue
        box = slice(top, top + height), slice(left, left + width)
        if _fits(background, footprint, host, box, near) and not taken[box][footprint].any():
            return Place(host=host, corner=(left, top), near=near)
    return None


def _fits(
    background: Background,
    footprint: NDArray[np.bool_],
    host: str,
    box: tuple[slice, slice],
    near: bool,
) -> bool:
    share = background.hosts[host][box][footprint].mean()
    if share < (NEAR if near else DEEP) or background.bone[box][footprint].mean() > MOST_BONE:
        return False
    return host == "lung" or not background.air[box][footprint].any()
