"""How well a measurement agrees with another."""

import numpy as np
from numpy.typing import ArrayLike

from lesions.recist import Recist


def diameters(predicted: Recist, truth: Recist, spacing: ArrayLike) -> dict[str, float]:
    """Absolute differences of the lengths, mm.

    Args:
        predicted: (x, y) pixels.
        truth: likewise.
        spacing: (x, y, …) mm per pixel.

    Returns:
        long_axis_error and short_axis_error.
    """
    pairs = zip(predicted.diameters_mm(spacing), truth.diameters_mm(spacing), strict=True)
    long, short = (abs(ours - theirs) for ours, theirs in pairs)
    return {"long_axis_error": long, "short_axis_error": short}


def endpoints(predicted: Recist, truth: Recist, scale: ArrayLike = (1.0, 1.0)) -> dict[str, float]:
    """How far the endpoints are off, and the lengths, in pixels of the original slice.

    The location error of an axis is the mean distance of its two ends to those of the other
    measurement, paired in whichever way is the nearer; the length error is the absolute
    difference (STN, Table 1).

    Args:
        predicted: (x, y) pixels of the original slice.
        truth: likewise.
        scale: (x, y) mm per pixel, for errors in mm.

    Returns:
        long_axis_location_error, long_axis_length_error, and both for short_axis.
    """
    errors = {}
    for axis, ends in (("long_axis", np.s_[:2]), ("short_axis", np.s_[2:])):
        ours, theirs = (each.points[ends] * np.asarray(scale) for each in (predicted, truth))
        ways = (np.hypot(*(ours - other).T).mean() for other in (theirs, theirs[::-1]))
        errors[f"{axis}_location_error"] = float(min(ways))
        lengths = (np.hypot(*(end - start)) for start, end in (ours, theirs))
        errors[f"{axis}_length_error"] = float(abs(np.subtract(*lengths)))
    return errors
