"""Pseudo masks: what stands in for the masks that nobody has drawn."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesions.ellipse import ellipse
from lesions.masks.best import best
from lesions.masks.dcrf import dcrf
from lesions.masks.dense_crf import CrfParameters, dense_crf
from lesions.masks.grabcut import grabcut, grabcut_i, grabcut_r
from lesions.masks.grabcut_3d import grabcut_3d
from lesions.masks.snakes import snakes
from lesions.masks.strokes import strokes
from lesions.recist import Recist

__all__ = ["PSEUDO_MASKS", "CrfParameters", "agree", "dense_crf", "grabcut_3d", "pseudo_mask"]

Labels = NDArray[np.uint8]
Window = tuple[float, float]


def _ellipse(slice_hu: NDArray[Any], recist: Recist, window: Window) -> Labels:
    return ellipse(recist, (slice_hu.shape[0], slice_hu.shape[1])).astype(np.uint8)


PSEUDO_MASKS: dict[str, Callable[[NDArray[Any], Recist, Window], Labels]] = {
    "ellipse": _ellipse,
    "snakes": snakes,
    "best": best,
    "recist": strokes,
    "grabcut": grabcut,
    "grabcut_i": grabcut_i,
    "grabcut_r": grabcut_r,
    "dcrf": dcrf,
}


def pseudo_mask(name: str, slice_hu: NDArray[Any], recist: Recist, window: Window) -> Labels:
    """The pseudo mask `name` of a lesion.

    Args:
        name: one of `PSEUDO_MASKS`.
        slice_hu: HU (H, W).
        recist: (x, y) pixels of that slice.
        window: (low, high) HU.

    Returns:
        uint8 (H, W): 0 background, 1 lesion, 255 uncertain.

    Raises:
        ValueError: an unknown name; the message lists the choices.
    """
    if name not in PSEUDO_MASKS:
        raise ValueError(f"no pseudo mask {name!r}; choose from {', '.join(PSEUDO_MASKS)}")
    return PSEUDO_MASKS[name](slice_hu, recist, window)


def agree(ellipse: NDArray[Any], prediction: NDArray[Any]) -> Labels:
    """What two masks agree on: both lesion → 1, only one → 255 (uncertain), neither → 0.

    The update between training rounds (PDNet, AHRNet). 1 or True is lesion; a pixel that is
    already uncertain (255) in one image is no lesion there.

    Args:
        ellipse: (H, W).
        prediction: (H, W), refined by snakes first in PDNet.

    Raises:
        ValueError: the shapes differ.
    """
    first, second = np.asarray(ellipse) == 1, np.asarray(prediction) == 1
    if first.shape != second.shape:
        raise ValueError(f"masks of different shapes: {first.shape} and {second.shape}")
    return np.where(first & second, 1, np.where(first | second, 255, 0)).astype(np.uint8)
