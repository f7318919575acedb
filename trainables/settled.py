"""What every system's prediction passes before it is an answer: axes in order, doubts said."""

from dataclasses import replace

import numpy as np

from lesions import Recist, axes
from lesions.prompts import Case, Click
from lesions.recist import canonical_order
from trainables.system import Prediction

MOST_OFF = 10.0  # degrees off perpendicular, beyond which a measurement is doubtful


def settled(found: Prediction, case: Case, perpendicular: bool) -> Prediction:
    """A prediction whose long axis is the longer one, in the image, and that says its doubts.

    Nothing segmented, or neither a mask nor a measurement, is nothing found.

    Args:
        found: what a system says.
        case: what it was asked.
        perpendicular: turn the shorter axis so that it is perpendicular to the longer one.
    """
    doubts = [found.doubt] if found.doubt else []
    there = _is_there(found)
    if not there:
        doubts = doubts or [_nothing(found)]
    elif found.found and (mm := _beside(found, case)) > 0:
        doubts.append(f"the click lies {mm:.1f} mm beside what is segmented")
    found, of_axes = _with_axes(found, case, perpendicular)
    return replace(found, found=found.found and there, doubt="; ".join([*doubts, *of_axes]))


def _is_there(found: Prediction) -> bool:
    """Whether anything is segmented; of a system that segments nothing, measured."""
    segmented = [each for each in (found.mask, found.volume) if each is not None]
    if not segmented:
        return found.recist is not None
    return any(bool((each == 1).any()) for each in segmented)


def _nothing(found: Prediction) -> str:
    without = found.mask is None and found.volume is None
    return "there is no measurement" if without else "nothing is segmented"


def _beside(found: Prediction, case: Case) -> float:
    """How far a click lies from the nearest segmented pixel's edge, mm; 0 within."""
    if found.mask is None or not isinstance(case.prompt, Click):
        return 0.0
    rows, columns = np.nonzero(found.mask == 1)
    away = np.abs(np.column_stack([columns, rows]) - case.prompt.middle) - 0.5
    mm = np.maximum(away, 0) * case.spacing[:2]
    return float(np.hypot(*mm.T).min(initial=np.inf)) if len(mm) else 0.0


def _with_axes(found: Prediction, case: Case, perpendicular: bool) -> tuple[Prediction, list[str]]:
    """The prediction with settled axes, and what is doubtful about them."""
    if found.recist is None:
        return found, []
    points, doubts = found.recist.points, []
    if (off := axes.degrees_off(points, case.spacing)) > MOST_OFF:
        turned = ": the shorter one was turned" if perpendicular else ""
        doubts.append(f"the axes are {off:.0f}° off perpendicular{turned}")
    if perpendicular:
        points = axes.made_perpendicular(points, case.spacing)
    if count := axes.outside(points, case.shape):
        inside = axes.cut_to(points, case.shape)
        if inside is None:
            doubts.append("an axis lies outside the image")
            return replace(found, recist=None, spread_mm=(), peaks=()), doubts
        points = inside
        lay = "endpoint lay" if count == 1 else "endpoints lay"
        doubts.append(f"{count} {lay} outside the image: cut off at its edge")
    order = axes.longer_first(points, case.spacing)
    order = [order[at] for at in canonical_order(points[order])]
    return replace(
        found,
        recist=Recist(points[order]),
        spread_mm=tuple(found.spread_mm[at] for at in order if found.spread_mm),
        peaks=tuple(found.peaks[at] for at in order if found.peaks),
    ), doubts
