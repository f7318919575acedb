"""Real lesions and, in the same scans, made ones of their size and host.

Real: the sarcomas (`sts_ct`) and nodules (`lidc`) with their human masks, and the marks of
DeepLesion on the slices that we hold, of which no mask is: there a lesion is the ellipse of its
mark, and the made one beside it that of a mark as people set it. A made lesion's patch holds
nothing of the real one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import nibabel
import numpy as np
from numpy.typing import NDArray

from lesions.ellipse import ellipse
from lesions.phantom import inserting
from lesions.phantom.backgrounds import HOSTS, Background, read_background
from lesions.phantom.inserting import Canvas
from lesions.phantom.marks import draw_mark, draw_readers
from lesions.phantom.measured import MARK_SHORTER, Z_EXTENT_BY_LONG
from lesions.phantom.shapes import Shape, shape_of
from lesions.readers.deeplesion import read_lesion, read_table
from lesions.readers.nifti import read_nifti
from lesions.recist import Recist
from tests.bench.realism.measures import INNER_MM, RING_MM, Look, Mask, band_power, look, signed_mm

DATA = Path(__file__).resolve().parents[4] / "shared/data"
PATCH = 48  # pixels
LONGEST = 40  # pixels of the long axis, of a lesion that a patch shows
SHORTEST_MM = 8.0
PER_PATIENT = 6  # real slices that the network sees of one tumour
SLICES = 8  # that are tried for one made lesion


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """A lesion on a slice.

    Attributes:
        source: the set.
        patient: whose scan it is.
        made: whether it is made.
        host: where it lies, a name of `HOSTS`.
        tissue: of a made one.
        long_mm: its long axis.
        look: its measures.
        inside, before, beyond: the power by band of its inside, of the same place before it was
            made, and of its host elsewhere on the slice.
        patch: (PATCH, PATCH) HU about its middle; None where it is too large.
        empty: the same before it was made.
        mask: (PATCH, PATCH).
    """

    source: str
    patient: str
    made: bool
    host: str
    tissue: str
    long_mm: float
    look: Look
    inside: NDArray[np.float64] | None
    before: NDArray[np.float64] | None
    beyond: NDArray[np.float64] | None
    patch: NDArray[np.int16] | None
    empty: NDArray[np.int16] | None
    mask: Mask | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Slice:
    """A slice of a scan, with what is real on it.

    Attributes:
        path, at: the scan's file, and the slice.
        marked: bool (H, W), all real lesions that we know of.
    """

    path: Path
    at: int
    marked: Mask

    @property
    def background(self) -> Background:
        """The slice as the phantom knows it."""
        return read_background(self.path, self.at)


@dataclass(frozen=True, kw_only=True, eq=False)
class Real:
    """A real lesion on a slice of its scan.

    Attributes:
        mask: bool (H, W), by a person or the ellipse of a mark.
        recist: its axes.
        by_mark: whether the mask is an ellipse.
        others: the slices of the same patient's scans.
    """

    source: str
    patient: str
    slice: Slice
    mask: Mask
    recist: Recist
    by_mark: bool
    others: list[Slice]


def masked(source: str, ending: str) -> Iterator[Real]:
    """The real lesions with human masks, slices of every size spread over each tumour."""
    for path in sorted((DATA / source).glob("*_ct.nii.gz")):
        truth = read_nifti(path.with_name(path.name.replace("_ct", ending))).hu > 0
        spacing = read_nifti(path).spacing
        slices = [Slice(path=path, at=at, marked=one) for at, one in enumerate(truth)]
        patient = path.name.removesuffix("_ct.nii.gz")
        found = []
        for one in slices:
            if one.marked.sum() < inserting.SMALLEST_MASK:
                continue
            mask = largest_part(one.marked)
            recist = Recist.from_mask(mask.astype(np.uint8), spacing)
            found.append(Real(source=source, patient=patient, slice=one, mask=mask, recist=recist,
                              by_mark=False, others=slices))  # fmt: skip
        small = [one for one in found if fits(one, spacing)]
        rest = [one for one in found if one.mask.sum() * 4 >= max(r.mask.sum() for r in found)]
        yield from spread([one for one in rest if one not in small], PER_PATIENT)
        yield from spread(small, PER_PATIENT)


def spread(found: list[Real], count: int) -> list[Real]:
    """At most so many, evenly."""
    if len(found) <= count:
        return found
    return [found[i] for i in np.rint(np.linspace(0, len(found) - 1, count)).astype(int)]


def largest_part(mask: Mask) -> Mask:
    """The largest connected part."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return np.asarray(labels == 1 + stats[1:, cv2.CC_STAT_AREA].argmax())


def fits(one: Real, spacing: tuple[float, ...]) -> bool:
    """Whether a patch shows it whole, and it is no smaller than made ones are."""
    long, _ = one.recist.diameters_mm(spacing)
    return SHORTEST_MM <= long <= LONGEST * spacing[0]


