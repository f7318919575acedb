"""`readers.csv` beside a table in DeepLesion's layout: its lesions as further people mark them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lesions.errors import InputError, shown
from lesions.lesion import Lesion
from lesions.readers.csv_rows import Record, read_csv
from lesions.readers.deeplesion import Rejected, recist_of
from lesions.recist import Recist

READERS = "readers.csv"
COLUMNS = ("File_name", "row", "reader", "x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4")
MARKS = "marks"  # what the table's own marks are called beside the readers
MOST_READERS = 100
_NAME = re.compile(r"\w[\w .-]{0,39}")


@dataclass(frozen=True, kw_only=True)
class Which:
    """A lesion that may have readings: its File_name, and the (H, W) of its slice."""

    file: str
    shape: tuple[int, int]


Readings = dict[int, dict[str, Recist]]  # by the row of the table, by the reader's name


def with_readings(
    lesions: Sequence[Lesion], root: str | Path
) -> tuple[list[Lesion], list[Rejected]]:
    """The lesions of the table under `root` with their readings, and the rows set aside."""
    known = {one.row: Which(file=one.file, shape=one.shape) for one in lesions}
    found, aside = read_readings(root, known)
    return [replace(one, readings=found.get(one.row, {})) for one in lesions], aside


def read_readings(
    root: str | Path, lesions: Mapping[int, Which]
) -> tuple[Readings, list[Rejected]]:
    """The readings of these lesions, and the rows set aside with their reasons.

    Args:
        root: the folder with the table; without `readers.csv` there are no readings.
        lesions: by the row of the table. Readings of others are set aside.

    Raises:
        InputError: `readers.csv` itself cannot be read, or lacks a column.
    """
    path = Path(root) / READERS
    if not path.exists():
        return {}, []
    columns, records = read_csv(path)
    if missing := [name for name in COLUMNS if name not in columns]:
        raise InputError(f"the table lacks the columns {', '.join(missing)}", file=path,
                         remedy="docs/data.md says how it is written")  # fmt: skip
    found: Readings = {}
    aside = list(_read(columns, records, lesions, found))
    if len({name for one in found.values() for name in one}) > MOST_READERS:
        raise InputError(f"has more than {MOST_READERS} readers", file=path)
    return found, aside


def _read(
    columns: Sequence[str],
    records: Sequence[Record],
    lesions: Mapping[int, Which],
    found: Readings,
) -> Iterator[Rejected]:
    """Put each reading into `found`; those that cannot be."""
    for record in records:
        fields = dict(zip(columns, record.cells, strict=False))
        try:
            row, reader, recist = _reading(record, fields, lesions)
            mine = found.setdefault(row, {})
            if reader in mine:
                raise InputError("a reader has a second reading of the same lesion")
            mine[reader] = recist
        except InputError as error:
            file = fields.get("File_name", "")
            yield Rejected(file=file, row=record.number, reason=error.reason)


def _reading(
    record: Record, fields: Mapping[str, str], lesions: Mapping[int, Which]
) -> tuple[int, str, Recist]:
    if record.damage:
        raise InputError(record.damage)
    if len(fields) < len(COLUMNS):
        raise InputError("the row ends before its last column")
    # No more digits than a row of a table has: int() takes 4300.
    row = int(fields["row"]) if re.fullmatch("[0-9]{1,9}", fields["row"].strip()) else 0
    which = lesions.get(row)
    if which is None:
        raise InputError("of a lesion that the set does not have")
    if which.file != fields["File_name"].strip():
        raise InputError("File_name is not that of its row in the table")
    return row, reader_name(fields["reader"]), recist_of(_numbers(fields), which.shape)


def reader_name(text: str) -> str:
    """A reader's name; InputError where it is none."""
    name = text.strip()
    if not _NAME.fullmatch(name) or name.casefold() == MARKS:
        raise InputError(
            f"no reader's name: {shown(text)!r}",
            remedy=f"up to 40 letters, digits, spaces, - and _; not {MARKS!r}",
        )
    return name


def _numbers(fields: Mapping[str, str]) -> list[float]:
    try:
        return [float(fields[name]) for name in COLUMNS[3:]]
    except ValueError:
        raise InputError("an endpoint is no number") from None
