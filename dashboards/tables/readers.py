"""Readers and methods against each reader (STN + SHN, Table 1): how far apart, how well agreed."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from statistics import mean, median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from dashboards.recorded.numbers import number_of
from dashboards.tables.comparison import MISSING, Line, paper_lines, values_of, with_interval
from dashboards.tables.metrics import metric_of
from dashboards.tables.papers import WHOLE, PaperRow
from dashboards.tables.terminal import print_notes, text_table
from lesions.metrics import summary
from lesions.metrics.merit import DIAMETERS, ENDPOINTS
from lesions.metrics.paired import Which
from lesions.metrics.readers import (
    AXES,
    LIMITS,
    LOCATIONS_MM,
    Agreement,
    Limits,
    Readings,
    agreement,
    errors,
    errors_over,
    lengths_mm,
    limits,
)
from lesions.metrics.summary import Mean

Cells = tuple[list[str], list[list[str]]]
Errors = list[tuple[Which, dict[str, float]]]
METRICS = (*ENDPOINTS, *LOCATIONS_MM, *DIAMETERS)
OVERALL = "overall"
TERMINALS = ENDPOINTS[:2]  # the metrics that a terminal shows against each reader
ASKEW = 45  # degrees: beyond, one's long axis is rather the other's short one


@dataclass(frozen=True, kw_only=True)
class AgainstReaders:
    """Who is compared with whom.

    Attributes:
        readers: people's readings of the lesions; the marks of the data set first.
        methods: ours, by name; of each seed.
    """

    readers: Mapping[str, Readings]
    methods: Mapping[str, Sequence[Readings]] = field(default_factory=dict)

    @property
    def everybody(self) -> dict[str, Sequence[Readings]]:
        """Readers, then methods; readers have one reading of a lesion each."""
        return {**{name: [own] for name, own in self.readers.items()}, **self.methods}

    @cached_property
    def pairs(self) -> dict[tuple[str, str], Errors]:
        """The errors of each one against each reader, and overall.

        Overall is, of each lesion, the mean over those who read it, so that lesions that many
        have read count no more.
        """
        found: dict[tuple[str, str], Errors] = {}
        for name, own in self.everybody.items():
            others = {who: of for who, of in self.readers.items() if who != name}
            for who, theirs in others.items():
                found[name, who] = [one for each in own for one in errors(each, theirs).items()]
            found[name, OVERALL] = [
                one for each in own
                for one in errors_over(each, others.values()).items()
            ]  # fmt: skip
        return found

    @cached_property
    def means(self) -> dict[tuple[str, str], dict[str, Mean]]:
        """The mean of every metric, of each pair that has lesions in common."""
        return {
            pair: values_of(summary([one for _, one in some], [which.patient for which, _ in some]))
            for pair, some in self.pairs.items() if some
        }  # fmt: skip

    def label(self, name: str) -> str:
        """How one is called in tables: "reader 1"; the marks and methods as they are."""
        people = list(self.readers)[1:]
        return f"reader {name}" if name in people else name

    def line(self, name: str, where: str) -> Line:
        """A reader's errors overall, as a line of a table."""
        which = {which for which, _ in self.pairs[name, OVERALL]}
        return Line(
            source="ours",
            method=f"{self.label(name)}, ours",
            measured_on=where,
            lesions=len(which),
            values=self.means.get((name, OVERALL), {}),
            patients=len({one.patient for one in which}),
        )

    def agreed(self, name: str, who: str, axis: str) -> list[Agreement]:
        """ICC of two on an axis, with each seed; none without two lesions in common."""
        pairs = ({name: own, who: self.readers[who]} for own in self.everybody[name])
        return _agreements([lengths_mm(pair, axis) for pair in pairs])

    def limits(self, name: str, who: str) -> list[Limits]:
        """Of each axis, over the readings with every seed."""
        first, second = {}, {}
        for seed, own in enumerate(self.everybody[name]):
            for which in own.keys() & self.readers[who].keys():
                each = which._replace(row=f"{which.row} {seed}")
                first[each], second[each] = own[which], self.readers[who][which]
        return limits(first, second)

    def together(self, axis: str) -> list[Agreement]:
        """ICC of all readers; none without two lesions that all have read."""
        return _agreements([lengths_mm(self.readers, axis)])


def _agreements(lengths: Iterable[NDArray[np.float64]]) -> list[Agreement]:
    found = []
    for one in lengths:
        with suppress(ValueError):  # fewer than two lesions, or readers
            found.append(agreement(one))
    return found


def readers_tables(
    view: AgainstReaders, published: Sequence[PaperRow] = (), metrics: Sequence[str] = METRICS
) -> Iterator[tuple[str, Cells]]:
    """Captions and tables: each metric against each reader, ours and the paper's; agreement.

    Args:
        view: ours.
        published: the paper's rows, a subgroup each reader.
        metrics: those that are shown.
    """
    for metric in metrics:
        heading = metric_of(metric).heading
        yield f"{heading}: mean ± deviation (95 % over patients)", against_cells(view, metric)
        if any(metric in row.metrics for row in published):
            yield f"{heading}, from the paper", paper_cells(published, metric)
    yield "Agreement of lengths, and median locations", agreement_cells(view)


