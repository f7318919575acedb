"""A 3D lesion mask to lesions, as the papers do it: one a connected component."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesions.errors import InputError
from lesions.labels import UNCERTAIN, as_labels, check_lesion
from lesions.lesion import Lesion
from lesions.metrics.volumes import mask_volume
from lesions.of_mask import ELSEWHERE, KeySlice, OfMask, OnSlice, counted
from lesions.readers.deeplesion import Rejected
from lesions.readers.mask_parts import MaskPart, parts_of_mask
from lesions.readers.png import encode_labels, encode_slice
from lesions.recist import Recist
from lesions.volume import Volume

SOFT_TISSUE = (-160.0, 240.0)  # HU
LEAST_MM = 3.0  # LIDC's readers outlined nodules from 3 mm on, and only marked smaller ones
BRIDGE = 1  # slices
_SAME_PLACE = 0.1  # voxels
_SAME_MM = 1e-6


@dataclass(frozen=True, kw_only=True)
class Taking:
    """How lesions are taken from a 3D mask.

    Attributes:
        least_mm: what is shorter on every slice is set aside as a speck; 0 takes everything.
        bridge: parts that empty slices alone part, at most this many, are one lesion; 0 joins none.
        key_slice: "area", where its area is largest, as the papers choose, or "diameter", where
            its long axis is longest, as RECIST 1.1 does.
    """

    least_mm: float = LEAST_MM
    bridge: int = BRIDGE
    key_slice: KeySlice = "area"

    def __post_init__(self) -> None:
        """InputError for what cannot be meant."""
        if not 0 <= self.least_mm < np.inf or self.bridge < 0:
            raise InputError("a least size in mm and a number of bridged slices are not negative")
        if self.key_slice not in ("area", "diameter"):
            raise InputError(f"a key slice is by area or diameter, not {self.key_slice!r}")


AS_PAPERS = Taking()


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What a 3D mask holds.

    Attributes:
        lesions: from feet to head; each one's `of_mask` says what was done to have it.
        aside: its specks, with the reason; numbered together with the lesions.
    """

    lesions: Sequence[Lesion]
    aside: Sequence[Rejected] = ()

    @property
    def warnings(self) -> list[str]:
        """What was done to have the lesions, with its count, in sentences."""
        specks = Counter(one.reason.partition(":")[0] for one in self.aside)
        done = counted(lesion.of_mask for lesion in self.lesions)
        done.pop(ELSEWHERE, None)
        return [
            *(f"set aside: {count} {words}" for words, count in specks.items()),
            *(f"{count} of {len(self.lesions)} lesions {words}" for words, count in done.items()),
        ]


def lesions_from_mask(
    volume: Volume,
    mask: Volume | NDArray[Any],
    *,
    window: tuple[float, float] = SOFT_TISSUE,
    least_mm: float = LEAST_MM,
    bridge: int = BRIDGE,
    key_slice: KeySlice = "area",
) -> list[Lesion]:
    """The lesions of `take_lesions`; what it set aside or joined is a Python warning.

    Args:
        volume, mask, window: see there.
        least_mm, bridge, key_slice: see `Taking`.
    """
    taking = Taking(least_mm=least_mm, bridge=bridge, key_slice=key_slice)
    taken = take_lesions(volume, mask, taking, window=window)
    for words in taken.warnings:
        warnings.warn(words, stacklevel=2)
    return [*taken.lesions]


def take_lesions(
    volume: Volume,
    mask: Volume | NDArray[Any],
    taking: Taking,
    *,
    window: tuple[float, float] = SOFT_TISSUE,
) -> Taken:
    """Every 26-connected component of a 3D mask as a lesion, from feet to head.

    Any positive label is lesion and 255 uncertain (`lesions.labels.as_labels`); where one label
    alone is meant, pass `mask == label`. A component's RECIST is measured from its pixels on its
    key slice, the lowest of equal ones. Its human mask holds those pixels and what is uncertain;
    other lesions are its background.

    Args:
        volume: the CT.
        mask: the same voxels: a volume read from its file, or an array (D, H, W) in display order.
        taking: what is a lesion, and which its key slice.
        window: (low, high) HU, the lesions' intensity window; for lungs, say, (-1500, 500).

    Returns:
        The lesions, called `SOURCE_KKK` after the volume's file and the index of the key slice,
        rows counted from 1, specks included; none when the mask is empty.

    Raises:
        InputError: the mask's shape or place is not the volume's, it is no mask, all of it is
            uncertain, or it has more than `mask_parts.MOST_PARTS` components.
    """
    given, labels = _labels(volume, mask)
    uncertain = labels == UNCERTAIN
    lesion = labels == 1
    if uncertain.any():
        check_lesion(lesion, labels, mask.source if isinstance(mask, Volume) else None)
    several = given.dtype != np.bool_ and given.max(initial=0) > 1
    lesions, aside = [], []
    for row, part in enumerate(parts_of_mask(lesion, taking.bridge), start=1):
        of_mask = _of_mask(part, given if several else lesion, volume.spacing)
        key = of_mask.by_area if taking.key_slice == "area" else of_mask.by_diameter
        name = f"{_stem(volume.source)}_{key.index:03d}"
        if of_mask.by_diameter.long_mm < taking.least_mm:
            reason = (f"smaller than the least size of {taking.least_mm:g} mm: "
                      f"{of_mask.by_diameter.long_mm:.1f} mm at its longest")  # fmt: skip
            aside.append(Rejected(file=name, row=row, reason=reason))
            continue
        pixels = np.where(uncertain[key.index], UNCERTAIN, 0).astype(np.uint8)
        pixels[part.box[1:]][part.voxels[key.index - part.box[0].start]] = 1
        lesions.append(
            Lesion(
                file=name, row=row, recist=Recist.from_mask(pixels, volume.spacing),
                spacing=volume.spacing, window=window, shape=volume.hu.shape[1:],
                encoded=encode_slice(volume.hu[key.index]),
                masks={"human": encode_labels(pixels)}, patient=volume.patient,
                study=volume.study, series=volume.series, of_mask=of_mask,
            )
        )  # fmt: skip
    return Taken(lesions=lesions, aside=aside)


