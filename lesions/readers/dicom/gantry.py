"""A tilted gantry: slices that are right within their planes, and lean where they are stacked."""

import numpy as np
from numpy.typing import NDArray

from lesions.errors import InputError
from lesions.readers.dicom.header import Slice
from lesions.readers.display import MOST_TILT

MOST_GANTRY = 30.0  # degrees: no CT leans further
_SAME_ANGLE = 1.0  # degrees between the gantry's tilt and the slices'
_LEANS = "lengths within a slice are right, the stack leans"
_REMEDY = "resample it to axial slices"


def leaning(first: Slice, step: NDArray[np.float64] | None) -> str:
    """How a stack of axial slices leans, in a sentence; "" where it stands straight.

    Args:
        first: one of the slices.
        step: (3,) mm from a slice to the next; None for a slice alone.

    Raises:
        InputError: tilted or shifted as no gantry leaves them, or further than it can.
    """
    tilt = degrees(abs(float(first.normal[2])))
    straight = np.abs(first.directions).max(axis=1) >= np.cos(np.deg2rad(MOST_TILT))
    if tilt > MOST_TILT:
        if tilt > MOST_GANTRY or not straight.any() or not _by_gantry(first, step, tilt):
            raise InputError(f"the slices are tilted by {tilt:.1f}°", remedy=_REMEDY)
        return f"the gantry is tilted by {tilt:.1f}°: {_LEANS}"
    shift = 0.0 if step is None else _between(step, first.normal)
    if shift > MOST_TILT:
        if shift > MOST_GANTRY or not straight.all():
            raise InputError(f"the slices shift sideways by {shift:.1f}°", remedy=_REMEDY)
        return f"the slices shift sideways by {shift:.1f}°: {_LEANS}"
    if abs(first.gantry) > MOST_TILT:
        return (f"GantryDetectorTilt is {first.gantry:g}° and the slices are said to lie straight: "
                "lengths within a slice are right, the stack may lean")  # fmt: skip
    return ""


def _by_gantry(first: Slice, step: NDArray[np.float64] | None, tilt: float) -> bool:
    """Whether slices tilted by so many degrees were acquired so, and not cut from a volume."""
    if step is None:
        return abs(abs(first.gantry) - tilt) <= _SAME_ANGLE
    return _between(step, np.array([0.0, 0.0, 1.0])) <= MOST_TILT  # the table moves straight


def _between(step: NDArray[np.float64], axis: NDArray[np.float64]) -> float:
    """Degrees between a step, of either way, and a unit vector."""
    return degrees(abs(float(step @ axis)) / float(np.linalg.norm(step)))


def degrees(cosine: float) -> float:
    """The angle of a cosine, which may be beyond one by rounding."""
    return float(np.rad2deg(np.arccos(np.clip(cosine, -1, 1))))
