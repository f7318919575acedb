"""CSV tables in which one damaged row costs itself alone."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lesions.errors import InputError, shown
from lesions.readers.bounded import read_bytes

_MOST_LINES = 20  # that a field in quotes may have


@dataclass(frozen=True, kw_only=True)
class Record:
    """A row as written.

    Attributes:
        number: 1 = the first after the header; empty lines do not count.
        cells: its fields, in the header's order; a damaged row has none.
        damage: why it cannot be read; "" where it can.
    """

    number: int
    cells: Sequence[str]
    damage: str = ""


def read_csv(path: Path) -> tuple[list[str], list[Record]]:
    """The header's names, and every row.

    A field in quotes may hold line breaks where the whole row then has as many fields as the
    header; otherwise an open quote would swallow the rows after it.

    Raises:
        InputError: there is no such file, or its header cannot be read.
    """
    try:
        lines = read_bytes(path).removeprefix(b"\xef\xbb\xbf").splitlines()
    except FileNotFoundError:
        raise InputError("there is no such file", file=path) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from None
    filled = [at for at, line in enumerate(lines) if line.strip()]
    if not filled:
        return [], []
    head = filled[0]
    columns, damage = _parsed(lines[head])
    if damage:
        raise InputError(f"the header cannot be read: {damage}", file=path)
    return columns, list(_records(lines[head + 1 :], len(columns)))


def _records(lines: Sequence[bytes], columns: int) -> Iterator[Record]:
    at, number = 0, 0
    while at < len(lines):
        if not lines[at]:
            at += 1
            continue
        number += 1
        taken = 1
        cells, damage = _parsed(lines[at])
        if damage and lines[at].count(b'"') % 2:
            taken, cells, damage = _joined(lines[at : at + _MOST_LINES], columns, damage)
        yield Record(number=number, cells=() if damage else cells, damage=damage)
        at += taken


def _joined(lines: Sequence[bytes], columns: int, damage: str) -> tuple[int, list[str], str]:
    """How many of the lines make one row, and its fields; the first alone where none do."""
    quotes = 0
    for taken, line in enumerate(lines, start=1):
        quotes += line.count(b'"')
        if quotes % 2 == 0:
            cells, _ = _parsed(b"\n".join(lines[:taken]))
            return (taken, cells, "") if len(cells) == columns else (1, [], damage)
    return 1, [], damage


def _parsed(line: bytes) -> tuple[list[str], str]:
    """The fields of one row, or why there are none."""
    try:
        return next(csv.reader([line.decode()], strict=True), []), ""
    except UnicodeDecodeError:
        return [], "the row is not UTF-8 text"
    except csv.Error as error:
        return [], f"the row is no CSV: {shown(str(error))}"
