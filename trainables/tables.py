"""A paper's table as data: which configs make its rows, and which of our numbers its columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class PaperTable:
    """What `platform.reproduce` trains and measures for one table of a paper.

    A row is as many trainings as the table has parts, such as two stages.

    Attributes:
        number: as in `dashboards/tables.csv`, "3".
        rows: the variant that makes a row, by the row's method in `tables.csv`.
        parts: each training's changes to the row's config, by the part's name.
        columns: (part, metric of ours), by the column's metric in `tables.csv`.
        by_type: whether every method has a row for each lesion type.
        note: what sets ours apart from the paper's protocol, for those who read the result.
    """

    number: str
    rows: Mapping[str, str]
    parts: Mapping[str, Mapping[str, Any]]
    columns: Mapping[str, tuple[str, str]]
    by_type: bool = False
    note: str = ""