def deeplesion(folder: Path) -> Iterator[Real]:
    """DeepLesion's marks on the slices that we hold; slices go to `folder` as NIfTI."""
    root = DATA / "deeplesion"
    held = {f"{path.parent.name}_{path.name}" for path in root.glob("Images_png/*/*.png")}
    found = [read_lesion(row, root) for row in read_table(root) if row.fields["File_name"] in held]
    slices: dict[str, Slice] = {}
    for lesion in found:
        mask = ellipse(lesion.recist, lesion.shape) > 0
        if lesion.file in slices:
            slices[lesion.file].marked[mask] = True
            continue
        path = folder / f"{lesion.file.removesuffix('.png')}.nii.gz"
        affine = np.diag([-lesion.spacing[0], -lesion.spacing[1], lesion.spacing[2], 1])
        nibabel.Nifti1Image(lesion.slice_hu.T[..., None], affine).to_filename(path)
        slices[lesion.file] = Slice(path=path, at=0, marked=mask)
    for lesion in found:
        patient = lesion.file[:6]
        yield Real(
            source="deeplesion", patient=patient, slice=slices[lesion.file],
            mask=ellipse(lesion.recist, lesion.shape) > 0, recist=lesion.recist, by_mark=True,
            others=[one for name, one in slices.items() if name[:6] == patient],
        )  # fmt: skip


def host_of(mask: Mask, background: Background) -> str | None:
    """The host that most of the ring about a lesion is; None where it is none of them."""
    away = signed_mm(mask, background.spacing)
    ring = (away > RING_MM[0]) & (away < RING_MM[1])
    counts = [int(background.hosts[one][ring].sum()) for one in HOSTS]
    return HOSTS[int(np.argmax(counts))] if max(counts) else None


def pairs(reals: Iterator[Real], seed: int = 0) -> Iterator[tuple[Seen, Seen | None]]:
    """Each real lesion with a made one; None where it is too large or nothing found room."""
    random = np.random.default_rng(seed)
    for real in reals:
        background = real.slice.background
        host = host_of(real.mask, background)
        if host is None:
            continue
        seen = see(background.hu, real.mask, background, host, real)
        if seen is None:
            continue
        yield seen, make_like(real, host, random) if seen.patch is not None else None


def see(
    hu: NDArray[np.int16], mask: Mask, background: Background, host: str, real: Real,
    tissue: str = "",
) -> Seen | None:  # fmt: skip
    """What is to be known of a lesion on a slice; None where it cannot be measured."""
    spacing = background.spacing
    measured = look(hu, mask, spacing, background.noise.deviation, lung=host == "lung")
    if measured is None:
        return None
    away = signed_mm(mask, spacing)
    recist = Recist.from_mask(mask.astype(np.uint8), spacing)
    long, _ = recist.diameters_mm(spacing)
    inner = away < -INNER_MM
    box = patch_box(mask) if SHORTEST_MM <= long <= LONGEST * spacing[0] else None
    elsewhere = background.hosts[host] & (away > 10) & ~real.slice.marked
    return Seen(
        source=real.source, patient=real.patient, made=bool(tissue), host=host, tissue=tissue,
        long_mm=long, look=measured, inside=band_power(hu, inner),
        before=band_power(background.hu, inner) if tissue else None,
        beyond=band_power(background.hu, elsewhere),
        patch=hu[box] if box else None, empty=background.hu[box] if box else None,
        mask=mask[box] if box else None,
    )  # fmt: skip


def patch_box(mask: Mask) -> tuple[slice, slice] | None:
    """The patch about a mask's middle; None where the slice ends before it does."""
    rows, columns = np.nonzero(mask)
    top, left = (round(float(one.mean())) - PATCH // 2 for one in (rows, columns))
    if min(top, left) < 0 or top + PATCH > mask.shape[0] or left + PATCH > mask.shape[1]:
        return None
    return slice(top, top + PATCH), slice(left, left + PATCH)


def make_like(real: Real, host: str, random: np.random.Generator) -> Seen | None:
    """A made lesion of the same axes and host in a slice of the same patient."""
    drawn_in = 1 - MARK_SHORTER if real.by_mark else 1
    long, short = real.recist.diameters_mm(real.slice.background.spacing)
    sizes = long / drawn_in, short / drawn_in
    for at in random.permutation(len(real.others))[:SLICES]:
        one = real.others[at]
        background = free_of(one, one.background, host)
        canvas = Canvas(background)
        with mock.patch.object(inserting, "draw_shape", partial(shape_like, sizes)):
            made = canvas.add(random)
        if made is None:
            continue
        mask = marked_ellipse(made.mask, background, random) if real.by_mark else made.mask
        box = patch_box(mask)
        if box is None or one.marked[box].any():
            continue
        seen = see(canvas.hu, mask, background, host, replace(real, slice=one), made.tissue.kind)
        if seen is not None and seen.patch is not None:
            return seen
    return None


def free_of(one: Slice, background: Background, host: str) -> Background:
    """Only one host, and none of it so near to a real lesion that a patch would show that."""
    near = cv2.dilate(one.marked.astype(np.uint8), np.ones((PATCH, PATCH), np.uint8)) > 0
    hosts = {name: of & ~near if name == host else np.zeros_like(of)
             for name, of in background.hosts.items()}  # fmt: skip
    return replace(background, hosts=hosts)


def shape_like(sizes: tuple[float, float], random: np.random.Generator) -> Shape:
    """A shape of these axes in the plane; its extent along z is drawn as ever."""
    long, short = sizes
    return shape_of((long, short, long * Z_EXTENT_BY_LONG.draw(random)), random)


def marked_ellipse(mask: Mask, background: Background, random: np.random.Generator) -> Any:
    """The ellipse of a mark as people set it of a made lesion."""
    truth = Recist.from_mask(mask.astype(np.uint8), background.spacing)
    (reader,) = draw_readers(1, random)
    return ellipse(draw_mark(truth, reader, (mask.shape[0], mask.shape[1]), random), mask.shape) > 0
