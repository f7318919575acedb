"""An evaluation's lesions as CSV, one row each."""

import math
from pathlib import Path
from typing import Any

from dashboards.pages.evaluation import Evaluation
from dashboards.tables.metrics import named_with_unit
from lesions.writers.csv_rows import write_csv

DROPPED = ("mask", "index", "set")


def write_lesions(view: Evaluation, path: Path) -> None:
    """Write every lesion's row as CSV, the metrics' names with their units; absent is empty."""
    rows = sorted([*view.rows, *view.aside], key=lambda row: (row["set"], row["index"]))
    names = dict.fromkeys(name for row in rows for name in row if name not in DROPPED)
    before = f"{view.alone}_" if view.alone else ""
    cells = ([view.sets[row["set"]], *(_cell(row.get(name)) for name in names)] for row in rows)
    write_csv(path, ["data", *(named_with_unit(name, before) for name in names)], cells)


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, list):  # endpoints
        return " ".join(f"{number:.3f}" for point in value for number in point)
    return value
