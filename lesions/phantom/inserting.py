"""A lesion made and put into a slice: shape, place, tissue and mask, in this order."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lesions.phantom.backgrounds import HOSTS, Background
from lesions.phantom.marks import marked_slice
from lesions.phantom.places import APART_MM, Place, find_place
from lesions.phantom.shapes import Fractions, Shape, draw_shape
from lesions.phantom.tissues import PSF_MM, Tissue, draw_tissue, insert

# How often lesions are where, of those tissues that a slice has; as DeepLesion's kinds about.
OFTEN = {"lung": 0.35, "parenchyma": 0.25, "muscle": 0.15, "fat": 0.25}
SMALLEST_MASK = 20  # pixels
TRIES = 12


@dataclass(frozen=True, kw_only=True, eq=False)
class Made:
    """A lesion that is in the slice.

    Attributes:
        mask: bool (H, W) on the slice.
        place, tissue, shape: what it is.
        volume_mm3: the exact volume.
        slices: how many slices its 3D mask is on.
        largest: its mask's pixels on the slice where it is largest.
    """

    mask: NDArray[np.bool_]
    place: Place
    tissue: Tissue
    shape: Shape
    volume_mm3: float
    slices: int
    largest: int


class Canvas:
    """A slice that lesions are put into.

    Attributes:
        background: the slice as it was.
        hu: (H, W), with the lesions so far.
    """

    def __init__(self, background: Background) -> None:
        self.background = background
        self.hu = background.hu.copy()
        self._taken = np.zeros(self.hu.shape, np.bool_)

    def add(self, random: np.random.Generator, like: Made | None = None) -> Made | None:
        """Make a lesion and put it in; None where there was no room in `TRIES`.

        Args:
            random: the source.
            like: one of whose host and tissue it shall be, a distractor.
        """
        for _ in range(TRIES):
            shape = draw_shape(random)
            # Half a slice off the middle at most: where between slices it lies is chance.
            centre = np.array([*random.uniform(-0.5, 0.5, 2), random.uniform(-0.5, 0.5)])
            whole = shape.fractions(self.background.spacing, centre)
            areas = whole.mask.sum(axis=(1, 2))
            if areas.max() < SMALLEST_MASK:
                continue  # thinner than half a slice, or smaller than a person would mark
            key = marked_slice(areas, random)
            host = like.place.host if like else self._draw_host(random)
            footprint = whole.values.max(axis=0) > 0
            place = find_place(self.background, footprint, host, self._taken, random)
            if place is None:
                continue
            tissue = like.tissue if like else self._draw_tissue(place, whole, key, random)
            core = None
            if tissue.core:
                core = shape.scaled(tissue.core).fractions(whole.spacing, centre)
            mask = self._insert(whole, core, key, place, tissue, random)
            self._take(footprint, place)
            return Made(
                mask=mask, place=place, tissue=tissue, shape=shape, volume_mm3=whole.volume_mm3,
                slices=int((areas > 0).sum()), largest=int(areas.max()),
            )  # fmt: skip
        return None

    def _draw_host(self, random: np.random.Generator) -> str:
        there = np.array([OFTEN[one] * self.background.hosts[one].any() for one in HOSTS])
        if not there.any():
            return HOSTS[0]
        return str(random.choice(HOSTS, p=there / there.sum()))

    def _draw_tissue(
        self, place: Place, whole: Fractions, key: int, random: np.random.Generator
    ) -> Tissue:
        (left, top), (height, width) = place.corner, whole.values.shape[1:]
        box = self.hu[top : top + height, left : left + width]
        around = float(np.median(box[whole.values[key] > 0.5])) if whole.mask[key].any() else 0.0
        return draw_tissue(place.host, around, random)

    def _insert(
        self,
        whole: Fractions,
        core: Fractions | None,
        key: int,
        place: Place,
        tissue: Tissue,
        random: np.random.Generator,
    ) -> NDArray[np.bool_]:
        """Put slice `key` of the lesion in; its mask there."""
        spacing = whole.spacing
        margin = int(np.ceil(4 * PSF_MM[1] / min(spacing[:2])))
        share = np.pad(whole.values[key], margin)
        core_share = np.zeros_like(share)
        if core is not None:
            x, y, z = core.first - whole.first
            if 0 <= key - z < len(core.values):
                part = core.values[key - z]
                rows = slice(margin + y, margin + y + part.shape[0])
                core_share[rows, margin + x : margin + x + part.shape[1]] = part
        # What of the margin lies beyond the slice's border is cut off.
        left, top = (corner - margin for corner in place.corner)
        rows = slice(max(0, -top), min(share.shape[0], self.hu.shape[0] - top))
        columns = slice(max(0, -left), min(share.shape[1], self.hu.shape[1] - left))
        box = (slice(top + rows.start, top + rows.stop),
               slice(left + columns.start, left + columns.stop))  # fmt: skip
        self.hu[box] = insert(
            self.hu[box], share[rows, columns], core_share[rows, columns], tissue,
            noise=self.background.noise, spacing=spacing, random=random,
        )  # fmt: skip
        mask = np.zeros(self.hu.shape, np.bool_)
        mask[box] = share[rows, columns] > 0.5
        return mask

    def _take(self, footprint: NDArray[np.bool_], place: Place) -> None:
        (left, top), (height, width) = place.corner, footprint.shape
        own = np.zeros(self._taken.shape, np.uint8)
        own[top : top + height, left : left + width] = footprint
        reach = 2 * int(np.ceil(APART_MM / min(self.background.spacing[:2]))) + 1
        self._taken |= cv2.dilate(own, np.ones((reach, reach), np.uint8)) > 0
