"""The papers' tables, as `tables.csv` transcribes them: one row per method and data set.

`papers.csv` has the papers' titles, and the number of the table that judges pseudo masks, if any;
`datasets.csv` what the papers measured on, and how many lesions, as their sections on data state.
"""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lesions.errors import InputError
from lesions.lesion import LESION_TYPES

TABLES, PAPERS, DATASETS = (
    Path(__file__).with_name(f"{name}.csv") for name in ("tables", "papers", "datasets")
)
COLUMNS = ("paper", "table", "dataset", "subgroup", "method", "metric", "mean", "std", "unit")
PAPER_COLUMNS = ("paper", "title", "masks")
DATASET_COLUMNS = ("paper", "dataset", "title", "lesions")
WHOLE = ("all", "overall")  # subgroups that are the whole data set
SHOWN = "1"  # the table that stands beside our results


@dataclass(frozen=True, kw_only=True)
class PaperRow:
    """One method's results on one data set, from one table of one paper.

    Attributes:
        paper: its key in `papers.csv`.
        table: the table's number, or "text" or "fig4" where the paper says it there.
        dataset: what it was measured on, of `datasets.csv`.
        subgroup: "all", or the part of the data set.
        metrics: (mean, standard deviation or None) by metric name.
        units: "fraction", "mm" or "pixel" by metric name.
    """

    paper: str
    table: str
    dataset: str
    subgroup: str
    method: str
    metrics: Mapping[str, tuple[float, float | None]]
    units: Mapping[str, str]

    @property
    def key(self) -> str:
        """What tells this row from every other row of every paper."""
        return "/".join((self.paper, self.table, self.dataset, self.subgroup, self.method))

    @property
    def measured_on(self) -> str:
        """The data set and its part, in words."""
        found = _datasets().get((self.paper, self.dataset))
        name = self.dataset if found is None else found[0]
        return name if self.subgroup in WHOLE else f"{name}, {self.subgroup.replace('_', ' ')}"

    @property
    def lesions(self) -> int | None:
        """How many lesions it was measured on, where the paper says so."""
        found = _datasets().get((self.paper, self.dataset))
        return None if found is None or self.subgroup not in WHOLE else found[1]


def paper_rows(paper: str, table: str | None = None, *, path: Path = TABLES) -> list[PaperRow]:
    """The rows of a paper, or of one of its tables, in the paper's order.

    Raises:
        InputError: no such paper or table (the message lists the choices), or a file that cannot
            be read, with the row that is at fault.
    """
    rows = _read(path)
    mine = [row for row in rows if row.paper == paper]
    if not mine:
        choices = ", ".join(dict.fromkeys(row.paper for row in rows))
        raise InputError(f"no paper {paper!r}", file=path, remedy=f"one of {choices}")
    chosen = [row for row in mine if table in (None, row.table)]
    if not chosen:
        choices = ", ".join(dict.fromkeys(row.table for row in mine))
        raise InputError(f"{paper} has no table {table!r}", file=path, remedy=f"one of {choices}")
    return chosen


def known_rows(paper: str) -> list[PaperRow]:
    """All rows of a paper; none where no such paper is kept, as of a system without one."""
    return [row for row in _read(TABLES) if row.paper == paper]


def shown_rows(paper: str) -> list[PaperRow]:
    """The rows shown beside our results: the paper's Table 1, on the whole of its test sets."""
    return [row for row in known_rows(paper) if row.table == SHOWN and row.subgroup in WHOLE]


def rows_by_type(paper: str, metrics: Sequence[str]) -> list[PaperRow]:
    """The rows of the paper's table by lesion type of the first of `metrics` that has one."""
    tables: dict[str, list[PaperRow]] = {}
    for row in known_rows(paper):
        tables.setdefault(row.table, []).append(row)
    by_type = [
        rows for rows in tables.values() if any(row.subgroup in LESION_TYPES for row in rows)
    ]
    for metric in metrics:
        for rows in by_type:
            if all(metric in row.metrics for row in rows):
                return rows
    return []


def title_of(paper: str) -> str:
    """How a paper's system is called; a name that no paper has, as it is."""
    return _papers().get(paper, (paper, ""))[0]


def masks_table() -> tuple[str, str]:
    """The paper and the number of the table that judges pseudo masks; ("", "") without one."""
    tables = ((paper, table) for paper, (_, table) in _papers().items() if table)
    return next(tables, ("", ""))


@cache
def _papers(path: Path = PAPERS) -> dict[str, tuple[str, str]]:
    """(title, table of pseudo masks or "") by paper."""
    records = list(_records(path, PAPER_COLUMNS, optional=("masks",)))
    return {one["paper"]: (one["title"], one["masks"]) for one in records}


@cache
def _datasets(path: Path = DATASETS) -> dict[tuple[str, str], tuple[str, int | None]]:
    """(title, number of lesions where the paper tells it) by paper and data set."""
    found = {}
    records = _records(path, DATASET_COLUMNS, optional=("lesions",))
    for number, one in enumerate(records, start=1):
        if not (one["lesions"] or "0").isdecimal():
            raise InputError("lesions is no count", file=path, row=number)
        found[one["paper"], one["dataset"]] = one["title"], int(one["lesions"] or 0) or None
    return found


def _read(path: Path) -> list[PaperRow]:
    found: dict[tuple[str, ...], list[tuple[str, float, float | None, str]]] = {}
    for number, record in enumerate(_records(path, COLUMNS, optional=("std",)), start=1):
        mean, std = _number(record["mean"]), _number(record["std"])
        if mean is None or not math.isfinite(mean) or not (std is None or 0 <= std < math.inf):
            raise InputError("mean or std is not a number", file=path, row=number)
        values = found.setdefault(tuple(record[name] for name in COLUMNS[:5]), [])
        if record["metric"] in (metric for metric, *_ in values):
            raise InputError(
                f"{record['metric']} of {record['method']} appears twice", file=path, row=number
            )
        values.append((record["metric"], mean, std, record["unit"]))
    return [
        PaperRow(
            paper=paper,
            table=table,
            dataset=dataset,
            subgroup=subgroup,
            method=method,
            metrics={metric: (mean, std) for metric, mean, std, _ in values},
            units={metric: unit for metric, _, _, unit in values},
        )
        for (paper, table, dataset, subgroup, method), values in found.items()
    ]


def _records(
    path: Path, columns: Sequence[str], optional: Sequence[str]
) -> Iterator[dict[str, str]]:
    """The rows of a table of ours; InputError for another header, or an empty field."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            if tuple(next(reader, ())) != columns:
                raise InputError(f"the header is not {','.join(columns)}", file=path)
            for number, fields in enumerate(reader, start=1):
                if len(fields) != len(columns):
                    raise InputError(
                        f"{len(fields)} fields, not {len(columns)}", file=path, row=number
                    )
                record = dict(zip(columns, fields, strict=True))
                if not all(text for name, text in record.items() if name not in optional):
                    reason = f"only {' and '.join(optional)} may be empty"
                    raise InputError(reason, file=path, row=number)
                yield record
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot be read: {error}", file=path) from None


def _number(text: str) -> float | None:
    """None of an empty field; NaN where it is no number, so that the caller can name the row."""
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        return math.nan
