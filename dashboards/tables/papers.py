"""The papers' tables, as `tables.csv` transcribes them: one row per method and data set."""

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lesions.errors import InputError

TABLES = Path(__file__).with_name("tables.csv")
COLUMNS = ("paper", "table", "dataset", "subgroup", "method", "metric", "mean", "std", "unit")
WHOLE = ("all", "overall")  # subgroups that are the whole data set

PAPER_NAMES = {
    "pdnet": "PDNet",
    "ahrnet": "AHRNet",
    "wsss": "WSSS",
    "coseg": "co-segmentation",
    "stn_shn": "STN + SHN",
}
DATASET_NAMES = {
    "deeplesion_test": "DeepLesion test set",
    "deeplesion_readers": "DeepLesion readers' test set",
    "deeplesion_volumes": "DeepLesion volumes",
    "external_test": "external test set",
    "holdout_test": "hold-out test set",
    "lymph_node": "lymph node data set",
}
# As the papers' sections on data state them.
LESION_COUNTS = {
    ("pdnet", "deeplesion_test"): 1000,
    ("pdnet", "external_test"): 1350,
    ("ahrnet", "deeplesion_test"): 1000,
    ("ahrnet", "holdout_test"): 470,
    ("wsss", "deeplesion_test"): 1000,
    ("wsss", "lymph_node"): 984,
    ("coseg", "deeplesion_test"): 1000,
    ("stn_shn", "deeplesion_readers"): 500,
}


@dataclass(frozen=True, kw_only=True)
class PaperRow:
    """One method's results on one data set, from one table of one paper.

    Attributes:
        paper: the system's name, "pdnet", "ahrnet", "wsss", "coseg" or "stn_shn".
        table: the table's number, or "text" or "fig4" where the paper says it there.
        dataset: what it was measured on, a key of `DATASET_NAMES`.
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
        name = DATASET_NAMES.get(self.dataset, self.dataset)
        return name if self.subgroup in WHOLE else f"{name}, {self.subgroup.replace('_', ' ')}"

    @property
    def lesions(self) -> int | None:
        """How many lesions it was measured on, where the paper says so."""
        return LESION_COUNTS.get((self.paper, self.dataset)) if self.subgroup in WHOLE else None


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


def shown_rows(system: str) -> list[PaperRow]:
    """The rows shown beside our results: the paper's Table 1, on all of its test sets."""
    return paper_rows(system, "1")


def _read(path: Path) -> list[PaperRow]:
    found: dict[tuple[str, ...], list[tuple[str, float, float | None, str]]] = {}
    for number, record in enumerate(_records(path), start=1):
        mean, std = _number(record, "mean"), _number(record, "std")
        if mean is None or not all(record[name] for name in COLUMNS if name != "std"):
            raise InputError("only std may be empty", file=path, row=number)
        if not math.isfinite(mean) or not (std is None or 0 <= std < math.inf):
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


def _records(path: Path) -> Iterator[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            if tuple(next(reader, ())) != COLUMNS:
                raise InputError(f"the header is not {','.join(COLUMNS)}", file=path)
            for number, fields in enumerate(reader, start=1):
                if len(fields) != len(COLUMNS):
                    raise InputError(
                        f"{len(fields)} fields, not {len(COLUMNS)}", file=path, row=number
                    )
                yield dict(zip(COLUMNS, fields, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot be read: {error}", file=path) from None


def _number(record: Mapping[str, str], column: str) -> float | None:
    """NaN where the text is no number, so that the caller can name the row."""
    if not record[column]:
        return None
    try:
        return float(record[column])
    except ValueError:
        return math.nan
