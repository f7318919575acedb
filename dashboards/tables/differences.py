"""What each row of ours has more than the row above it and than the first, paired by lesion."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from rich import box
from rich.table import Table

from dashboards.tables.comparison import MISSING
from dashboards.tables.metrics import metric_of
from dashboards.tables.results import Result
from dashboards.tables.terminal import PADDING, plain
from lesions.metrics.paired import DRAWS, LEVEL, Paired, paired

SEEDS, PATIENTS = 3, 8  # fewer make no finding
STYLES = {"better": "bold green", "worse": "bold red", "": "dim"}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One metric of a row of ours less that of another row.

    Attributes:
        method, against: the rows', as the paper calls them.
        measured_on: the lesions of both, in words.
        metric: the paper's.
        found: the difference.
    """

    method: str
    against: str
    measured_on: str
    metric: str
    found: Paired

    @property
    def told(self) -> str:
        """ "better" or "worse" where the interval excludes zero, else ""."""
        if not self.found.sign:
            return ""
        better = 1 if metric_of(self.metric).better == "higher" else -1
        return "better" if self.found.sign == better else "worse"

    @property
    def verdict(self) -> str:
        """In words, with a sign."""
        if not self.told:
            return "not told apart"
        sign = "▲" if self.told == "better" else "▼"
        return f"{sign} {self.told}" + ("" if self.found.agreed else ", not with every seed")

    @property
    def cells(self) -> tuple[str, str, str]:
        """The difference, its interval, and each seed's, as text."""
        low_high = map(self._signed, self.found.interval or ())
        each = " ".join(map(self._signed, self.found.by_seed))
        return self._signed(self.found.difference), " … ".join(low_high) or MISSING, each

    def _signed(self, value: float) -> str:
        if math.isnan(value):
            return MISSING
        return f"{value:+.{metric_of(self.metric).digits}f}".replace("-", "−")


def differences(results: Sequence[Result], columns: Iterable[str]) -> list[Difference]:
    """Of every row but the first less the row above it, then less the first, each metric.

    Rows compare that were measured on the same data and the same lesion type.
    """
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.measured_on, []).append(result)
    pairs = [
        (row, other)
        for rows in groups.values()
        for above, row in pairwise(rows)
        for other in ((above,) if above is rows[0] else (above, rows[0]))
    ]
    return [
        Difference(
            method=row.method,
            against=other.method,
            measured_on=row.measured_on,
            metric=metric,
            found=paired(row.single[metric], other.single[metric]),
        )
        for row, other in pairs
        for metric in columns
        if metric in row.values and metric in other.values
        and metric in row.single and metric in other.single
    ]  # fmt: skip


def pairs_of(found: Sequence[Difference]) -> list[tuple[tuple[str, str, str], list[Difference]]]:
    """(method, against, measured on) of each pair of rows, and the differences of its metrics."""
    grouped = groupby(found, lambda one: (one.method, one.against, one.measured_on))
    return [(pair, list(together)) for pair, together in grouped]


def difference_table(found: Sequence[Difference], wide: bool) -> Table:
    """A line a metric, those of one pair of rows together; in fewer columns if not wide."""
    table = Table(title="Differences", box=box.SIMPLE_HEAD, title_justify="left", padding=PADDING)
    several = len({one.measured_on for one in found}) > 1
    # Rich cuts long words where it chooses: on a narrow terminal each column fits its longest.
    names = [name for one in found for name in (one.method, one.against)]
    metrics = [metric_of(one.metric).heading for one in found]
    for heading in ("Method", "less") if wide else ("Method\nless",):
        table.add_column(heading, width=None if wide else _longest([heading, *names]))
    table.add_column("Metric", width=None if wide else _longest(["Metric", *metrics]))
    for at, heading in enumerate(("Difference", f"{LEVEL:.0%} interval", "Each seed")):
        narrow = _longest([heading, *(one.cells[at] for one in found)])
        table.add_column(heading, justify="right", width=None if wide else narrow)
    table.add_column("")
    for pair, together in pairs_of(found):
        method, against, measured_on = map(plain, pair)
        both = [f"{method} [dim]({measured_on})[/]" if several else method, against]
        for one in together:
            table.add_row(
                *(both if wide else ["\n".join(filter(None, both))]),
                plain(metric_of(one.metric).heading),
                *one.cells,
                f"[{STYLES[one.told]}]{one.verdict}[/]",
                end_section=one is together[-1],
            )
            both = ["", ""]
    return table


def difference_notes(found: Sequence[Difference], seeds: Sequence[int]) -> Iterator[str]:
    """What a reader has to know to read the differences."""
    if not found:
        return
    least = min(one.found.patients for one in found)
    most = max(one.found.patients for one in found)
    yield (
        f"A difference is the mean over lesions of each one's mean over {seeds_in_words(seeds)}. "
        f"Its interval is over patients ({DRAWS:,} draws, each patient with all its lesions; "
        f"percentiles): {least if least == most else f'{least} to {most}'} of them. How much "
        "another training would change it, each seed's difference shows."
    )
    if len(seeds) < SEEDS or least < PATIENTS:
        yield (
            f"This is not a finding: it takes {SEEDS} seeds and {PATIENTS} patients at least, and "
            f"here are {len(seeds)} and {least}."
        )
    told = sum(bool(one.told) for one in found)
    yield (
        f"{told} of {len(found)} intervals exclude zero; where nothing differs, one in "
        f"{1 / (1 - LEVEL):.0f} does by chance."
    )
    for one in found:
        if one.found.left_out:
            yield (
                f"{one.method} less {one.against}, {metric_of(one.metric).words}, on "
                f"{one.measured_on}: {one.found.left_out} lesions that one of the two lacks are "
                f"left out, {one.found.lesions} are compared."
            )


def seeds_in_words(seeds: Sequence[int]) -> str:
    """ "one seed (0)", "the seeds 0, 1 and 2"."""
    if len(seeds) == 1:
        return f"one seed ({seeds[0]})"
    return f"the seeds {', '.join(map(str, seeds[:-1]))} and {seeds[-1]}"


def _longest(texts: Iterable[str]) -> int:
    return max(len(word) for text in texts for word in text.split())
