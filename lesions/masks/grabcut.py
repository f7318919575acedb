"""GrabCut (Rother et al. 2004) on the windowed CT, from the WSSS paper's three trimaps (3.1, 4).

Dice against human masks on the 19 key slices of sts_ct, lidc and medsam2, RECIST measured from the
mask: GrabCut-R 0.842, GrabCut-i 0.783, dilated RECIST 0.473, GrabCut 0.099; on the sample's 252
slices 0.809, 0.735, 0.480, 0.084. That is the paper's order, and near its lymph nodes, 0.83, 0.63,
0.51, 0.11.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lesions.masks.trimaps import (
    CORE,
    FOREGROUND,
    PROBABLE_BACKGROUND,
    Trimap,
    box_trimap,
    recist_trimap,
)
from lesions.recist import Recist
from lesions.windows import windowed

# It ends where no pixel changes sides any more, mostly after two or three.
ITERATIONS = 10

Labels = NDArray[np.uint8]
Window = tuple[float, float]


def grabcut(slice_hu: NDArray[Any], recist: Recist, window: Window) -> Labels:
    """From the padded box alone; see `cut`. It mostly finds no lesion, as in the paper."""
    return cut(slice_hu, box_trimap(recist), window)


def grabcut_i(slice_hu: NDArray[Any], recist: Recist, window: Window) -> Labels:
    """From the padded box, its central 20 % sure foreground; see `cut`."""
    return cut(slice_hu, box_trimap(recist, CORE), window)


def grabcut_r(slice_hu: NDArray[Any], recist: Recist, window: Window) -> Labels:
    """From the dilated axes; see `cut`."""
    return cut(slice_hu, recist_trimap(recist), window)


def cut(slice_hu: NDArray[Any], trimap: Trimap, window: Window) -> Labels:
    """As `edge`; where there is none, the trimap takes its place, with 255 for uncertain."""
    found = edge(slice_hu, trimap, window)
    return trimap.labels((slice_hu.shape[0], slice_hu.shape[1])) if found is None else found


def edge(slice_hu: NDArray[Any], trimap: Trimap, window: Window) -> Labels | None:
    """GrabCut within the trimap's frame, until no pixel changes sides.

    A function of its arguments alone; OpenCV's random generator of this thread is set anew.

    Args:
        slice_hu: HU (H, W).
        trimap: what to start from.
        window: (low, high) HU, brought to 8 bit.

    Returns:
        uint8 (H, W), 0 or 1. None where there is sure foreground and the cut finds no edge: it
        gives all that is uncertain to one side. Without sure foreground it may well be empty.

    Raises:
        ValueError: the slice is not (H, W), or the window not low, high.
    """
    if slice_hu.ndim != 2:
        raise ValueError(f"a slice has the shape (H, W), not {slice_hu.shape}")
    labels = np.zeros((slice_hu.shape[0], slice_hu.shape[1]), dtype=np.uint8)
    part, place = trimap.frame.overlap(labels.shape)
    start = trimap.regions[part]
    image = np.rint(255 * windowed(slice_hu[place], window)).astype(np.uint8)
    lesion = _cut(image, start)
    of_uncertain = lesion[start >= PROBABLE_BACKGROUND]
    one_sided = not of_uncertain.any() or of_uncertain.all()
    if one_sided and (trimap.regions == FOREGROUND).any():
        return None
    labels[place] = lesion
    return labels


def _cut(image: Labels, start: Labels) -> NDArray[np.bool_]:
    """Where GrabCut finds the lesion; nowhere, when one of its two sides has no pixel at all."""
    regions = np.ascontiguousarray(start)
    lesion = _foreground(regions)
    if lesion.all() or not lesion.any():
        return np.zeros_like(lesion)
    colours = cv2.merge([image] * 3)  # OpenCV's takes nothing else
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    mode = cv2.GC_INIT_WITH_MASK
    for _ in range(ITERATIONS):
        before = lesion
        regions, _, _ = cv2.grabCut(colours, regions.copy(), None, *models, 1, mode)
        lesion, mode = _foreground(regions), cv2.GC_EVAL
        if np.array_equal(before, lesion):
            break
    return lesion


def _foreground(regions: Labels) -> NDArray[np.bool_]:
    """Sure and probable foreground: OpenCV's odd numbers."""
    return (regions & 1).astype(np.bool_)
