"""A 3D lesion mask to lesions, as the papers do it: one a connected component."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesions.errors import InputError
from lesions.labels import UNCERTAIN, check_lesion
from lesions.lesion import Lesion
from lesions.readers.png import encode_labels, encode_slice
from lesions.recist import Recist
from lesions.volume import Volume

SOFT_TISSUE = (-160.0, 240.0)  # HU
MOST_LESIONS = 2048  # of one mask; noise has millions, and each would cost a slice
_TOUCHING = np.ones((3, 3, 3), bool)  # 26 neighbours: corners touch
_SAME_PLACE = 0.1  # voxels


def lesions_from_mask(
    volume: Volume,
    mask: Volume | NDArray[Any],
    *,
    window: tuple[float, float] = SOFT_TISSUE,
) -> list[Lesion]:
    """Every 26-connected component of a 3D mask as a lesion, from feet to head.

    Any label but 0 (background) and 255 (uncertain) is lesion, whatever its number; where one
    label alone is meant, pass `mask == label`. A component's key slice is the axial slice where
    its area is largest, the lowest of equals; its RECIST is measured from its pixels there. Its
    human mask holds those pixels and what is uncertain; other lesions are its background.

    Args:
        volume: the CT.
        mask: the same voxels: a volume read from its file, or an array (D, H, W) in display order.
        window: (low, high) HU, the lesions' intensity window; for lungs, say, (-1500, 500).

    Returns:
        The lesions, called `SOURCE_KKK` after the volume's file and the index of the key slice,
        rows counted from 1; none when the mask is empty.

    Raises:
        InputError: the mask's shape or place is not the volume's, all of it is uncertain, or it
            has more than `MOST_LESIONS` components.
        ValueError: a mask that is neither whole numbers nor boolean.
    """
    labels = _labels(volume, mask)
    uncertain = labels == UNCERTAIN
    lesion = labels != 0
    lesion &= ~uncertain
    if uncertain.any():
        check_lesion(lesion, labels, mask.source if isinstance(mask, Volume) else None)
    return [
        _lesion(volume, component, box, uncertain, row, window)
        for row, (box, component) in enumerate(_components(lesion), start=1)
    ]


def _components(
    lesion: NDArray[np.bool_],
) -> Iterator[tuple[tuple[slice, ...], NDArray[np.bool_]]]:
    """Each component's box, and the component within it."""
    # Labelling costs voxels: a mask of lesions is nearly all air, so its middle is cut out first.
    for middle in ndimage.find_objects(lesion.view(np.uint8)):
        labels, count = ndimage.label(lesion[middle], structure=_TOUCHING)
        if count > MOST_LESIONS:
            raise InputError(f"the mask has {count} separate parts, more than {MOST_LESIONS}",
                             remedy="remove its specks: they are no lesions")  # fmt: skip
        for number, box in enumerate(ndimage.find_objects(labels), start=1):
            placed = (
                slice(m.start + b.start, m.start + b.stop) for m, b in zip(middle, box, strict=True)
            )
            yield tuple(placed), labels[box] == number


def _lesion(
    volume: Volume,
    component: NDArray[np.bool_],
    box: tuple[slice, ...],
    uncertain: NDArray[np.bool_],
    row: int,
    window: tuple[float, float],
) -> Lesion:
    """The lesion of one component, given within its box."""
    inside = int(np.argmax(component.sum(axis=(1, 2))))
    key = box[0].start + inside
    labels = np.where(uncertain[key], UNCERTAIN, 0).astype(np.uint8)
    labels[box[1:]][component[inside]] = 1
    height, width = labels.shape
    return Lesion(
        file=f"{_stem(volume.source)}_{key:03d}",
        row=row,
        recist=Recist.from_mask(labels, volume.spacing),
        spacing=volume.spacing,
        window=window,
        shape=(height, width),
        encoded=encode_slice(volume.hu[key]),
        masks={"human": encode_labels(labels)},
        patient=volume.patient,
        study=volume.study,
        series=volume.series,
    )


def _stem(source: Path) -> str:
    """The name without what says its format; folders named by UIDs keep their dots."""
    name = source.name
    for suffix in (".gz", ".zip", ".nii", ".mha", ".mhd", ".nrrd", ".nhdr", ".dcm"):
        name = name.removesuffix(suffix)
    return name


def _labels(volume: Volume, mask: Volume | NDArray[Any]) -> NDArray[Any]:
    """The mask's labels (D, H, W), once its geometry is the volume's."""
    labels = np.asarray(mask.hu if isinstance(mask, Volume) else mask)
    if labels.dtype.kind not in "biu":
        raise ValueError(f"a mask holds whole numbers, not {labels.dtype}")
    file = mask.source if isinstance(mask, Volume) else None
    if labels.shape != volume.hu.shape:
        raise InputError(
            f"the mask has the shape {labels.shape}, its volume {volume.hu.shape}", file=file
        )
    if isinstance(mask, Volume):
        _check_place(volume, mask)
    return labels


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
