"""CSV tables that a spreadsheet opens without running what they hold."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lesions.files import write_text

# What a spreadsheet takes for a formula, full-width signs included.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table, whole or not at all; text that would be a formula starts with a quote."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([defused(name) for name in columns])
    writer.writerows([defused(cell) for cell in row] for row in rows)
    write_text(path, text.getvalue())


def defused(cell: Any) -> Any:
    """A cell that no spreadsheet computes: as it is, or with a quote before it."""
    if isinstance(cell, str) and cell.startswith(_FORMULA) and not _is_number(cell):
        return f"'{cell}"
    return cell


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
