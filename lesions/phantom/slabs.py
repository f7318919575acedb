"""Lesions in a scan, on every slice that they reach: where each is, and how large at each time."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lesions.phantom.backgrounds import read_background, read_scan
from lesions.phantom.courses import Course
from lesions.phantom.inserting import (
    SMALLEST_MASK,
    TRIES,
    Drawn,
    draw_host,
    draw_lesion,
    tissue_at,
)
from lesions.phantom.places import APART_MM, Layer, Place, find_place, kept_off
from lesions.phantom.shapes import Fractions, Shape
from lesions.phantom.tissues import Tissue


@dataclass(frozen=True, kw_only=True, eq=False)
class Implant:
    """A lesion in a scan.

    Attributes:
        number: among those of its patient that are asked for, 1 = the first; 0 for others.
        shape: as it is where the lesion is first there.
        centre: (x, y, z), its middle in the scan's voxels.
        place, tissue: what it is.
        course: how large it is at each time.
        reach: the first slice that it ever touches, and the last.
    """

    number: int
    shape: Shape
    centre: NDArray[np.float64]
    place: Place
    tissue: Tissue
    course: Course
    reach: tuple[int, int]

    def at(
        self, time: int, shift: tuple[float, float], spacing: tuple[float, float, float]
    ) -> tuple[Fractions, Fractions | None] | None:
        """Its shares, and its core's, in the scan's voxels; None where nobody would mark it.

        Args:
            time: counted from 0.
            shift: (x, y) pixels, by which the patient lies elsewhere then.
            spacing: (x, y, z) mm.
        """
        if not self.course.factors[time]:
            return None
        shape = self.shape.scaled(float(np.cbrt(self.course.factors[time])))
        centre = self.centre + np.array([*shift, 0.0])
        whole = shape.fractions(spacing, centre)
        small = whole.mask.sum(axis=(1, 2)).max() < SMALLEST_MASK
        if small and time > self.course.first:
            return None
        if not self.tissue.core:
            return whole, None
        return whole, shape.scaled(self.tissue.core).fractions(spacing, centre)


class Slab:
    """Neighbouring slices of a scan that lesions are placed in.

    Attributes:
        scan: the CT.
        spacing: (x, y, z) mm.
    """

    def __init__(self, scan: Path, margin: int) -> None:
        """`margin` pixels beside each lesion stay within the slice, for it to be moved."""
        self.scan = scan
        self.spacing = read_scan(scan).spacing
        self._margin = margin
        self._taken: dict[int, NDArray[np.bool_]] = {}

    def add(
        self,
        at: int,
        number: int,
        course: Course,
        random: np.random.Generator,
        like: Implant | None = None,
    ) -> Implant | None:
        """Place a lesion; None where there was no room in `TRIES`.

        There is room for it as large as it ever is.

        Args:
            at: the slice of the scan on which it is marked, or could be, when it is first there.
            number: see `Implant`.
            course: how large it is at each time.
            random: the source.
            like: one of whose host and tissue it shall be, a distractor.
        """
        background = read_background(self.scan, at)
        for _ in range(TRIES if background.has_hosts else 0):
            drawn = draw_lesion(self.spacing, random)
            if drawn is None:
                continue
            # Its marked slice becomes slice `at` of the scan.
            rise = at - drawn.key - int(drawn.whole.first[2])
            widest = self._widest(drawn, course).moved(np.array([0, 0, rise]))
            host = like.place.host if like else draw_host(background, random)
            layers = self._layers(widest)
            if not layers:
                continue
            place = find_place([*layers.values()], [*layers].index(at), host, random)
            if place is None:
                continue
            share = np.pad(widest.on(at), self._margin)
            tissue = like.tissue if like else tissue_at(background.hu, place, share, random)
            left, top = np.array(place.corner) + self._margin - widest.first[:2]
            self._take(layers, place)
            return Implant(
                number=number, shape=drawn.shape, centre=drawn.centre + np.array([left, top, rise]),
                place=place, tissue=tissue, course=course, reach=(min(layers), max(layers)),
            )  # fmt: skip
        return None

    def _widest(self, drawn: Drawn, course: Course) -> Fractions:
        if course.largest <= 1:
            return drawn.whole
        largest = drawn.shape.scaled(float(np.cbrt(course.largest)))
        return largest.fractions(self.spacing, drawn.centre)

    def _layers(self, widest: Fractions) -> dict[int, Layer]:
        """The slices that a lesion touches; none where some lie beyond the scan."""
        first, margin = int(widest.first[2]), self._margin
        touched = [first + int(n) for n in np.flatnonzero(widest.values.any(axis=(1, 2)))]
        if touched[0] < 0 or touched[-1] >= len(read_scan(self.scan).hu):
            return {}
        return {
            at: Layer(
                background=read_background(self.scan, at), taken=self._taken_on(at),
                footprint=np.pad(widest.on(at) > 0, margin),
            )
            for at in touched
        }  # fmt: skip

    def _taken_on(self, at: int) -> NDArray[np.bool_]:
        if at not in self._taken:
            self._taken[at] = np.zeros(read_scan(self.scan).hu.shape[1:], np.bool_)
        return self._taken[at]

    def _take(self, layers: dict[int, Layer], place: Place) -> None:
        """Keep other lesions off, in the plane and along z, there by a slice at least."""
        up = max(1, int(np.ceil(APART_MM / self.spacing[2])))
        depth = len(read_scan(self.scan).hu)
        for at in range(max(0, min(layers) - up), min(max(layers) + up + 1, depth)):
            near = [layer.footprint for other, layer in layers.items() if abs(other - at) <= up]
            own = np.logical_or.reduce(near)
            taken = self._taken_on(at)
            taken |= kept_off(own, place, read_background(self.scan, at))
