"""How well a mask or a measurement agrees with another, and a disc to beat."""

from lesions.metrics.disc import best_centred_disc
from lesions.metrics.measurement import diameters
from lesions.metrics.segmentation import UNCERTAIN, segmentation
from lesions.metrics.summary import summary, summary_by

__all__ = [
    "UNCERTAIN",
    "best_centred_disc",
    "diameters",
    "segmentation",
    "summary",
    "summary_by",
]
