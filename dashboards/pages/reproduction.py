"""A paper's table with our rows beside its own: in the terminal, and as one HTML page."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from dashboards.pages.report import fill, versions, write_page
from dashboards.recorded.numbers import number_of
from dashboards.tables.comparison import Line, metrics_of, paper_lines
from dashboards.tables.metrics import metric_of
from dashboards.tables.papers import WHOLE, PaperRow, title_of
from dashboards.tables.terminal import WIDE, lines_table, plain
from lesions.metrics import summary
from lesions.metrics.merit import DICE, Merit


@dataclass(frozen=True, kw_only=True)
class Result:
    """Ours for one row of the paper's table.

    Attributes:
        method: as the paper calls it.
        subgroup: "all", or the lesion type.
        data: the short name of what it was measured on.
        lesions: how many it was measured on.
        values: (mean, standard deviation) by the paper's metric; only what was measured.
    """

    method: str
    subgroup: str
    data: str
    lesions: int
    values: Mapping[str, tuple[float, float | None]]

    @property
    def metrics(self) -> dict[str, float]:
        """The names and numbers that the paper's own row has in MLflow."""
        return metrics_of(self.values) | {"test_n": float(self.lesions)}


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """A paper's table and ours.

    Attributes:
        name: the run's.
        paper: its key, or the title of a system without one.
        rows: the paper's; of a system without a paper they have no figures.
        results: ours, in the paper's order.
        columns: the paper's metrics that are shown.
        data: what ours was measured on, in words.
        merit: ranks the methods, by each column that is it, or a part's.
        remarks: what sets ours apart, in sentences.
        tags: of the MLflow run, for the page's provenance.
    """

    name: str
    paper: str
    rows: Sequence[PaperRow]
    results: Sequence[Result]
    columns: Sequence[str]
    data: str
    merit: Merit = DICE
    remarks: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Which table of which paper."""
        return f"{title_of(self.paper)}, Table {self.rows[0].table}"

    @property
    def headings(self) -> dict[str, str]:
        """Heading by metric."""
        return {metric: metric_of(metric).heading for metric in self.columns}

    def lines(self) -> list[Line]:
        """Ours, then the paper's, each in the paper's order."""
        ours = [
            Line(
                source="ours",
                method=f"{result.method}, ours",
                measured_on=_part(result.data, result.subgroup),
                lesions=result.lesions,
                values=result.values,
            )
            for result in self.results
        ]
        return [*ours, *paper_lines(self._published)]

    @property
    def _published(self) -> list[PaperRow]:
        """The paper's rows that have figures."""
        return [row for row in self.rows if row.metrics]

    def notes(self) -> Iterator[str]:
        """What a reader has to know to read the table."""
        theirs = (
            "; the paper's on other and many more lesions: compare the order of the rows, not "
            "their numbers"
        )
        yield f"Ours was measured on {self.data}{theirs if self._published else ''}."
        yield from self.remarks
        yield from self._orders()

    def _orders(self) -> Iterator[str]:
        """The methods from best to worst by each figure of merit, ours and the paper's."""
        name = self.merit.name
        for metric in self.columns:
            judges = metric == name or metric.startswith(f"{name}_")
            if not judges or any(r.subgroup not in WHOLE for r in self.results):
                continue
            ours = {
                result.method: result.values[metric][0]
                for result in self.results
                if metric in result.values and result.data == self.results[0].data
            }
            theirs = {
                row.method: row.metrics[metric][0]
                for row in self._published
                if row.method in ours and row.dataset == self.rows[0].dataset
            }
            if len(ours) > 1:
                order = f"By {metric_of(metric).measured}, ours: {_ranked(ours, self.merit)}"
                yield (
                    f"{order}; the paper's: {_ranked(theirs, self.merit)}."
                    if theirs
                    else f"{order}."
                )


def summarised(
    method: str,
    subgroup: str,
    data: str,
    columns: Mapping[str, tuple[str, str]],
    measured: Mapping[str, Sequence[Mapping[str, Any]]],
) -> Result:
    """One row of ours, from the rows of lesions that each part of it was measured on.

    Args:
        method, subgroup: as in the paper; a subgroup other than all is a lesion type.
        data: the short name of what was measured on.
        columns: (part, metric of ours), by the paper's metric.
        measured: one row a test lesion, by part.
    """
    chosen = {
        part: [row for row in rows if subgroup in WHOLE or row.get("lesion_type") == subgroup]
        for part, rows in measured.items()
    }
    values: dict[str, tuple[float, float | None]] = {}
    for name, (part, metric) in columns.items():
        measured_here = [number_of(row.get(metric)) for row in chosen[part]]
        found = summary([{metric: math.nan if x is None else x} for x in measured_here])
        if math.isfinite(found.get(metric, math.nan)):
            values[name] = (found[metric], found[f"{metric}_std"])
    return Result(
        method=method,
        subgroup=subgroup,
        data=data,
        lesions=min(map(len, chosen.values())),
        values=values,
    )


def print_reproduction(view: Reproduction, console: Console) -> None:
    """Print the table and its notes."""
    title = f"{plain(view.title)}: {plain(view.name)}"
    console.print(lines_table(title, view.lines(), view.headings, console.width >= WIDE))
    for note in view.notes():
        console.print(f"[yellow]Note:[/] {plain(note)}")


def write_reproduction(view: Reproduction, path: Path) -> None:
    """Write the page, whole or not at all; InputError where it cannot be written."""
    write_page(path, render_reproduction(view))


def render_reproduction(view: Reproduction) -> str:
    """The page's HTML."""
    return fill(
        "reproduction.html.j2",
        view=view,
        lines=view.lines(),
        columns=view.headings,
        notes=list(view.notes()),
        provenance=[*sorted(view.tags.items()), ("page written with", ", ".join(versions()))],
    )


def _part(where: str, subgroup: str) -> str:
    return where if subgroup in WHOLE else f"{where}, {subgroup.replace('_', ' ')}"


def _ranked(values: Mapping[str, float], merit: Merit) -> str:
    """The methods, the best first, with the sign that stands between their values."""
    sign = " > " if merit.better == "higher" else " < "
    return sign.join(sorted(values, key=lambda name: merit.rank(values[name])))