def _of_mask(part: MaskPart, labels: NDArray[Any], spacing: tuple[float, float, float]) -> OfMask:
    """What a part's voxels say."""

    def measured(level: int) -> OnSlice:
        long, short = Recist.from_mask(part.voxels[level], spacing).diameters_mm(spacing)
        return OnSlice(index=part.box[0].start + level, long_mm=long, short_mm=short)

    by_area = measured(int(np.argmax(part.voxels.sum(axis=(1, 2)))))
    longest = by_area
    rows, columns = (_extent(np.asarray(part.voxels.any(axis=axis))) for axis in (2, 1))
    # No axis is longer than its slice's box is from corner to corner: few slices are measured.
    reach = np.hypot(rows * spacing[1], columns * spacing[0])
    for level in np.argsort(-reach, kind="stable").tolist():
        if reach[level] < longest.long_mm - _SAME_MM:
            break
        found = measured(level)
        if (round(found.long_mm, 6), -found.index) > (round(longest.long_mm, 6), -longest.index):
            longest = found
    return OfMask(
        volume_mm3=mask_volume(part.voxels, spacing),
        parts=part.joined,
        labels=len(np.unique(labels[part.box][part.voxels])),
        by_area=by_area,
        by_diameter=longest,
    )


def _extent(there: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(D,): from the first to the last that is there, of each row of (D, N); 0 without any."""
    first, last = there.argmax(axis=1), there.shape[1] - there[:, ::-1].argmax(axis=1)
    return np.where(there.any(axis=1), last - first, 0)


def _stem(source: Path) -> str:
    """The name without what says its format; folders named by UIDs keep their dots."""
    name = source.name
    for suffix in (".gz", ".zip", ".nii", ".mha", ".mhd", ".nrrd", ".nhdr", ".dcm"):
        name = name.removesuffix(suffix)
    return name


def _labels(volume: Volume, mask: Volume | NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """The mask as given, and what its values mean, once its geometry is the volume's."""
    file = mask.source if isinstance(mask, Volume) else None
    given = np.asarray(mask.hu if isinstance(mask, Volume) else mask)
    labels = as_labels(given, file)
    if labels.shape != volume.hu.shape:
        raise InputError(
            f"the mask has the shape {labels.shape}, its volume {volume.hu.shape}", file=file
        )
    if isinstance(mask, Volume):
        _check_place(volume, mask)
    return given, labels


def _check_place(volume: Volume, mask: Volume) -> None:
    if not np.allclose(volume.spacing, mask.spacing, rtol=0.01):
        raise InputError(
            f"the mask's voxels are {_list(mask.spacing)} mm, its volume's "
            f"{_list(volume.spacing)} mm",
            file=mask.source,
        )
    if volume.affine is None or mask.affine is None:
        return
    last = np.array(volume.hu.shape[::-1]) - 1.0
    ends = np.array([[0, 0, 0, 1], [*last, 1]])
    here, there = ends @ volume.affine.T, ends @ mask.affine.T
    if np.abs(here - there).max() > _SAME_PLACE * min(volume.spacing):
        raise InputError(
            f"the mask reaches from {_list(there[0, :3])} to {_list(there[1, :3])} mm, its volume "
            f"from {_list(here[0, :3])} to {_list(here[1, :3])} mm (left, back, head)",
            file=mask.source,
        )


def _list(numbers: Any) -> str:
    return ", ".join(f"{number:.4g}" for number in numbers)
