"""Distances between the surfaces of two masks: HD95, ASSD, and surface Dice at a tolerance.

The surface of a mask is its pixels that touch background, an edge of the image counting as
background; distances go from pixel centre to pixel centre. So MONAI has it, whose values these are.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt

from lesions.metrics.distance import box_of, per_axis
from lesions.metrics.labels import Mask, counted

TOLERANCE_MM = 2.0
SURFACES = ("hd95_mm", "assd_mm", "surface_dice_2mm")


def surfaces(
    pred: NDArray[Any],
    truth: NDArray[Any],
    spacing: ArrayLike,
    *,
    tolerance: float = TOLERANCE_MM,
) -> dict[str, float]:
    """How far the surfaces of two masks lie apart.

    Pixels that are uncertain (255) in either mask are background in both. Of what counts, both
    masks empty: distances 0 and surface Dice 1; one of them empty: no distance, NaN, and surface
    Dice 0; when no pixel counts at all, or `pred` is uncertain about all of the lesion: NaN.

    Args:
        pred: a mask (H, W), (D, H, W) or of any other shape; see `lesions.labels.as_labels`.
        truth: the same shape.
        spacing: (x, y, z) mm per pixel; for (H, W) the first two count.
        tolerance: mm.

    Returns:
        hd95_mm, the larger of the two directed 95th percentiles of a surface pixel's distance to
        the other surface; assd_mm, the mean of all these distances of both; surface_dice_2mm, the
        share of both surfaces' pixels that are no further than the tolerance from the other, named
        by it.

    Raises:
        InputError: the truth holds 255 but no lesion; or see `as_labels`.
        ValueError: the shapes differ, a bad spacing, or a negative tolerance.
    """
    if not tolerance >= 0:
        raise ValueError(f"a tolerance in mm is not negative: {tolerance}")
    name = f"surface_dice_{tolerance:g}mm"
    found, there, counts = counted(pred, truth)
    sampling = per_axis(spacing, found.ndim)
    if not found.any() or not there.any():
        nothing = np.nan if not counts.any() else float(not (found.any() or there.any()))
        distance = 0.0 if nothing == 1 else np.nan
        return {"hd95_mm": distance, "assd_mm": distance, name: nothing}
    box = box_of(found | there)
    ours, theirs = _surface(found[box]), _surface(there[box])
    to, back = _distances(ours, theirs, sampling), _distances(theirs, ours, sampling)
    both = np.concatenate([to, back])
    return {
        "hd95_mm": float(max(np.percentile(to, 95), np.percentile(back, 95))),
        "assd_mm": float(both.mean()),
        name: float((both <= tolerance).mean()),
    }


def _surface(mask: Mask) -> Mask:
    """Its pixels with background beside them, above or below."""
    return np.asarray(mask & ~binary_erosion(mask))


def _distances(start: Mask, goal: Mask, sampling: tuple[float, ...]) -> NDArray[np.float64]:
    return np.asarray(distance_transform_edt(~goal, sampling=sampling)[start])
