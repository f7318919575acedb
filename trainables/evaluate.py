"""How well trained parts do on lesions: the papers' metrics in the slices' own pixels and mm."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import tee
from typing import Any

from numpy.typing import NDArray

from lesions import InputError, Lesion, metrics
from lesions.metrics.merit import ENDPOINTS, SEGMENTATION
from lesions.prompts import case_of
from trainables.parts import Parts
from trainables.system import Prediction, System

Row = dict[str, Any]


def measure(parts: Parts, lesions: Sequence[Lesion]) -> list[Row]:
    """One row a lesion: its names, and the metrics of what is predicted from its prompt."""
    return [row for row, _ in measured(parts, lesions)]


def measured(parts: Parts, lesions: Iterable[Lesion]) -> Iterator[tuple[Row, Prediction]]:
    """Each lesion's row, and what is predicted from its prompt; a lesion is read once."""
    telling, mask = parts.telling, parts.config.pseudo_mask
    asked, judged = tee(lesions)
    predictions = parts.predict(case_of(lesion, telling) for lesion in asked)
    for lesion, prediction in zip(judged, predictions, strict=True):
        yield measure_one(parts.system, lesion, prediction, mask), prediction


def measure_one(system: System, lesion: Lesion, prediction: Prediction, pseudo_mask: str) -> Row:
    """The row of one lesion: mask against the human one, or the pseudo mask where there is none.

    A system that segments nothing has no metrics of masks; one whose endpoints coincide measures
    nothing, and all of the diameters is error.
    """
    truth = truth_name(lesion, pseudo_mask)
    long, short = lesion.recist.diameters_mm(lesion.spacing)
    row: Row = {
        "file": lesion.file,
        "row": lesion.row,
        "patient": lesion.patient,
        "lesion_type": lesion.lesion_type,
        "truth": truth,
        "long_axis_mm": long,
        "short_axis_mm": short,
    }
    if prediction.mask is not None:
        row |= _agreement(prediction.mask, lesion, truth)
    located = not set(ENDPOINTS).isdisjoint(system.reported)
    if prediction.recist is None:
        row |= dict.fromkeys(ENDPOINTS if located else (), math.nan)
        return row | {"long_axis_error": long, "short_axis_error": short}
    if located:
        row |= metrics.endpoints(prediction.recist, lesion.recist)
    return row | metrics.diameters(prediction.recist, lesion.recist, lesion.spacing)


def _agreement(mask: NDArray[Any], lesion: Lesion, truth: str) -> Row:
    """A mask against the truth; NaN where a round left a pseudo mask no pixel that is certain."""
    labels = lesion.mask(truth)
    try:
        return dict(metrics.segmentation(mask, labels))
    except InputError as error:
        if truth == "human":
            raise InputError(error.reason, file=lesion.file, row=lesion.row) from None
        return dict.fromkeys((*SEGMENTATION, "avd"), math.nan)


def truth_name(lesion: Lesion, pseudo_mask: str) -> str:
    """Which mask a lesion is judged by."""
    return "human" if "human" in lesion.masks else pseudo_mask


def summarise(system: System, rows: Sequence[Row]) -> dict[str, float]:
    """Mean, deviation and interval over patients of each metric that the system reports.

    Also `n` and `patients`, see `metrics.summary`; empty without rows.

    Raises:
        KeyError: the system reports what none of its answers has.
    """
    if not rows:
        return {}
    reported = [{name: row[name] for name in system.reported} for row in rows]
    return metrics.summary(reported, [row["patient"] for row in rows])
