"""A lesion drawn, and put into slices: its shape first, then place, tissue and pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lesions.phantom.backgrounds import HOSTS, Background
from lesions.phantom.marks import marked_slice
from lesions.phantom.places import Layer, Place, find_place, kept_off
from lesions.phantom.shapes import Fractions, Shape, draw_shape
from lesions.phantom.tissues import PSF_MM, Surroundings, Tissue, draw_tissue, insert

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


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """A shape that is nowhere yet.

    Attributes:
        shape: what it is.
        centre: (x, y, z), where between voxels its middle lies.
        whole: its shares about there.
        key: which of their slices is marked.
    """

    shape: Shape
    centre: NDArray[np.float64]
    whole: Fractions
    key: int


def draw_lesion(spacing: tuple[float, float, float], random: np.random.Generator) -> Drawn | None:
    """A shape on voxels of this size; None where a person would not mark it."""
    shape = draw_shape(random)
    # Half a slice off the middle at most: where between slices it lies is chance.
    centre = random.uniform(-0.5, 0.5, 3)
    whole = shape.fractions(spacing, centre)
    areas = whole.mask.sum(axis=(1, 2))
    if areas.max() < SMALLEST_MASK:
        return None  # thinner than half a slice, or smaller than a person would mark
    return Drawn(shape=shape, centre=centre, whole=whole, key=marked_slice(areas, random))


def draw_host(background: Background, random: np.random.Generator) -> str:
    """Of the tissues that a slice has, one where lesions are; it must have one."""
    there = np.array([OFTEN[one] * background.hosts[one].any() for one in HOSTS])
    return str(random.choice(HOSTS, p=there / there.sum()))


def tissue_at(
    hu: NDArray[np.int16], place: Place, share: NDArray[np.float32], random: np.random.Generator
) -> Tissue:
    """A tissue for a place of a slice (H, W); `share` (h, w) is the lesion's there."""
    (left, top), (height, width) = place.corner, share.shape
    box = hu[top : top + height, left : left + width]
    around = float(np.median(box[share > 0.5])) if (share > 0.5).any() else 0.0
    return draw_tissue(place.host, around, random)


def put(
    hu: NDArray[np.int16],
    surroundings: Surroundings,
    whole: Fractions,
    core: Fractions | None,
    tissue: Tissue,
    random: np.random.Generator,
) -> None:
    """Put a lesion into those of some slices that it reaches.

    Args:
        hu: (D, H, W), changed.
        surroundings: of these slices.
        whole: its shares, in the scan's voxels.
        core: its core's; None without.
        tissue: what it consists of.
        random: the source.
    """
    first = int(whole.first[2])
    reached = [n for n, at in enumerate(surroundings.slices) if whole.on(at).any()]
    if not reached:
        return
    where = surroundings.some(reached)
    margin = int(np.ceil(4 * PSF_MM[1] / min(where.spacing[:2])))
    share = np.pad(
        whole.values[[at - first for at in where.slices]], ((0, 0), *2 * [2 * (margin,)])
    )
    core_share = np.zeros_like(share)
    if core is not None:
        x, y = (core.first - whole.first)[:2]
        height, width = core.values.shape[1:]
        rows, columns = (
            slice(margin + y, margin + y + height),
            slice(margin + x, margin + x + width),
        )
        for n, at in enumerate(where.slices):
            core_share[n, rows, columns] = core.on(at)
    # What of the margin lies beyond the slice's border is cut off.
    left, top = (int(corner) - margin for corner in whole.first[:2])
    rows = slice(max(0, -top), min(share.shape[1], hu.shape[1] - top))
    columns = slice(max(0, -left), min(share.shape[2], hu.shape[2] - left))
    box = (reached, slice(top + rows.start, top + rows.stop),
           slice(left + columns.start, left + columns.stop))  # fmt: skip
    hu[box] = insert(
        hu[box], share[:, rows, columns], core_share[:, rows, columns], tissue,
        surroundings=where, random=random,
    )  # fmt: skip


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
        self._surroundings = Surroundings(
            slices=(0,), spacing=background.spacing, noises=(background.noise,)
        )

    def add(self, random: np.random.Generator, like: Made | None = None) -> Made | None:
        """Make a lesion and put it in; None where there was no room in `TRIES`.

        Args:
            random: the source.
            like: one of whose host and tissue it shall be, a distractor.
        """
        for _ in range(TRIES if self.background.has_hosts else 0):
            drawn = draw_lesion(self.background.spacing, random)
            if drawn is None:
                continue
            footprint = drawn.whole.values.max(axis=0) > 0
            host = like.place.host if like else draw_host(self.background, random)
            layer = Layer(background=self.background, footprint=footprint, taken=self._taken)
            place = find_place([layer], 0, host, random)
            if place is None:
                continue
            share = drawn.whole.values[drawn.key]
            tissue = like.tissue if like else tissue_at(self.hu, place, share, random)
            areas = drawn.whole.mask.sum(axis=(1, 2))
            made = Made(
                mask=self._insert(drawn, place, tissue, random), place=place, tissue=tissue,
                shape=drawn.shape, volume_mm3=drawn.whole.volume_mm3,
                slices=int((areas > 0).sum()), largest=int(areas.max()),
            )  # fmt: skip
            self._taken |= kept_off(footprint, place, self.background)
            return made
        return None

    def _insert(
        self, drawn: Drawn, place: Place, tissue: Tissue, random: np.random.Generator
    ) -> NDArray[np.bool_]:
        """Put the key slice of the lesion in; its mask there."""
        # Its key slice becomes slice 0, the only one of this canvas.
        moved = np.array([*place.corner, -drawn.key]) - drawn.whole.first
        core = None
        if tissue.core:
            scaled = drawn.shape.scaled(tissue.core)
            core = scaled.fractions(drawn.whole.spacing, drawn.centre).moved(moved)
        whole = drawn.whole.moved(moved)
        put(self.hu[None], self._surroundings, whole, core, tissue, random)
        return whole.mask_on(0, self.hu.shape)
