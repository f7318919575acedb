"""Our result, what it has to beat, and the paper's rows, as lines of one table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dashboards.pages.view import SweepView
from dashboards.recorded.numbers import count_of, number_of
from dashboards.tables.metrics import columns_of, metric_of, reported_in
from dashboards.tables.papers import PaperRow, title_of
from lesions.errors import shown

MISSING = "–"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One method's results.

    Attributes:
        lesions: how many it was measured on, None where that is not known.
        values: (mean, standard deviation or None) by metric name; only what was measured.
    """

    source: Literal["ours", "reference", "paper"]
    method: str
    measured_on: str
    lesions: int | None
    values: Mapping[str, tuple[float, float | None]]

    def cell(self, metric: str, separator: str = " ± ") -> str:
        """Mean ± standard deviation, or a dash."""
        mean, std = self.values.get(metric, (None, None))
        if mean is None:
            return MISSING
        digits = metric_of(metric).digits
        spread = "" if std is None else f"{separator}{std:.{digits}f}"
        return f"{mean:.{digits}f}{spread}"


def comparison(view: SweepView, rows: list[PaperRow]) -> list[Line]:
    """Ours, the references, then the paper's rows in the paper's order."""
    ours = Line(
        source="ours",
        method=our_method(view),
        measured_on=view.data.partition(",")[0] if view.test else "no test result yet",
        lesions=view.test_n,
        values=values_of(view.test),
    )
    references = [
        Line(
            source="reference",
            method=reference.method,
            measured_on="the same lesions",
            lesions=count_of(reference.metrics.get("test_n", view.test_n)) or None,
            values=values_of(reference.metrics),
        )
        for reference in view.references
    ]
    return [ours, *references, *paper_lines(rows)]


def columns_shown(lines: Sequence[Line], merit: str = "") -> dict[str, str]:
    """Heading by metric, of all that our lines or the paper's have."""
    ours, theirs = (
        [name for line in lines if (line.source == "paper") is paper for name in line.values]
        for paper in (False, True)
    )
    return columns_of(ours, theirs, merit)


def paper_lines(rows: Sequence[PaperRow]) -> list[Line]:
    """The paper's rows, in its order."""
    return [
        Line(
            source="paper",
            method=row.method,
            measured_on=row.measured_on,
            lesions=row.lesions,
            values=row.metrics,
        )
        for row in rows
    ]


def our_method(view: SweepView) -> str:
    """Our line's name: the system, and which trial it is."""
    name = f"{title_of(view.system)}, ours"
    return name if view.best is None else f"{name} (trial {view.best.number})"


def caution(view: SweepView, rows: list[PaperRow]) -> str:
    """Why the table is no ranking."""
    truth = f", against {view.tags['truth']}" if "truth" in view.tags else ""
    protocol = f" {view.tags['protocol']}" if "protocol" in view.tags else ""
    ours = f"Ours was measured on {view.data}{truth}"
    if not rows:
        return f"{ours}.{protocol}"
    theirs = " and the ".join(dict.fromkeys(row.measured_on for row in rows))
    return (
        f"{ours}; the paper's results on the {theirs}. "
        f"Different lesions: they are not comparable as a ranking.{protocol}"
    )


def short_number(text: str) -> str:
    """A searched value as MLflow keeps it, with four significant digits if it is a number."""
    number = number_of(text)
    return shown(text) if number is None else f"{number:.4g}"


def in_words(name: str, value: float | None) -> str:
    """One lesion's metric: "Dice 0.912", "Long axis length error 3.2 pixel"."""
    metric = metric_of(name)
    if value is None or math.isnan(value):
        return f"{metric.title} {MISSING}"
    if metric.unit:
        return f"{metric.title} {value:.1f} {metric.unit}"
    return f"{metric.title} {value:.{metric.digits}f}"


def values_of(metrics: Mapping[str, float]) -> dict[str, tuple[float, float | None]]:
    """(mean, standard deviation or None) of each metric over lesions that was measured."""
    measured = {name: x for name, x in metrics.items() if number_of(x) is not None}
    return {name: (measured[name], measured.get(f"{name}_std")) for name in reported_in(measured)}


def metrics_of(values: Mapping[str, tuple[float, float | None]]) -> dict[str, float]:
    """Means and deviations by the names that they have in MLflow."""
    means = {name: mean for name, (mean, _) in values.items()}
    stds = {f"{name}_std": std for name, (_, std) in values.items() if std is not None}
    return means | stds
