"""How well a mask or a measurement agrees with another, and a disc to beat."""

from lesions.labels import UNCERTAIN
from lesions.metrics.curves import PrecisionRecall, dice_histogram, precision_recall
from lesions.metrics.disc import best_centred_disc
from lesions.metrics.distance import average_hausdorff
from lesions.metrics.measurement import diameters, endpoints
from lesions.metrics.segmentation import segmentation
from lesions.metrics.sizes import size_of
from lesions.metrics.summary import summary, summary_by
from lesions.metrics.surface import surfaces
from lesions.metrics.volumes import (
    dice_by_offset,
    ellipsoid_volume,
    mask_volume,
    volume_change_r2,
)

__all__ = [
    "UNCERTAIN",
    "PrecisionRecall",
    "average_hausdorff",
    "best_centred_disc",
    "diameters",
    "dice_by_offset",
    "dice_histogram",
    "ellipsoid_volume",
    "endpoints",
    "mask_volume",
    "precision_recall",
    "segmentation",
    "size_of",
    "summary",
    "summary_by",
    "surfaces",
    "volume_change_r2",
]
