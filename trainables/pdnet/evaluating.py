"""Both stages in order on the lesions of prepared sets: what a worker of `platform.evaluate` runs.

Each lesion is clicked at a point that it fixes itself; stage 2 alone, told the lesion's size, is
measured beside.
"""

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lesions import Lesion
from lesions.metrics.side_by_side import side_by_side
from lesions.prepared import PreparedSet
from lesions.readers.png import encode_labels
from trainables.evaluate import REPORTED, measure, measure_one
from trainables.pdnet.batch import reason_of
from trainables.pdnet.samples import evaluation_click
from trainables.pdnet.two_stages import TwoStages, load_two_stages, part_at
from trainables.registry import find_system
from trainables.system import Prediction
from trainables.workers import use_assigned_resources

LESIONS_PER_ITEM = 8
ALONE = "stage2_"  # before the names of what stage 2 alone measured

Item = dict[str, Any]
Row = dict[str, Any]


def measure_both(both: TwoStages, lesion: Lesion) -> Row:
    """The row of `trainables.evaluate.measure_one`, from a click fixed by the lesion.

    Beside the metrics it has `found`, whether stage 1 found the lesion; the diameters of
    `lesions.metrics.side_by_side`; and the `mask` (PNG bytes) and `endpoints` ((4, 2) lists, or
    None) that were predicted.
    """
    click = evaluation_click(lesion)
    result = both(lesion.slice_hu, lesion.window, lesion.spacing, click)
    prediction = Prediction(mask=result.mask, recist=result.recist)
    row = measure_one(lesion, prediction, both.stage2.config.pseudo_mask)
    row |= side_by_side(lesion, result.recist, part_at(result.mask == 1, click))
    endpoints = None if result.recist is None else result.recist.points.tolist()
    return row | {
        "found": result.found, "mask": encode_labels(result.mask), "endpoints": endpoints,
    }  # fmt: skip


def measure_alone(both: TwoStages, lesion: Lesion) -> Row:
    """What stage 2 scores in its own protocol: its crop has the lesion's true size."""
    stage = both.stage2
    rows = measure(find_system("pdnet"), stage.config, stage.model, [lesion], both.device)
    return {f"{ALONE}{name}": rows[0][name] for name in REPORTED}


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
    """An actor that loads both stages once and measures the lesions of an item.

    Args:
        stages: the folders of both checkpoints.
        tta: average each stage over the four mirrored views.
    """

    def __init__(self, stages: tuple[Path, Path], tta: bool) -> None:
        self.both = load_two_stages(*stages, use_assigned_resources(), tta=tta)
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
                **measure_both(self.both, lesion),
                **measure_alone(self.both, lesion),
            }
        except Exception as error:  # one lesion must not end a batch; its reason says what happened
            return {"index": at, **names, "reason": reason_of(error)}


def _packed(rows: Sequence[Row]) -> str:
    """As JSON: rows differ in what they hold, which Ray Data's tables do not allow."""
    return json.dumps(
        [{**row, "mask": row["mask"].hex()} if "mask" in row else row for row in rows]
    )


def rows_of(answer: Mapping[str, Any]) -> list[Row]:
    """The rows of an `Evaluator`'s answer."""
    rows: list[Row] = json.loads(answer["rows"])
    return [{**row, "mask": bytes.fromhex(row["mask"])} if "mask" in row else row for row in rows]
