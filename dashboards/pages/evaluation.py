"""A trained model on test lesions beside the paper's results, and its diameters compared."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from dashboards.pages.report import data_uri, fill, versions, with_svg, write_page
from dashboards.pages.view import evenly_apart
from dashboards.plots.drawing import Plot
from dashboards.plots.histograms import cumulative_histogram
from dashboards.tables.comparison import (
    Line,
    columns_shown,
    in_words,
    line_notes,
    metrics_of,
    paper_lines,
    values_of,
)
from dashboards.tables.diameters import (
    diameter_cells,
    diameter_metrics,
    diameter_notes,
    difference_cells,
)
from dashboards.tables.leaks import leak_metrics, leak_notes
from dashboards.tables.metrics import METRICS, MISSED, metric_of, part_words
from dashboards.tables.papers import PaperRow, rows_by_type, shown_rows, title_of
from dashboards.tables.readers import AgainstReaders, print_readers, readers_page
from dashboards.tables.sizes import BY_SIZE, size_cells, size_metrics
from dashboards.tables.terminal import WIDE, lines_table, plain, print_notes, text_table
from lesions.metrics import summary
from lesions.metrics.merit import DICE, Merit
from lesions.metrics.side_by_side import HEATMAPS, PREDICTED, ways_of
from lesions.metrics.summary import Mean

Row = Mapping[str, Any]
SHOWN = 4  # lesions with pictures
LISTED = 200  # lesions without a result that the page names


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Every lesion's results, and what the tables, the page and MLflow make of them.

    Attributes:
        name: the run's.
        paper: its system's paper; "" or one that is not kept has no rows beside ours.
        method: what answered, in the paper's words.
        reported: the metrics of its rows.
        merit: the one that ranks lesions.
        alone: the part that was measured by itself too, its name before each of its metrics in
            the rows: "stage2_dice"; "" where none was.
        told: what that part alone is told beyond what all together are: "the size".
        sets: the data sets' short names; a row's `set` is an index of them.
        data: what was measured, in words.
        truth: by what it was judged.
        rows: one a lesion that was measured: its names, `reported`, and what there is of `found`,
            the diameters of `lesions.metrics.side_by_side`, `mask` and `endpoints`.
        aside: one a lesion that could not be, with its `reason`.
        against: readers and ours against each reader, where the sets have any.
        tags: of the MLflow run, for the page's provenance.
    """

    name: str
    paper: str
    method: str
    reported: Sequence[str]
    sets: Sequence[str]
    data: str
    truth: str
    rows: Sequence[Row]
    aside: Sequence[Row]
    merit: Merit = DICE
    alone: str = ""
    told: str = ""
    against: AgainstReaders | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The system's, as its paper calls it."""
        return title_of(self.paper) or self.method

    def lines(self) -> list[Line]:
        """Ours on everything, and on each of several sets; a part alone; the paper's Table 1."""
        lines = [self._line(f"{self.method}, ours", self._whole, self.rows)]
        if len(self.sets) > 1:
            lines += [
                self._line(f"{self.method}, ours", name, self.rows_of_set(number))
                for number, name in enumerate(self.sets)
            ]
        if self.alone:
            lines.append(self._alone(self._whole))
        return [*lines, *paper_lines(shown_rows(self.paper))]

    def category_lines(self) -> list[Line]:
        """Ours on each lesion type, the most frequent first; the paper's table by type."""
        lines = [
            self._line(f"{self.method}, ours", kind.replace("_", " "), rows)
            for kind, rows in self.categories().items()
        ]
        return [*lines, *paper_lines(self.category_rows())]

    def category_rows(self) -> list[PaperRow]:
        """The paper's, by lesion type."""
        return rows_by_type(self.paper, [self.merit.name, *self.reported])

    def columns(self, lines: Sequence[Line]) -> dict[str, str]:
        """Heading by metric; last, how many were not found, where that can be."""
        found = columns_shown(lines, self.merit.name)
        found.pop(MISSED, None)
        return found | ({MISSED: METRICS[MISSED].heading} if self.finds else {})

    @property
    def _whole(self) -> str:
        return self.sets[0] if len(self.sets) == 1 else f"{len(self.sets)} sets together"

    @property
    def finds(self) -> bool:
        """Whether its rows say that a lesion was found."""
        return bool(self.rows) and all("found" in row for row in self.rows)

    @property
    def diameters(self) -> bool:
        """Whether its rows have diameters that were predicted, in one way or several."""
        return bool(self.rows) and not {HEATMAPS, PREDICTED}.isdisjoint(ways_of(self.rows))

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
        values = self._values(rows)
        if self.finds:
            values[MISSED] = Mean(float(sum(not row["found"] for row in rows)))
        return Line(
            source="ours", method=method, measured_on=where, lesions=len(rows), values=values,
            patients=_patients(rows),
        )  # fmt: skip

    def _alone(self, where: str) -> Line:
        return Line(
            source="ours",
            method=f"{self.method}, ours, {part_words(self.alone)} alone",
            measured_on=f"{where}; told {self.told}" if self.told else where,
            lesions=len(self.rows),
            values=self._values(self.rows, f"{self.alone}_"),
            patients=_patients(self.rows),
        )

    def _values(self, rows: Sequence[Row], before: str = "") -> dict[str, Mean]:
        """The means of what was measured of `reported`, under `before` + its name."""
        measured = [
            {name: row[before + name] for name in self.reported if before + name in row}
            for row in rows
        ]
        return values_of(summary(measured, [row["patient"] for row in rows]))

    def metrics(self) -> dict[str, float]:
        """For MLflow: each metric, also by lesion type, and the diameters' differences."""
        found = {"test_n": float(len(self.rows)), "test_patients": float(_patients(self.rows)),
                 "failed": float(len(self.aside))}  # fmt: skip
        found |= leak_metrics(self.rows)
        found |= metrics_of(self._line("", "", self.rows).values)
        if self.alone:
            alone = metrics_of(self._alone("").values)
            found |= {f"{self.alone}_{name}": value for name, value in alone.items()}
        for kind, rows in self.categories().items():
            named = metrics_of(self._line("", "", rows).values)
            named |= {"n": float(len(rows)), "patients": float(_patients(rows))}
            found |= {f"{name}_{kind}": value for name, value in named.items()}
        found |= size_metrics(self.rows, self.reported)
        if self.diameters:
            found |= diameter_metrics(self.rows)
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def shown(self) -> list[Row]:
        """A few lesions, evenly apart from the best to the worst by the figure of merit."""
        name, rank = self.merit.name, self.merit.rank
        ranked = sorted(self.rows, key=lambda row: (rank(row.get(name)), row["file"], row["row"]))
        return [ranked[place] for place in evenly_apart(len(ranked), SHOWN)]

    def histogram(self) -> Plot | None:
        """The share of lesions that reach a figure of merit, also of each of several sets."""
        name = self.merit.name
        if not metric_of(name).fraction or self.merit.better == "lower":
            return None
        groups = {"all" if len(self.sets) > 1 else self.method: self.rows}
        if len(self.sets) > 1:
            groups |= {f"{n}. {of}": self.rows_of_set(n - 1) for n, of in enumerate(self.sets, 1)}
        lines = {of: [[row.get(name, math.nan) for row in rows]] for of, rows in groups.items()}
        return cumulative_histogram(name, self._whole, lines)

    def worst(self) -> Row | None:
        """The lesion that is worst by the figure of merit; None where none has it."""
        name = self.merit.name
        known = [row for row in self.rows if math.isfinite(self.merit.rank(row.get(name)))]
        return max(known, key=lambda row: self.merit.rank(row[name]), default=None)

    def notes(self) -> Iterator[str]:
        """What a reader has to know to read the tables."""
        theirs = "; the paper's on other and many more lesions" if shown_rows(self.paper) else ""
        yield (
            f"Ours was measured on {self.data}, against {self.truth}{theirs}. "
            f"{self.tags.get('protocol', '')}".strip()
        )
        yield from leak_notes(self.rows)
        missed = sum(not row["found"] for row in self.rows) if self.finds else 0
        if missed:
            total = len(self.rows)
            yield f"{missed} of {total} lesions were not found; their answers count all the same."
        if doubtful := sum(bool(row.get("doubt")) for row in self.rows):
            yield f"{doubtful} of {len(self.rows)} answers are doubtful; lesions.csv says why."
        if (worst := self.worst()) is not None:
            name = self.merit.name
            place = f"{worst['file']}, row {worst['row']}"
            yield f"The worst: {in_words(name, worst[name])}, {self.sets[worst['set']]}: {place}."
        if self.aside:
            yield f"{len(self.aside)} lesions could not be measured; lesions.csv says why."
        if self.diameters:
            yield from diameter_notes(self.rows)


