"""A trained model on test lesions beside the paper's Tables 1 and 2, and its diameters compared."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from dashboards.pages.report import data_uri, fill, versions, write_page
from dashboards.pages.view import evenly_apart
from dashboards.tables.comparison import COLUMNS, Line, metrics_of, paper_lines, values_of
from dashboards.tables.diameters import (
    diameter_cells,
    diameter_metrics,
    diameter_notes,
    difference_cells,
)
from dashboards.tables.papers import PAPER_NAMES, paper_rows
from dashboards.tables.terminal import WIDE, lines_table, plain, text_table
from lesions.metrics import summary
from lesions.writers.csv_rows import write_csv

Row = Mapping[str, Any]
MISSED = "missed"
HEADINGS = COLUMNS | {MISSED: "Not found by stage 1"}
ALONE = "stage2_"  # before the names of what stage 2 alone measured
SHOWN = 4  # lesions with pictures
LISTED = 200  # lesions without a result that the page names


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Every lesion's results, and what the tables, the page and MLflow make of them.

    Attributes:
        name: the run's.
        paper: its system's name.
        method: what answered, in the paper's words.
        sets: the data sets' short names; a row's `set` is an index of them.
        data: what was measured, in words.
        truth: by what it was judged.
        rows: one a lesion that was measured: `trainables.pdnet.evaluating`'s.
        aside: one a lesion that could not be, with its `reason`.
        tags: of the MLflow run, for the page's provenance.
    """

    name: str
    paper: str
    method: str
    sets: Sequence[str]
    data: str
    truth: str
    rows: Sequence[Row]
    aside: Sequence[Row]
    tags: Mapping[str, str] = field(default_factory=dict)

    def lines(self) -> list[Line]:
        """Both stages on everything, and on each of several sets; stage 2 alone; Table 1."""
        whole = self.sets[0] if len(self.sets) == 1 else f"{len(self.sets)} sets together"
        lines = [self._line(f"{self.method}, ours", whole, self.rows)]
        if len(self.sets) > 1:
            lines += [
                self._line(f"{self.method}, ours", name, self.rows_of_set(number))
                for number, name in enumerate(self.sets)
            ]
        return [*lines, self._alone(whole), *paper_lines(paper_rows(self.paper, "1"))]

    def category_lines(self) -> list[Line]:
        """Both stages on each lesion type, the most frequent first; Table 2."""
        lines = [
            self._line(f"{self.method}, ours", kind.replace("_", " "), rows)
            for kind, rows in self.categories().items()
        ]
        return [*lines, *paper_lines(paper_rows(self.paper, "2"))]

    def rows_of_set(self, number: int) -> list[Row]:
        """The rows of one of the sets."""
        return [row for row in self.rows if row["set"] == number]

    def categories(self) -> dict[str, list[Row]]:
        """The rows by lesion type, the most frequent first."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            found.setdefault(row["lesion_type"], []).append(row)
        return dict(sorted(found.items(), key=lambda one: -len(one[1])))

    def _line(self, method: str, where: str, rows: Sequence[Row]) -> Line:
        values = _values(rows) | {MISSED: (float(sum(not row["found"] for row in rows)), None)}
        return Line(
            source="ours", method=method, measured_on=where, lesions=len(rows), values=values
        )

    def _alone(self, where: str) -> Line:
        rows = [{name: row[ALONE + name] for name in COLUMNS} for row in self.rows]
        return Line(
            source="ours",
            method=f"{self.method}, ours, stage 2 alone",
            measured_on=f"{where}; told the size",
            lesions=len(rows),
            values=_values(rows),
        )

    def metrics(self) -> dict[str, float]:
        """For MLflow: each metric, also by lesion type, and the diameters' differences."""
        found = {"test_n": float(len(self.rows)), "failed": float(len(self.aside))}
        found |= metrics_of(self._line("", "", self.rows).values)
        alone = metrics_of(self._alone("").values)
        found |= {ALONE + name: value for name, value in alone.items()}
        for kind, rows in self.categories().items():
            named = metrics_of(self._line("", "", rows).values) | {"n": float(len(rows))}
            found |= {f"{name}_{kind}": value for name, value in named.items()}
        found |= diameter_metrics(self.rows)
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def shown(self) -> list[Row]:
        """A few lesions, evenly apart from the highest to the lowest Dice."""
        ranked = sorted(self.rows, key=lambda row: (-row["dice"], row["file"], row["row"]))
        return [ranked[place] for place in evenly_apart(len(ranked), SHOWN)]

    def notes(self) -> Iterator[str]:
        """What a reader has to know to read the tables."""
        yield (
            f"Ours was measured on {self.data}, against {self.truth}; the paper's on other and "
            f"many more lesions. {self.tags.get('protocol', '')}".strip()
        )
        missed = sum(not row["found"] for row in self.rows)
        if missed:
            yield (
                f"Stage 1 found nothing at {missed} of {len(self.rows)} clicks: there stage 2 "
                "saw a crop around the click."
            )
        if self.aside:
            yield f"{len(self.aside)} lesions could not be measured; lesions.csv says why."
        yield from diameter_notes(self.rows)


def _values(rows: Sequence[Row]) -> dict[str, tuple[float, float | None]]:
    return values_of(summary([{name: row[name] for name in COLUMNS} for row in rows]))


def print_evaluation(view: Evaluation, console: Console) -> None:
    """Print the tables and their notes."""
    name, wide = plain(view.name), console.width >= WIDE
    title = f"{PAPER_NAMES[view.paper]}, Table 1: {name}"
    console.print(lines_table(title, view.lines(), HEADINGS, wide))
    console.print(lines_table("By category, Table 2", view.category_lines(), HEADINGS, wide))
    console.print(text_table("Diameters side by side (mm)", *diameter_cells(view.rows)))
    console.print(text_table("Their differences (mm)", *difference_cells(view.rows)))
    for note in view.notes():
        console.print(f"[yellow]Note:[/] {plain(note)}")


def write_lesions(view: Evaluation, path: Path) -> None:
    """Write every lesion's row as CSV; what is absent is empty."""
    rows = sorted([*view.rows, *view.aside], key=lambda row: (row["set"], row["index"]))
    dropped = ("mask", "index", "set")
    names = dict.fromkeys(name for row in rows for name in row if name not in dropped)
    cells = ([view.sets[row["set"]], *(_cell(row.get(name)) for name in names)] for row in rows)
    write_csv(path, ["data", *names], cells)


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, list):  # endpoints
        return " ".join(f"{number:.3f}" for point in value for number in point)
    return value


def write_evaluation(view: Evaluation, pictures: Sequence[tuple[Row, bytes]], path: Path) -> None:
    """Write the page, whole or not at all; InputError where it cannot be written.

    Args:
        view: what was measured.
        pictures: PNG bytes of the lesions of `view.shown()`.
        path: the file.
    """
    write_page(path, render_evaluation(view, pictures))


def render_evaluation(view: Evaluation, pictures: Sequence[tuple[Row, bytes]]) -> str:
    """The page's HTML."""
    return fill(
        "evaluation.html.j2",
        view=view,
        title=PAPER_NAMES[view.paper],
        columns=HEADINGS,
        lines=view.lines(),
        category_lines=view.category_lines(),
        diameters=diameter_cells(view.rows),
        differences=difference_cells(view.rows),
        notes=list(view.notes()),
        shown=[(row, data_uri(png)) for row, png in pictures],
        aside=view.aside[:LISTED],
        provenance=[*sorted(view.tags.items()), ("page written with", ", ".join(versions()))],
    )
