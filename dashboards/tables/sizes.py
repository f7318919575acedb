"""What was measured of lesions, by the size of them: reported metrics and surfaces' distances."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dashboards.tables.comparison import MISSING, with_interval
from dashboards.tables.metrics import metric_of
from lesions.metrics.sizes import SIZES, size_of
from lesions.metrics.summary import summary
from lesions.metrics.surface import SURFACES

Row = Mapping[str, Any]
BY_SIZE = "By long axis: mean (95 % over patients), of how many where not of all"
SIZED = "long_axis_mm"


def by_size(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each of `SIZES` that has some, the smallest first, by the truth's long axis."""
    found: dict[str, list[Row]] = {size: [] for size in SIZES}
    for row in rows:
        if SIZED in row:
            found[size_of(row[SIZED])].append(row)
    return {size: some for size, some in found.items() if some}


def size_cells(rows: Sequence[Row], reported: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Heading and rows of a table: a row a metric, a column all lesions and each size of them.

    A cell is the mean, its 95 % interval over patients in brackets, and how many lesions have the
    metric where some have not.
    """
    groups = {"all": list(rows), **by_size(rows)}
    names = [name for name in dict.fromkeys([*reported, *SURFACES])
             if any(name in row for row in rows)]  # fmt: skip
    cells = [
        ["lesions", *(str(len(some)) for some in groups.values())],
        ["patients", *(str(len({row["patient"] for row in some})) for some in groups.values())],
    ]
    means = [_means(names, some) for some in groups.values()]
    cells += [[metric_of(name).heading, *(_cell(name, of) for of in means)] for name in names]
    return ["Metric", *groups], cells


def _means(names: Sequence[str], rows: Sequence[Row]) -> Mapping[str, float]:
    """The `summary` of these metrics: one draw of patients serves all that the same rows have."""
    known = [{name: row[name] for name in names if _has(name, row)} for row in rows]
    return summary(known, [row["patient"] for row in rows])


def _cell(name: str, means: Mapping[str, float]) -> str:
    if name not in means:
        return MISSING
    low, high = means.get(f"{name}_low"), means.get(f"{name}_high")
    ends = None if low is None or high is None else (low, high)
    of = f", of {means[f'{name}_n']:.0f}" if f"{name}_n" in means else ""
    return with_interval(means[name], ends, metric_of(name).digits) + of


def _known(name: str, rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if _has(name, row)]


def _has(name: str, row: Row) -> bool:
    return bool(np.isfinite(row.get(name, np.nan)))


def size_metrics(rows: Sequence[Row], reported: Sequence[str]) -> dict[str, float]:
    """For MLflow: "hd95_mm" with how many have it, "dice_10_to_20_mm", "n_10_to_20_mm"."""
    found: dict[str, float] = {}
    for size, some in {"": rows, **by_size(rows)}.items():
        end = size and f"_{size.replace(' ', '_')}"
        found |= {f"n{end}": float(len(some))} if size else {}
        for name in SURFACES if not size else dict.fromkeys([*reported, *SURFACES]):
            if known := _known(name, some):
                found[f"{name}{end}"] = float(np.mean([row[name] for row in known]))
                found |= {} if len(known) == len(some) else {f"{name}{end}_n": float(len(known))}
    return found
