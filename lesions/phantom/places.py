"""Where a made lesion goes: in tissue where such lesions are, near walls and vessels too."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
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


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One of the slices that a lesion reaches.

    Attributes:
        background: the slice.
        footprint: bool (h, w), the pixels that the lesion touches, within a box that is the same
            on all its slices.
        taken: bool (H, W), what other lesions have and what is near them.
    """

    background: Background
    footprint: NDArray[np.bool_]
    taken: NDArray[np.bool_]


def find_place(
    layers: Sequence[Layer], key: int, host: str, random: np.random.Generator
) -> Place | None:
    """A place for a lesion in its slices; None where none was found in `TRIES`.

    A lesion never lies across air, but one of the lung may touch its wall.

    Args:
        layers: the slices that count: of a lesion on its key slice alone that one, with all the
            pixels that it touches on any.
        key: which of them is its key slice.
        host: a name of `backgrounds.HOSTS`.
        random: the source.
    """
    inside = layers[key].background.hosts[host]
    middles = np.flatnonzero(inside)
    if len(middles) < layers[key].footprint.sum():
        return None
    near = bool(random.uniform() < HOW_OFTEN_NEAR)
    height, width = layers[key].footprint.shape
    for middle in random.choice(middles, TRIES):
        y, x = divmod(int(middle), inside.shape[1])
        top, left = y - height // 2, x - width // 2
        if min(top, left) < 0 or top + height > inside.shape[0] or left + width > inside.shape[1]:
            continue
        box = slice(top, top + height), slice(left, left + width)
        if _fits(layers, host, box, near) and not any(
            layer.taken[box][layer.footprint].any() for layer in layers
        ):
            return Place(host=host, corner=(left, top), near=near)
    return None


def kept_off(
    footprint: NDArray[np.bool_], place: Place, background: Background
) -> NDArray[np.bool_]:
    """(H, W) of a slice: what a lesion there touches, and what is too near for another."""
    left, top = place.corner
    height, width = footprint.shape
    own = np.zeros(background.hu.shape, np.uint8)
    own[top : top + height, left : left + width] = footprint
    reach = 2 * int(np.ceil(APART_MM / min(background.spacing[:2]))) + 1
    return np.asarray(cv2.dilate(own, np.ones((reach, reach), np.uint8)) > 0)


def _fits(layers: Sequence[Layer], host: str, box: tuple[slice, slice], near: bool) -> bool:
    grounds = [(layer.background, layer.footprint) for layer in layers]
    pixels = sum(int(footprint.sum()) for _, footprint in grounds)
    inside = sum(int(one.hosts[host][box][footprint].sum()) for one, footprint in grounds)
    if inside / pixels < (NEAR if near else DEEP):
        return False
    bone = sum(int(one.bone[box][footprint].sum()) for one, footprint in grounds)
    if bone / pixels > MOST_BONE:
        return False
    return host == "lung" or not any(one.air[box][footprint].any() for one, footprint in grounds)
