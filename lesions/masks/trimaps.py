"""Trimaps: what GrabCut starts from, by the WSSS paper's rules (3.1, 4).

A trimap of its own is a pseudo mask too: the paper also trains on it with the uncertain regions
left out (Table 2), which is `Trimap.labels`.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lesions.masks.frame import Frame, Mask, lowest
from lesions.masks.strokes import PADDED, axes_pixels, dilated_axes
from lesions.metrics import UNCERTAIN
from lesions.recist import Recist

BACKGROUND, FOREGROUND = cv2.GC_BGD, cv2.GC_FGD
PROBABLE_BACKGROUND, PROBABLE_FOREGROUND = cv2.GC_PR_BGD, cv2.GC_PR_FGD

# GrabCut-i: sure foreground, of the padded box' area.
CORE = 0.2
# GrabCut-R: outer background and dilated axes, of the region of interest's area.
OUTER, DILATED = 0.5, 0.1

Labels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class Trimap:
    """Four regions about a lesion.

    Attributes:
        regions: uint8 (height, width) of the frame: 0 background, 1 foreground, 2 probable
            background, 3 probable foreground, which are OpenCV's numbers.
        frame: where it lies.
    """

    regions: Labels
    frame: Frame

    def labels(self, shape: tuple[int, int]) -> Labels:
        """The image (H, W): 1 sure foreground, 255 uncertain, 0 background and all around."""
        labels = np.zeros(shape, dtype=np.uint8)
        part, place = self.frame.overlap(shape)
        regions = self.regions[part]
        labels[place] = np.where(regions >= PROBABLE_BACKGROUND, UNCERTAIN, regions == FOREGROUND)
        return labels


def box_trimap(recist: Recist, core: float = 0.0) -> Trimap:
    """The padded box is probable foreground, its centre sure foreground (GrabCut, GrabCut-i).

    The paper calls GrabCut-i's region between the two uncertain; it is probable foreground here as
    it is in GrabCut.

    Args:
        recist: (x, y) pixels.
        core: the centre's part of the box' area; 0 for GrabCut, 0.2 for GrabCut-i.
    """
    frame = Frame.about(recist)
    regions = np.full((frame.height, frame.width), BACKGROUND, dtype=np.uint8)
    regions[frame.within(recist, PADDED)] = PROBABLE_FOREGROUND
    if core > 0:
        regions[frame.within(recist, PADDED * core**0.5)] = FOREGROUND
    return Trimap(regions=regions, frame=frame)


def recist_trimap(recist: Recist) -> Trimap:
    """GrabCut-R: the outer half of the region of interest is background, the axes foreground.

    The region is [2w, 2h] about the RECIST's [w, h]; its outer half lies around a box of the same
    proportions; the axes are dilated to a tenth of the region.
    """
    frame = Frame.about(recist)
    inner = frame.within(recist, 2 * (1 - OUTER) ** 0.5)
    # On the smallest lesions even a line a pixel wide leaves the box.
    axes = dilated_axes(recist, frame, DILATED * inner.size) & inner | axes_pixels(recist, frame)
    return distance_trimap(recist, frame, foreground=axes, background=~(inner | axes))


def distance_trimap(recist: Recist, frame: Frame, *, foreground: Mask, background: Mask) -> Trimap:
    """Half of what is neither is probable foreground: where it is nearer to the foreground.

    "Nearer" is the distance to the foreground less that to the background; at equal differences
    the pixels nearer to the axes' intersection come first.

    Args:
        recist: (x, y) pixels.
        frame: of the trimap.
        foreground: bool (height, width).
        background: bool (height, width), none of it foreground. Either may be empty, and is then
            equally far from everywhere.
    """
    regions = np.where(foreground, FOREGROUND, BACKGROUND).astype(np.uint8)
    uncertain = ~(foreground | background)
    nearer = (_distance_to(foreground) - _distance_to(background))[uncertain]
    half = lowest(nearer, frame.from_centre(recist)[uncertain], (len(nearer) + 1) // 2)
    regions[uncertain] = np.where(half, PROBABLE_FOREGROUND, PROBABLE_BACKGROUND)
    return Trimap(regions=regions, frame=frame)


def _distance_to(mask: Mask) -> NDArray[np.float64]:
    """Pixels to the nearest pixel of the mask; 0 where there is none."""
    if not mask.any():
        return np.zeros(mask.shape)
    away = (~mask).astype(np.uint8)
    distance = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance, dtype=np.float64)
