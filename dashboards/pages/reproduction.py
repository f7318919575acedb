"""A paper's table with our rows beside its own: in the terminal, and as one HTML page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from dashboards.pages.report import fill, versions, with_svg, write_page
from dashboards.plots.drawing import Plot
from dashboards.plots.histograms import Point, cumulative_histogram
from dashboards.tables.comparison import Line, line_notes, paper_lines
from dashboards.tables.differences import Difference, difference_notes, difference_table, pairs_of
from dashboards.tables.metrics import metric_of
from dashboards.tables.papers import WHOLE, PaperRow, title_of
from dashboards.tables.readers import AgainstReaders, print_readers, readers_page
from dashboards.tables.results import Result
from dashboards.tables.shares import Share, groups_of, share_cells, share_notes
from dashboards.tables.terminal import WIDE, lines_table, plain, print_notes, text_table
from lesions.metrics.merit import DICE, Merit


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
        seeds: with which ours was trained.
        differences: of our rows from each other.
        shares: of the lesions of each row, ours and the paper's.
        against: readers and rows of ours against each reader, where there are any.
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
    seeds: Sequence[int] = (0,)
    differences: Sequence[Difference] = ()
    shares: Sequence[Share] = ()
    against: AgainstReaders | None = None
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
                measured_on=result.measured_on,
                lesions=result.lesions,
                values=result.values,
                patients=result.patients,
            )
            for result in self.results
        ]
        published = [row for row in self._published if not self.against or row.subgroup in WHOLE]
        return [*ours, *self._reader_lines(), *paper_lines(published)]

    def _reader_lines(self) -> list[Line]:
        """Our readers', each against all others."""
        if self.against is None:
            return []
        where = self.results[0].measured_on
        return [self.against.line(name, where) for name in self.against.readers]

    @property
    def _published(self) -> list[PaperRow]:
        """The paper's rows that have figures."""
        return [row for row in self.rows if row.metrics]

    @property
    def caption(self) -> str:
        """What stands in a cell."""
        each = ", each with every seed" if len(self.seeds) > 1 else ""
        return f"Mean ± standard deviation over lesions{each}."

    def notes(self) -> Iterator[str]:
        """What a reader has to know to read the table."""
        theirs = (
            "; the paper's on other and many more lesions: compare the order of the rows, not "
            "their numbers"
        )
        yield f"Ours was measured on {self.data}{theirs if self._published else ''}."
        yield from self.remarks
        yield from self._leaks()
        yield from self._orders()

    def _leaks(self) -> Iterator[str]:
        """What was trained on of each row's lesions; rows of which the same is said together."""
        said: dict[str, list[str]] = {}
        for result in self.results:
            for note in result.leaks:
                said.setdefault(note, []).append(result.method)
        for note, methods in said.items():
            every = len(methods) == len(self.results)
            yield note if every else f"{', '.join(dict.fromkeys(methods))}: {note}"

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


def print_reproduction(view: Reproduction, console: Console) -> None:
    """Print the table, how our rows differ, and the notes of both."""
    title, wide = f"{plain(view.title)}: {plain(view.name)}", console.width >= WIDE
    lines = view.lines()
    console.print(lines_table(title, lines, view.headings, wide))
    print_notes([view.caption, *line_notes(lines), *view.notes()], console)
    if view.shares:
        console.print(text_table("Of the lesions", *share_cells(view.shares), words=2))
        print_notes(share_notes(view.shares, view.results), console)
    if view.against is not None:
        print_readers(view.against, console)
    if view.differences:
        console.print(difference_table(view.differences, wide))
        print_notes(difference_notes(view.differences, view.seeds), console)


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
        shares=groups_of(view.shares),
        share_headings={one.metric: metric_of(one.metric).heading for one in view.shares},
        share_notes=list(share_notes(view.shares, view.results)),
        plots=with_svg(histograms(view)),
        pairs=pairs_of(view.differences),
        **readers_page(view.against, view.rows),
        difference_notes=list(difference_notes(view.differences, view.seeds)),
        provenance=[*sorted(view.tags.items()), ("page written with", ", ".join(versions()))],
    )


def histograms(view: Reproduction) -> Iterator[Plot]:
    """The cumulative histogram of each metric that shares are told of, one a data set of ours."""
    for metric in dict.fromkeys(one.told.metric for one in view.shares):
        for where in dict.fromkeys(result.measured_on for result in view.results):
            lines = {
                result.method: [
                    list(one.values()) for one in result.single.get(metric, {}).values()
                ]
                for result in view.results
                if result.measured_on == where
            }
            plot = cumulative_histogram(metric, where, lines, _points(view.shares, metric, where))
            if plot is not None:
                yield plot


def _points(shares: Sequence[Share], metric: str, where: str) -> list[Point]:
    """The paper's, on the data set that stands beside this one of ours."""
    places = {one.place for one in shares if one.measured_on == where}
    told = [
        (one, one.paper)
        for one in shares
        if one.told.metric == metric and one.place in places and one.paper is not None
    ]
    return [
        Point(method=one.method, value=float(one.told.level), share=paper)
        if one.told.sign
        else Point(method=one.method, value=paper, share=1.0)
        for one, paper in told
    ]


def _ranked(values: Mapping[str, float], merit: Merit) -> str:
    """The methods, the best first, with the sign that stands between their values."""
    sign = " > " if merit.better == "higher" else " < "
    return sign.join(sorted(values, key=lambda name: merit.rank(values[name])))
