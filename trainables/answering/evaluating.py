"""A system's answers to the lesions of prepared sets: what a worker of `platform.evaluate` runs.

Evaluation is prediction: each lesion makes the prompt, and what is predicted of it is measured. Of
a system with parts the last alone is measured beside, told as it is when it is trained.
"""

import functools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lesions import InputError, Lesion
from lesions.masks.parts import part_at
from lesions.measurement import Measurement
from lesions.metrics.side_by_side import AXES, HEATMAPS, PREDICTED, column, side_by_side
from lesions.metrics.surface import SURFACES, surfaces
from lesions.prepared import PreparedSet
from lesions.prompts import case_of
from lesions.seen import slice_digest
from trainables.answering.batch import reason_of
from trainables.evaluate import measure, measure_one
from trainables.parts import Parts, load_parts
from trainables.registry import named_system
from trainables.system import Prediction, System
from trainables.workers import drawn, use_assigned_resources

LESIONS_PER_ITEM = 8

Item = dict[str, Any]
Row = dict[str, Any]


def measure_lesion(parts: Parts, lesion: Lesion) -> Row:
    """The row of `trainables.evaluate.measure_one`, from the prompt that the lesion makes.

    Beside the metrics it has `found` and `doubt`; the diameters of `lesions.metrics.side_by_side`
    by those ways that the system has; and the `mask` (PNG bytes, or None) and `endpoints` ((4, 2)
    lists, or None) that were predicted.
    """
    case = case_of(lesion, parts.telling)
    (found,) = parts.predict([case])
    row = measure_one(parts.system, lesion, found, parts.config.pseudo_mask)
    row |= diameters(parts.system, lesion, found, case.prompt.middle)
    row |= sizes(lesion, found, row["truth"])
    return row | {"found": found.found, "doubt": found.doubt, **drawn(found)}


def diameters(
    system: System, lesion: Lesion, found: Prediction, at: tuple[float, float]
) -> dict[str, float]:
    """`side_by_side` without the columns of ways that the system has not.

    Args:
        system: says whether it predicts endpoints.
        lesion: whose diameters.
        found: what was predicted of it.
        at: (x, y) of its prompt: the part of the mask there is measured.
    """
    part = np.zeros(lesion.shape, np.bool_)
    if found.mask is not None:
        part = part_at(np.asarray(found.mask == 1), at)
    measured = side_by_side(lesion, found.recist if system.endpoints else None, part)
    absent = {
        column(way, axis)
        for way, there in ((HEATMAPS, system.endpoints), (PREDICTED, found.mask is not None))
        for axis in AXES
        if not there
    }
    return {name: value for name, value in measured.items() if name not in absent}


def sizes(lesion: Lesion, found: Prediction, truth: str) -> Row:
    """How far the surfaces of a predicted mask and the truth lie apart, and what the marks say.

    Without a predicted mask there are no surfaces; NaN where a pseudo mask has no certain lesion.
    """
    said: Row = {
        "who_product_mm2": lesion.measurement.who_product_mm2,
        "measurable_if_no_node": lesion.measurement.measurable(),
        "measurable_if_node": lesion.measurement.measurable(node=True),
    }
    if found.recist is not None:
        ours = Measurement(recist=found.recist, spacing=lesion.spacing)
        said["predicted_who_product_mm2"] = ours.who_product_mm2
    if found.mask is None:
        return said
    try:
        return said | surfaces(found.mask, lesion.mask(truth), lesion.spacing)
    except InputError:  # of a pseudo mask; of a human one measuring the overlap has said so
        return said | dict.fromkeys(SURFACES, math.nan)


def measure_alone(parts: Parts, lesion: Lesion) -> Row:
    """What the last of several parts scores alone, its name before the metrics'; else nothing."""
    if len(parts.names) == 1:
        return {}
    (row,) = measure(parts.alone(-1), [lesion])
    return {f"{parts.names[-1]}_{name}": row[name] for name in parts.system.reported}


def items_of(data: Sequence[Path], split: str) -> list[Item]:
    """The lesions of a split of each set, as an actor's items: `set`, `root`, `first`, `last`."""
    return [
        {"set": number, "root": str(root), "split": split, "first": first,
         "last": min(first + LESIONS_PER_ITEM, count)}
        for number, root in enumerate(data)
        for count in [len(PreparedSet(root, split))]
        for first in range(0, count, LESIONS_PER_ITEM)
    ]  # fmt: skip


class Evaluator:
    """An actor that loads all parts once and measures the lesions of an item.

    Args:
        system: the word that names it.
        folders: of the checkpoints.
        tta: average over mirrored views.
        perpendicular: of predicted axes; see `How`.
    """

    def __init__(
        self, system: str, folders: Sequence[Path], tta: bool, perpendicular: bool = False
    ) -> None:
        named_system(system)
        device = use_assigned_resources()
        self.parts = load_parts(folders, device, tta=tta, perpendicular=perpendicular)
        self.opened = functools.lru_cache(PreparedSet)  # an index is read once for all items

    def __call__(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """`rows`: one a lesion in order, packed by `_packed`; see `rows_of`."""
        lesions = self.opened(item["root"], item["split"])
        rows = [
            {"set": item["set"], **self._measured(lesions, at)}
            for at in range(item["first"], item["last"])
        ]
        return {"set": item["set"], "first": item["first"], "rows": _packed(rows)}

    def _measured(self, lesions: PreparedSet, at: int) -> Row:
        """The row of one lesion, or its names and the `reason` for which there is none."""
        facts = lesions.rows[at]
        names = {name: facts[name] for name in ("file", "row", "patient", "lesion_type")}
        try:
            lesion = lesions[at]
            return {
                "index": at,
                "pixels": slice_digest(lesion.slice_hu),
                **measure_lesion(self.parts, lesion),
                **measure_alone(self.parts, lesion),
            }
        except Exception as error:  # one lesion must not end a batch; its reason says what happened
            return {"index": at, **names, "reason": reason_of(error)}


def _packed(rows: Sequence[Row]) -> str:
    """As JSON: rows differ in what they hold, which Ray Data's tables do not allow."""
    return json.dumps([_with_mask(row, bytes.hex) for row in rows])


def rows_of(answer: Mapping[str, Any]) -> list[Row]:
    """The rows of an `Evaluator`'s answer."""
    return [_with_mask(row, bytes.fromhex) for row in json.loads(answer["rows"])]


def _with_mask(row: Row, change: Callable[[Any], Any]) -> Row:
    """The row with its mask, where it has one, changed."""
    return row if row.get("mask") is None else row | {"mask": change(row["mask"])}
