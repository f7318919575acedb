"""GrabCut on every slice, from the RECIST estimated there and a network's probability (WSSS 3.3).

3D Dice on the 19 volumes of sts_ct, lidc and medsam2, RECIST measured on the key slice: from the
RECIST alone 0.757 (the paper's GrabCut-3DE 0.675), by offset 0.84 on the key slice, 0.84, 0.79,
0.76, 0.75 four slices away, 0.52 eight away. No network was at hand: with a probability made of HU
likelihood and shrinking ellipses, a prediction of 0.82 stays at 0.82; shifted so that it is too
small, 0.68, it gains 0.05, and too large, 0.64, also.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lesions.masks.frame import Frame, Image, Mask
from lesions.masks.grabcut import Labels, Window, cut, edge
from lesions.masks.strokes import axes_pixels
from lesions.masks.trimaps import distance_trimap, recist_trimap
from lesions.metrics import UNCERTAIN
from lesions.recist import Recist

# Where a network says lesion; lowered until this part of the RECIST's pixels is covered.
THRESHOLD, COVERED = 0.5, 0.5
# In such steps, as within a region of nearly equal probability half the pixels are a matter of
# rounding. Where the last one is not enough either, the network has found nothing. Both are ours.
STEP = 0.05
ROUNDING = 1e-6


def grabcut_3d(
    volume_hu: NDArray[Any],
    recist: Recist,
    window: Window,
    *,
    key: int,
    spacing: ArrayLike,
    probability: NDArray[Any] | None = None,
) -> Labels:
    """Label every slice by GrabCut from the probability and the estimated RECIST (Algorithm 1).

    A single slice, D = 1, is the paper's post-processing of a prediction.

    Args:
        volume_hu: HU (D, H, W), all slices to be labelled.
        recist: on the key slice, (x, y) pixels; elsewhere `Recist.at_offset` stands for it.
        window: (low, high) HU.
        key: the key slice's index; it need not be one of the D.
        spacing: (x, y, z) mm.
        probability: a network's, (D, H, W), 0 to 1; without it, and on slices where it has found
            nothing, the trimap comes from the RECIST alone.

    Returns:
        uint8 (D, H, W): 0, 1, and 255 where no edge is found and RECIST and network disagree, or
        the network alone sees lesion, beyond the RECIST's reach. Background beyond twice its box.

    Raises:
        ValueError: shapes or spacing do not fit, or a probability is none.
    """
    if volume_hu.ndim != 3:
        raise ValueError(f"a volume has the shape (D, H, W), not {volume_hu.shape}")
    size = np.asarray(spacing, dtype=np.float64)
    if size.shape != (3,) or not (np.isfinite(size) & (size > 0)).all():
        raise ValueError(f"a volume's spacing is (x, y, z) in mm, positive, not {spacing!r}")
    if probability is not None:
        _check(probability, volume_hu.shape)
    labels, frame = np.zeros(volume_hu.shape, dtype=np.uint8), Frame.about(recist)
    for index, slice_hu in enumerate(volume_hu):
        estimated = recist.at_offset((index - key) * size[2], size)
        if probability is not None:
            labels[index] = _from_network(slice_hu, estimated, window, frame, probability[index])
        elif estimated is not None:
            labels[index] = cut(slice_hu, recist_trimap(estimated), window)
    return labels


def _check(probability: NDArray[Any], shape: tuple[int, ...]) -> None:
    if probability.shape != shape:
        raise ValueError(f"the probability is {probability.shape}, the volume {shape}")
    # Smoothing and resampling leave rounding errors beyond 0 and 1.
    if not ((probability >= -ROUNDING) & (probability <= 1 + ROUNDING)).all():
        raise ValueError("a probability lies between 0 and 1")


def _from_network(
    slice_hu: NDArray[Any],
    estimated: Recist | None,
    window: Window,
    frame: Frame,
    probability: NDArray[Any],
) -> Labels:
    """One slice; `frame` is the key slice's, as a prediction may be larger than the estimate."""
    shape = (slice_hu.shape[0], slice_hu.shape[1])
    part, place = frame.overlap(shape)
    inside = np.zeros((frame.height, frame.width))
    inside[part] = probability[place]
    if estimated is None:
        return _pasted(np.where(inside >= THRESHOLD, UNCERTAIN, 0), frame, shape)
    axes = axes_pixels(estimated, frame)
    threshold = _lowered(inside[axes])
    if threshold == 0:
        return cut(slice_hu, recist_trimap(estimated), window)
    predicted = inside >= threshold
    lesion = _parts_on(axes, predicted)
    # High and low: half way from the threshold to the highest in the lesion, and to 0 (ours).
    high = (threshold + inside[lesion].max()) / 2
    trimap = distance_trimap(
        estimated, frame,
        foreground=(lesion & (inside >= high)) | axes,
        background=(inside < threshold / 2) & ~axes,
    )  # fmt: skip
    found = edge(slice_hu, trimap, window)
    if found is not None:
        return found
    # The paper's fallback: lesion where the two agree, uncertain where only one sees it.
    return _pasted(np.where(lesion, 1, np.where(predicted | axes, UNCERTAIN, 0)), frame, shape)


def _lowered(on_axes: Image) -> float:
    """The threshold, or the first lower one that covers half of the RECIST's pixels, or 0."""
    covering = np.sort(on_axes)[::-1][int(np.ceil(COVERED * len(on_axes))) - 1]
    return min(THRESHOLD, STEP * float(np.floor(covering / STEP)))


def _parts_on(axes: Mask, predicted: Mask) -> Mask:
    """The 8-connected parts of the prediction that the axes pass through."""
    _, parts = cv2.connectedComponents(predicted.view(np.uint8), connectivity=8)
    return predicted & np.isin(parts, np.unique(parts[axes]))


def _pasted(labels: NDArray[Any], frame: Frame, shape: tuple[int, int]) -> Labels:
    image = np.zeros(shape, dtype=np.uint8)
    part, place = frame.overlap(shape)
    image[place] = labels[part]
    return image
