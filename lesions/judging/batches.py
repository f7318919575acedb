"""Lesions with human masks, in batches that a worker reads: DeepLesion's layout, or NIfTI pairs."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from lesions.errors import InputError
from lesions.lesion import Lesion
from lesions.prepared.remarking import AS_GIVEN, MarksFrom
from lesions.readers.deeplesion import (
    SPLIT_CODES,
    Rejected,
    Remark,
    TableRow,
    read_lesion,
    read_table,
)

ROWS_PER_BATCH = 8
SERIES = ("Patient_index", "Study_index", "Series_ID")


class Batch(Protocol):
    """What a worker reads at a time: its lesions all have a human mask that is not empty."""

    def read(self) -> Iterator[Lesion | Rejected | Remark]:
        """The lesions, what is set aside with its reason, and what is said of files."""

    def aside(self, reason: str) -> list[Rejected]:
        """All of it set aside for one reason."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows of a table in DeepLesion's layout.

    Attributes:
        root: the folder with the table.
        rows: some of its rows; with `largest` all rows of one series.
        keep_noisy: take rows that the data set flags as possibly noisy.
        values_are_hu: take slices whatever the range of their values says.
        largest: take the slice with the largest human mask alone.
        marks: which ones.
    """

    root: Path
    rows: tuple[TableRow, ...]
    keep_noisy: bool = False
    values_are_hu: bool = False
    largest: bool = False
    marks: MarksFrom = AS_GIVEN

    def read(self) -> Iterator[Lesion | Rejected]:
        """See `Batch`."""
        found = [self._read(row) for row in self.rows]
        areas = [_human_area(lesion) for lesion in found] if self.largest else []
        for place, lesion in enumerate(found):
            if isinstance(lesion, Lesion) and self.largest and place != int(np.argmax(areas)):
                reason = "not the largest slice of its series"
                yield Rejected(file=lesion.file, row=lesion.row, reason=reason)
            else:
                yield lesion

    def aside(self, reason: str) -> list[Rejected]:
        """See `Batch`."""
        return [_rejected(row, reason) for row in self.rows]

    def _read(self, row: TableRow) -> Lesion | Rejected:
        folder, _, index = row.fields.get("File_name", "").removesuffix(".png").rpartition("_")
        # Before any pixel: in a large set few slices may have one, and decoding takes the time.
        if not (self.root / "Masks_png" / folder / f"{index}_{row.nth}.png").is_file():
            return _rejected(row, "no human mask in Masks_png")
        try:
            how = {"keep_noisy": self.keep_noisy, "values_are_hu": self.values_are_hu}
            return self.marks(read_lesion(row, self.root, **how))
        except InputError as error:
            return _rejected(row, error.reason)
        except Exception as error:  # one row must not end a batch; its reason says what happened
            return _rejected(row, f"{type(error).__name__}: {error}")


def deeplesion_batches(
    root: Path,
    splits: Sequence[str],
    *,
    keep_noisy: bool,
    largest: bool,
    values_are_hu: bool = False,
    marks: MarksFrom = AS_GIVEN,
) -> list[Rows]:
    """The table's rows of these splits, in batches that depend on the table alone.

    Args:
        root: the folder with the table.
        splits: of `lesions.lesion.SPLITS`; a row with no known split is in all of them.
        keep_noisy: take rows that the data set flags as possibly noisy.
        largest: of each patient's series, take the slice with the largest human mask alone.
        values_are_hu: take slices whatever the range of their values says.
        marks: which ones the pseudo masks are told.

    Raises:
        InputError: the table itself cannot be used.
    """
    rows = [row for row in read_table(root) if _split(row) in (None, *splits)]
    if largest:
        series: dict[tuple[str | None, ...], list[TableRow]] = defaultdict(list)
        for row in rows:
            series[tuple(row.fields.get(name) for name in SERIES)].append(row)
        groups = list(series.values())
    else:
        starts = range(0, len(rows), ROWS_PER_BATCH)
        groups = [rows[at : at + ROWS_PER_BATCH] for at in starts]
    return [
        Rows(
            root=root,
            rows=tuple(group),
            keep_noisy=keep_noisy,
            values_are_hu=values_are_hu,
            largest=largest,
            marks=marks,
        )
        for group in groups
    ]


def _split(row: TableRow) -> str | None:
    return SPLIT_CODES.get(row.fields.get("Train_Val_Test", "").strip())


def _rejected(row: TableRow, reason: str) -> Rejected:
    return Rejected(file=row.fields.get("File_name", ""), row=row.number, reason=reason)


def _human_area(found: Lesion | Rejected) -> int:
    return int(np.count_nonzero(found.mask("human") == 1)) if isinstance(found, Lesion) else 0
