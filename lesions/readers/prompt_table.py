"""A table of prompts: one a row, in columns that the user names."""

import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lesions.errors import InputError, shown
from lesions.prompts import Prompt
from lesions.readers.csv_rows import Record, read_csv
from lesions.readers.deeplesion import Rejected
from lesions.tracking import NOBODYS, Tracking

OPTIONAL = (
    "slice", "spacing_x", "spacing_y", "window_low", "window_high", "id", "tracking_id",
    "tracking_uid",
)  # fmt: skip
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}")
_TAKEN = ("answers.csv", "rejected.csv", "images")  # they lie beside the answers' folders


@dataclass(frozen=True, kw_only=True)
class PromptRow:
    """One row; what it leaves empty is None.

    Attributes:
        number: 1 = the first row after the header.
        written: the image as the table has it.
        image: the file or folder, absolute.
        prompt: what it tells of the lesion.
        index: the slice, 0 = the lowest.
        spacing: (x, y) mm.
        window: (low, high) HU.
        id: "" without.
        tracking: what the caller calls the lesion.
    """

    number: int
    written: str
    image: Path
    prompt: Prompt
    index: int | None = None
    spacing: tuple[float, float] | None = None
    window: tuple[float, float] | None = None
    id: str = ""
    tracking: Tracking = NOBODYS

    @property
    def folder(self) -> str:
        """The name of its answer's folder."""
        return self.id or f"{self.number:06d}"


def read_prompt_table(
    path: Path, kind: type[Prompt]
) -> tuple[list[PromptRow], list[Rejected], list[str]]:
    """The sound rows, those set aside with their reasons, and the columns that are not read.

    Images are looked for beside the table; whether they are there is not asked here.

    Args:
        path: the table. Its columns `image` and those of `kind` are needed, `OPTIONAL` are read.
        kind: of the prompts.

    Raises:
        InputError: the table itself cannot be read, is empty or lacks a column.
    """
    header, records = read_csv(path)
    columns = [name.strip() for name in header]
    needed = ("image", *kind.columns)
    _check_columns(columns, needed, path)
    if not records:
        raise InputError("the table has no rows", file=path)
    found = list(_rows(records, columns, kind, path.absolute().parent))
    rows = [one for one in found if isinstance(one, PromptRow)]
    rejected = [one for one in found if isinstance(one, Rejected)]
    return rows, rejected, [name for name in columns if name not in needed + OPTIONAL]


def _check_columns(columns: list[str], needed: tuple[str, ...], path: Path) -> None:
    missing = [name for name in needed if name not in columns]
    if missing:
        raise InputError(
            f"the table lacks the columns {', '.join(missing)}", file=path,
            remedy=f"its first line names {', '.join(needed)}, and may name {', '.join(OPTIONAL)}",
        )  # fmt: skip
    for name in needed + OPTIONAL:
        if columns.count(name) > 1:
            raise InputError(f"the table has the column {name} twice", file=path)


def _rows(
    records: list[Record], columns: list[str], kind: type[Prompt], beside: Path
) -> Iterator[PromptRow | Rejected]:
    taken: dict[str, int] = {}
    tracked: dict[tuple[str, str, str], int] = {}
    for record in records:
        number, cells = record.number, record.cells
        fields = {name: cell.strip() for name, cell in zip(columns, cells, strict=False)}
        try:
            if record.damage:
                raise InputError(record.damage)
            if len(cells) != len(columns):
                raise InputError(f"has {len(cells)} fields, not {len(columns)}")
            row = _row(number, fields, kind, beside)
            if row.folder in taken:
                raise InputError(f"the id {row.folder} is row {taken[row.folder]}'s already")
            _check_tracking(row, tracked)
        except InputError as error:
            yield Rejected(file=fields.get("image", ""), row=number, reason=str(error))
        else:
            taken[row.folder] = number
            tracked |= dict.fromkeys(_tracked(row), number)
            yield row


def _tracked(row: PromptRow) -> list[tuple[str, str, str]]:
    """What no other row of the image may say: its lesions are different ones."""
    image = os.path.abspath(row.image)
    given = {"tracking_id": row.tracking.identifier, "tracking_uid": row.tracking.uid}
    return [(image, column, word) for column, word in given.items() if word]


def _check_tracking(row: PromptRow, tracked: Mapping[tuple[str, str, str], int]) -> None:
    for said in _tracked(row):
        if said in tracked:
            _, column, word = said
            raise InputError(
                f"the {column} {shown(word)} is row {tracked[said]}'s already, of the same image",
                remedy="a lesion has one row an image",
            )


def _row(number: int, fields: Mapping[str, str], kind: type[Prompt], beside: Path) -> PromptRow:
    written, name = fields["image"], fields.get("id", "")
    if not written or "\0" in written:
        raise InputError("no image is named")
    if name and (name in _TAKEN or not _ID.fullmatch(name)):
        raise InputError(
            f"the id {shown(name)!r} is no name of a folder", remedy="use letters, digits, _ and -"
        )
    window = _pair(fields, ("window_low", "window_high"))
    if window is not None and not window[0] < window[1]:
        raise InputError(f"window_low, window_high are {window[0]:g}, {window[1]:g}: not low, high")
    index = _number(fields, "slice")
    if index is not None and not index.is_integer():
        raise InputError(f"slice is {index:g}, not a whole number")
    return PromptRow(
        number=number,
        written=written,
        image=beside / written,
        prompt=_prompt(fields, kind),
        index=None if index is None else int(index),
        spacing=_pair(fields, ("spacing_x", "spacing_y")),
        window=window,
        id=name,
        tracking=Tracking(
            identifier=fields.get("tracking_id", ""), uid=fields.get("tracking_uid", "")
        ),
    )


def _prompt(fields: Mapping[str, str], kind: type[Prompt]) -> Prompt:
    numbers = _numbers(fields, kind.columns)
    if numbers is None:
        raise InputError(f"{', '.join(kind.columns[:-1])} and {kind.columns[-1]} are empty")
    return kind.from_points(np.reshape(numbers, (-1, 2)))


def _pair(fields: Mapping[str, str], columns: tuple[str, str]) -> tuple[float, float] | None:
    numbers = _numbers(fields, columns)
    return None if numbers is None else (numbers[0], numbers[1])


def _numbers(fields: Mapping[str, str], columns: Sequence[str]) -> list[float] | None:
    """Those of all the columns; None where they are all empty."""
    found = {column: _number(fields, column) for column in columns}
    numbers = [number for number in found.values() if number is not None]
    if not numbers:
        return None
    if len(numbers) < len(columns):
        empty = next(column for column, number in found.items() if number is None)
        raise InputError(f"{empty} is empty")
    return numbers


def _number(fields: Mapping[str, str], column: str) -> float | None:
    if not (text := fields.get(column, "")):
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{column} is {shown(text)!r}, not a number")
    return value