def _patients(rows: Sequence[Row]) -> int:
    return len({row["patient"] for row in rows})


def print_evaluation(view: Evaluation, console: Console) -> None:
    """Print the tables and their notes."""
    wide = console.width >= WIDE
    theirs, by_type = _table(shown_rows(view.paper)), _table(view.category_rows())
    whole, kinds = view.lines(), view.category_lines()
    for title, lines in (
        (f"{view.title}{theirs and f', {theirs}'}: {view.name}", whole),
        (f"By category{by_type and f', {by_type}'}", kinds),
    ):
        console.print(lines_table(plain(title), lines, view.columns(lines), wide))
    console.print(text_table(BY_SIZE, *size_cells(view.rows, view.reported)))
    if view.diameters:
        console.print(text_table("Diameters side by side (mm)", *diameter_cells(view.rows)))
        console.print(text_table("Their differences (mm)", *difference_cells(view.rows)))
    if view.against is not None:
        print_readers(view.against, console)
    print_notes([*view.notes(), *line_notes([*whole, *kinds])], console)


def _table(rows: Sequence[PaperRow]) -> str:
    return f"Table {rows[0].table}" if rows else ""


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
    lines, category_lines, name = view.lines(), view.category_lines(), view.merit.name
    return fill(
        "evaluation.html.j2",
        view=view,
        table=_table(shown_rows(view.paper)),
        columns=view.columns(lines),
        lines=lines,
        category_table=_table(view.category_rows()),
        category_columns=view.columns(category_lines),
        category_lines=category_lines,
        sizes=size_cells(view.rows, view.reported),
        diameters=diameter_cells(view.rows) if view.diameters else None,
        differences=difference_cells(view.rows) if view.diameters else None,
        **readers_page(view.against),
        notes=list(view.notes()),
        plots=with_svg(filter(None, [view.histogram()])),
        merit=metric_of(name),
        shown=[(row, in_words(name, row.get(name)), data_uri(png)) for row, png in pictures],
        aside=view.aside[:LISTED],
        provenance=[*sorted(view.tags.items()), ("page written with", ", ".join(versions()))],
    )