def readers_page(
    view: AgainstReaders | None, published: Sequence[PaperRow] = ()
) -> dict[str, list[Any]]:
    """What `readers.html.j2` takes; nothing in it without readers."""
    if view is None:
        return {"readers": [], "readers_notes": []}
    return {
        "readers": list(readers_tables(view, published)),
        "readers_notes": list(readers_notes(view)),
    }


def print_readers(view: AgainstReaders, console: Console) -> None:
    """Print the long axis against each reader, and the notes; the rest is on the page."""
    for caption, cells in islice(readers_tables(view, metrics=TERMINALS), len(TERMINALS)):
        console.print(text_table(caption, *cells))
    print_notes(readers_notes(view), console)


def paper_cells(rows: Sequence[PaperRow], metric: str) -> Cells:
    """A row each method of the paper's, a column each subgroup of its table."""
    subgroups = sorted({row.subgroup for row in rows}, key=lambda name: (name in WHOLE, name))
    lines = {
        method: {one.subgroup: line for one, line in zip(some, paper_lines(some), strict=True)}
        for method in dict.fromkeys(row.method for row in rows)
        for some in [[row for row in rows if row.method == method]]
    }
    return ["", *(name.replace("_", " ") for name in subgroups)], [
        [method, *(mine[one].cell(metric) if one in mine else MISSING for one in subgroups)]
        for method, mine in lines.items()
    ]


def against_cells(view: AgainstReaders, metric: str) -> Cells:
    """A row each one, a column each reader and overall: "5.1 ± 2.0", below its interval."""
    columns = [*view.readers, OVERALL]
    rows = [
        [view.label(name), *(_cell(view, name, who, metric) for who in columns)]
        for name in view.everybody
    ]
    return ["", *(f"vs {view.label(who)}" if who != OVERALL else who for who in columns)], rows


def _cell(view: AgainstReaders, name: str, who: str, metric: str) -> str:
    found = view.means.get((name, who), {}).get(metric)
    if found is None:
        return MISSING
    ends = f"\n{found.interval[0]:.2f} to {found.interval[1]:.2f}" if found.interval else ""
    return f"{found.mean:.2f} ± {found.std or 0:.2f}{ends}"


def agreement_cells(view: AgainstReaders) -> Cells:
    """A row each pair and axis: Bland and Altman's bias and limits, ICC, and swapped axes."""
    heading = ["", "against", "axis", "n", "bias (mm)", "limits (mm)", "ICC",
               "median location (mm)", f"axes over {ASKEW}° apart"]  # fmt: skip
    rows = []
    done = set()
    for (name, who), some in view.pairs.items():
        if who == OVERALL or not some or (who, name) in done:
            continue
        done.add((name, who))
        askew = mean(one["turned"] > ASKEW for _, one in some)
        for one, place in zip(view.limits(name, who), LOCATIONS_MM, strict=True):
            rows.append([
                view.label(name), view.label(who), one.axis, str(one.n), f"{one.bias_mm:+.1f}",
                " … ".join(f"{end:+.1f}" for end in one.limits_mm),
                _icc(view.agreed(name, who, one.axis)),
                f"{median(errors[place] for _, errors in some):.1f}",
                f"{askew:.0%}" if one.axis == AXES[0] else "",
            ])  # fmt: skip
    return heading, rows


def _icc(found: Sequence[Agreement]) -> str:
    """ "0.92 (0.85 to 0.96)" of one reading of a lesion; of several seeds each one's."""
    known = [one for one in found if not math.isnan(one.value)]
    if not known:
        return MISSING
    if len(found) > 1:
        return " ".join(f"{one.value:.2f}" for one in known)
    return with_interval(known[0].value, known[0].interval, 2)


def readers_notes(view: AgainstReaders) -> Iterator[str]:
    """What a reader of these tables has to know."""
    yield (
        f"The {next(iter(view.readers))} are the data set's own. A location is the "
        "mean distance of an axis' two ends, whichever way they are named. Overall is each "
        "lesion's mean over those who read it; ± is the deviation over lesions."
    )
    yield (
        f"Limits of agreement are the bias ± {LIMITS} deviations. ICC is ICC(2,1), absolute "
        "agreement of a single reading, its interval over lesions, as if no two were of one "
        "patient; of a method each seed's."
    )
    for axis in AXES:
        for one in view.together(axis):
            yield (
                f"All {one.readers} readers on the {axis} axis: ICC {one.value:.3f} "
                f"({one.interval[0]:.3f} to {one.interval[1]:.3f}), {one.lesions} lesions."
            )


def readers_records(view: AgainstReaders) -> tuple[list[str], list[list[object]]]:
    """Every mean as a row of a CSV table, in units as the metrics' own."""
    heading = ["who", "against", "metric", "unit", "n", "mean", "std", "low", "high"]
    rows: list[list[object]] = []
    for (name, who), means in view.means.items():
        for metric in METRICS:
            if metric in means and number_of(means[metric].mean) is not None:
                found = means[metric]
                low, high = found.interval or ("", "")
                rows.append([name, who, metric, metric_of(metric).unit, len(view.pairs[name, who]),
                             found.mean, found.std, low, high])  # fmt: skip
    return heading, rows
