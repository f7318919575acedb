"""Slices into a stack: in order along their normal, evenly spaced, nothing missing or doubled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesions.errors import InputError
from lesions.readers.dicom.gantry import leaning
from lesions.readers.dicom.header import Slice

MOST_UNEVEN = 0.1  # of the slice spacing: how far a slice may lie from an even grid
MOST_DRIFT = 0.5  # pixels: how far it may lie from the straight line, sideways
UNKNOWN_THICKNESS = 1.0  # mm, of a lone slice that does not say: lengths within it need none
_SAME_PLACE = 1e-3  # mm
_SAME_NUMBER = 1e-4  # mm, or parts of a unit vector

# What every slice of a series must share, and its name in the reason.
_SHARED: tuple[tuple[str, Callable[[Slice], Any]], ...] = (
    ("patient", lambda s: s.patient),
    ("study", lambda s: s.study),
    ("frame of reference", lambda s: s.frame_of_reference),
    ("size", lambda s: s.format.shape),
    ("pixel spacing", lambda s: s.spacing),
    ("orientation", lambda s: s.directions),
)


def series_of(one: Slice) -> tuple[str, ...]:
    """What tells a slice's series from others: its UID; without one, all that its slices share."""
    if one.series:
        return (one.series,)
    numbers = (*one.format.shape, *one.spacing, *one.directions.ravel())
    told = (f"{number:.3f}" for number in numbers)
    return ("", one.patient, one.study, one.frame_of_reference, *told)


@dataclass(frozen=True, kw_only=True, eq=False)
class Stack:
    """The slices of a series in order.

    Attributes:
        slices: by their position along the normal.
        affine: (4, 4), index (column, row, slice, 1) → patient (left, back, head, 1) in mm.
        apart: mm from a slice's plane to the next one's.
        leans: how they do not stand straight upon each other, in a sentence, or "".
    """

    slices: list[Slice]
    affine: NDArray[np.float64]
    apart: float
    leans: str


def stack(slices: Sequence[Slice]) -> Stack:
    """Order the slices of one series by their position along the normal.

    Raises:
        InputError: they differ in what they must share, are not axial, or do not make an even
            stack: a slice missing, doubled or out of line, tilted as no gantry tilts them.
    """
    _check_shared(slices)
    _check_axial(slices[0])
    normal = slices[0].normal
    ordered = sorted(slices, key=lambda s: float(s.position @ normal))
    first = ordered[0]
    if len(ordered) == 1:
        step = (first.thickness or UNKNOWN_THICKNESS) * normal
        leans = leaning(first, None)
    else:
        step = (ordered[-1].position - first.position) / (len(ordered) - 1)
        _check_even(ordered, step)
        leans = leaning(first, step)
    affine = np.eye(4)
    affine[:3, :2] = first.directions.T * first.spacing
    affine[:3, 2], affine[:3, 3] = step, first.position
    return Stack(slices=ordered, affine=affine, apart=float(step @ normal), leans=leans)


def _check_shared(slices: Sequence[Slice]) -> None:
    first = slices[0]
    for name, of in _SHARED:
        for other in slices[1:]:
            a, b = of(first), of(other)
            same = a == b if isinstance(a, str) else np.allclose(a, b, rtol=0, atol=_SAME_NUMBER)
            if not same:
                raise InputError(
                    f"the series mixes slices of different {name}: "
                    f"{_name(first)} and {_name(other)}"
                )


def _check_axial(first: Slice) -> None:
    main = int(np.argmax(np.abs(first.normal)))
    if main != 2:
        raise InputError(
            f"{('sagittal', 'coronal')[main]} slices, not axial",
            remedy="read the axial series that they were made from",
        )


def _check_even(ordered: Sequence[Slice], step: NDArray[np.float64]) -> None:
    normal = ordered[0].normal
    positions = np.array([s.position for s in ordered])
    gaps = np.diff(positions @ normal)
    nearest = int(np.argmin(gaps))
    if gaps[nearest] < _SAME_PLACE:
        raise InputError(
            f"two slices lie at one position: {_name(ordered[nearest])} and "
            f"{_name(ordered[nearest + 1])}",
            remedy="keep one phase or reconstruction in a series",
        )
    slice_number = np.arange(len(ordered))
    slope, start = np.polyfit(slice_number, positions, 1)
    off = positions - (start + slice_number[:, None] * slope)
    along = off @ normal
    if np.abs(along).max() > MOST_UNEVEN * float(step @ normal):
        widest = int(np.argmax(gaps))
        raise InputError(
            f"the slices are not evenly spaced: {gaps.min():.4g} to {gaps.max():.4g} mm, the "
            f"widest between {_name(ordered[widest])} and {_name(ordered[widest + 1])}",
            remedy="add the missing slices, or resample it",
        )
    sideways = np.linalg.norm(off - along[:, None] * normal, axis=1)
    if sideways.max() > MOST_DRIFT * min(ordered[0].spacing):
        raise InputError(
            f"{_name(ordered[int(np.argmax(sideways))])} lies {sideways.max():.3g} mm beside the "
            "line of the other slices"
        )


def _name(one: Slice) -> str:
    return f"{one.file.name}, frame {one.frame + 1}" if one.frame else one.file.name
