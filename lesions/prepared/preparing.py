"""From a DeepLesion table's rows to one part of a prepared set: what a Ray worker runs.

Which rows make a part depends on the table alone, so the bytes are the same with any number of
workers, and a part that is there already is not made again.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2

from lesions.errors import InputError
from lesions.lesion import Lesion
from lesions.masks import pseudo_mask
from lesions.prepared.prepared_set import part_path, write_part
from lesions.readers.deeplesion import Rejected, TableRow, read_lesion
from lesions.readers.png import encode_labels

ROWS_PER_PART = 32


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is prepared, and how: two runs with the same plan write the same set.

    Attributes:
        source: the folder with the table.
        out: the prepared set's folder.
        masks: the pseudo masks to make.
        keep_noisy: take rows that the data set flags as possibly noisy.
    """

    source: Path
    out: Path
    masks: tuple[str, ...] = ("snakes",)
    keep_noisy: bool = False

    @property
    def mask_columns(self) -> tuple[str, ...]:
        """The masks a part holds: the pseudo masks, and the human one where there is one."""
        return ("human", *self.masks)


def parts_of(rows: Sequence[TableRow]) -> list[str]:
    """The rows of each part, as JSON that travels well."""
    starts = range(0, len(rows), ROWS_PER_PART)
    return [json.dumps([asdict(row) for row in rows[at : at + ROWS_PER_PART]]) for at in starts]


def prepare_part(item: dict[str, Any], plan: Plan) -> dict[str, Any]:
    """Make one part, unless it is there.

    Args:
        item: `part`, its number; `rows`, of `parts_of`.
        plan: what to make.

    Returns:
        `part`, `rows` (how many were done) and `error` (empty, or why the part was not written:
        an error returned, not raised, lets the driver say it in one line).
    """
    cv2.setNumThreads(0)  # Ray runs a worker per core already
    path = part_path(plan.out, item["part"])
    rows = [TableRow(**fields) for fields in json.loads(item["rows"])]
    outcome = {"part": item["part"], "rows": len(rows), "error": ""}
    if path.exists():
        return outcome
    prepared = [_prepare_row(row, plan) for row in rows]
    lesions = [lesion for lesion in prepared if isinstance(lesion, Lesion)]
    rejected = [asdict(row) for row in prepared if isinstance(row, Rejected)]
    try:
        write_part(path, lesions, plan.mask_columns, rejected)
    except OSError as error:
        outcome["error"] = str(error)
    return outcome


def _prepare_row(row: TableRow, plan: Plan) -> Lesion | Rejected:
    file = row.fields.get("File_name", "")
    try:
        lesion = read_lesion(row, plan.source, keep_noisy=plan.keep_noisy)
        return _with_masks(lesion, plan.masks)
    except InputError as error:
        return Rejected(file=file, row=row.number, reason=error.reason)
    except Exception as error:  # one row must not end a batch; its reason says what happened
        return Rejected(file=file, row=row.number, reason=f"{type(error).__name__}: {error}")


def _with_masks(lesion: Lesion, names: Sequence[str]) -> Lesion:
    slice_hu = lesion.slice_hu
    made = {
        name: encode_labels(pseudo_mask(name, slice_hu, lesion.recist, lesion.window))
        for name in names
    }
    return replace(lesion, masks={**lesion.masks, **made})
