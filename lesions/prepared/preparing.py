"""From a DeepLesion table's rows to one part of a prepared set: what a Ray worker runs.

Which rows make a part depends on the table alone, so the bytes are the same with any number of
workers. A part that is there already is not made again; it is only given the masks that it lacks.
"""

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2

from lesions.errors import InputError
from lesions.lesion import Lesion
from lesions.masks import pseudo_mask
from lesions.prepared.part import masks_in, part_path, read_part, write_part
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


def parts_of(rows: Sequence[TableRow]) -> list[bytes]:
    """The rows of each part, packed: what a driver holds of a large table is small."""
    starts = range(0, len(rows), ROWS_PER_PART)
    return [_packed(rows[at : at + ROWS_PER_PART]) for at in starts]


def rows_of(part: bytes) -> list[TableRow]:
    """The rows of one of `parts_of`."""
    return [TableRow(**fields) for fields in json.loads(zlib.decompress(part))]


def _packed(rows: Sequence[TableRow]) -> bytes:
    return zlib.compress(json.dumps([vars(row) for row in rows]).encode(), level=1)


def prepare_parts(items: Sequence[dict[str, Any]], plan: Plan) -> list[dict[str, Any]]:
    """The outcomes of some parts, see `prepare_part`: what a task makes."""
    return [prepare_part(item, plan) for item in items]


def prepare_part(item: dict[str, Any], plan: Plan) -> dict[str, Any]:
    """Make one part, unless it is there with all its masks.

    Args:
        item: `part`, its number; `rows`, of `parts_of`.
        plan: what to make.

    Returns:
        `part`, `rows` (how many were done) and `error` (empty, or why the part was not written:
        an error returned, not raised, lets the driver say it in one line).
    """
    cv2.setNumThreads(0)  # there is a worker for each core already
    path = part_path(plan.out, item["part"])
    rows = rows_of(item["rows"])
    outcome = {"part": item["part"], "rows": len(rows), "error": ""}
    try:
        held = masks_in(path)
        missing = [name for name in plan.mask_columns if name not in (held or ())]
        if missing:
            made = _from_source(rows, plan) if held is None else _with_further(path, missing)
            _write(path, made, [*(held or ()), *missing])
    except OSError as error:
        outcome["error"] = str(error)
    return outcome


def _from_source(rows: Sequence[TableRow], plan: Plan) -> list[Lesion | Rejected]:
    def read(row: TableRow) -> Lesion:
        lesion = read_lesion(row, plan.source, keep_noisy=plan.keep_noisy)
        return _with_masks(lesion, plan.masks)

    return [
        _or_rejected(partial(read, row), row.fields.get("File_name", ""), row.number)
        for row in rows
    ]


def _with_further(path: Path, names: Sequence[str]) -> list[Lesion | Rejected]:
    """A part with further masks, the same as if they had been made with its others."""
    lesions, rejected = read_part(path)
    made = [
        _or_rejected(partial(_with_masks, lesion, names), lesion.file, lesion.row)
        for lesion in lesions
    ]
    return sorted([*made, *(Rejected(**fields) for fields in rejected)], key=lambda one: one.row)


def _write(path: Path, made: Sequence[Lesion | Rejected], masks: Sequence[str]) -> None:
    lesions = [one for one in made if isinstance(one, Lesion)]
    rejected = [asdict(one) for one in made if isinstance(one, Rejected)]
    write_part(path, lesions, masks, rejected)


def _or_rejected(make: Callable[[], Lesion], file: str, row: int) -> Lesion | Rejected:
    try:
        return make()
    except InputError as error:
        return Rejected(file=file, row=row, reason=error.reason)
    except Exception as error:  # one row must not end a batch; its reason says what happened
        return Rejected(file=file, row=row, reason=f"{type(error).__name__}: {error}")


def _with_masks(lesion: Lesion, names: Sequence[str]) -> Lesion:
    slice_hu = lesion.slice_hu
    made = {
        name: encode_labels(pseudo_mask(name, slice_hu, lesion.recist, lesion.window))
        for name in names
    }
    return replace(lesion, masks={**lesion.masks, **made})
