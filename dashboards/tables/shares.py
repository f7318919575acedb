"""Of the lesions: the worst of a row and shares of its lesions, ours beside the paper's."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from dashboards.tables.comparison import MISSING
from dashboards.tables.metrics import metric_of
from dashboards.tables.papers import WHOLE, PaperRow
from dashboards.tables.results import Result
from lesions.metrics.paired import DRAWS, LEVEL, Measured, interval
from lesions.metrics.shares import OfLesions

Cells = tuple[list[str], list[list[str]]]


@dataclass(frozen=True, kw_only=True)
class Share:
    """One number of the lesions of a row.

    Attributes:
        method, measured_on: the row's.
        place: the paper's data set and subgroup that it stands beside; "" of all.
        metric: as `tables.csv` names it: "fraction_dice_ge_0.80"; `told` is what that says.
        by_seed: ours with each seed; none where the paper alone has the row.
        interval: (low, high) of a share, 95 % over patients; None of the worst, with fewer than two
            patients, and where all of them are alike.
        paper: the paper's; None where it does not tell it.
    """

    method: str
    measured_on: str
    place: tuple[str, str]
    metric: str
    told: OfLesions
    by_seed: Sequence[float] = ()
    interval: tuple[float, float] | None = None
    paper: float | None = None

    @property
    def value(self) -> float | None:
        """Ours: the mean over the seeds."""
        return float(np.mean(self.by_seed)) if self.by_seed else None

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """Ours, its interval, each seed's and the paper's, as text."""
        return (
            self._text(self.value),
            " … ".join(map(self._text, self.interval or ())) or MISSING,
            " ".join(map(self._text, self.by_seed)) or MISSING,
            self._text(self.paper),
        )

    def _text(self, value: float | None) -> str:
        return MISSING if value is None else f"{value:.{metric_of(self.metric).digits}f}"


def shares(ours: Iterable[tuple[PaperRow, Result]], paper: Iterable[PaperRow]) -> list[Share]:
    """Of each row of ours, with the paper's own; then what only the paper tells of them.

    Args:
        ours: the results, each with the row of the paper that it stands beside.
        paper: all of its rows, from text and figures too.
    """
    pairs = list(ours)
    every = {name: told for _, result in pairs for name, told in result.of_lesions.items()}
    theirs = {
        (row.method, *_place(row), name): (row, row.metrics[name][0])
        for row in paper for name in every if name in row.metrics
    }  # fmt: skip
    found = []
    for row, result in pairs:
        for name, told in result.of_lesions.items():
            _, value = theirs.pop((row.method, *_place(row), name), (None, None))
            by_seed = list(result.shares.get(name, {}).values())
            if by_seed or value is not None:
                found.append(
                    Share(
                        method=result.method, measured_on=result.measured_on, place=_place(row),
                        metric=name, told=told, by_seed=by_seed, paper=value,
                        interval=_interval(told, result.single.get(told.metric, {})),
                    )
                )  # fmt: skip
    return found + [
        Share(method=row.method, measured_on=row.measured_on, place=_place(row), metric=name,
              told=every[name], paper=value)
        for (*_, name), (row, value) in theirs.items()
    ]  # fmt: skip


def _place(row: PaperRow) -> tuple[str, str]:
    return row.dataset, "" if row.subgroup in WHOLE else row.subgroup


def _interval(told: OfLesions, measured: Measured) -> tuple[float, float] | None:
    """Of a share, over patients; a lesion counts by how many of its seeds reach the level."""
    if not told.sign:
        return None
    values: dict[tuple[str, ...], list[float]] = {}
    for lesions in measured.values():
        for which, value in lesions.items():
            if not math.isnan(value):
                values.setdefault(which, []).append(value)
    reached = np.array([told.reached(np.array(one)).mean() for one in values.values()])
    found = interval(reached, [patient for patient, *_ in values]) if values else None
    # Patients that are all alike draw the same share each time: that is no certainty.
    return None if found is None or math.isclose(*found) else found


def groups_of(found: Sequence[Share]) -> list[tuple[tuple[str, str], list[Share]]]:
    """(method, measured on) of each row, and what is told of its lesions."""
    grouped = groupby(found, lambda one: (one.method, one.measured_on))
    return [(row, list(together)) for row, together in grouped]


def share_cells(found: Sequence[Share]) -> Cells:
    """Heading and rows of a table of text, those of one row of ours together."""
    several = len({one.measured_on for one in found if one.by_seed}) > 1
    rows = []
    for (method, measured_on), together in groups_of(found):
        alone = not together[0].by_seed
        name = f"{method} ({measured_on})" if several or alone else method
        for one in together:
            rows.append([name, metric_of(one.metric).heading, *one.cells])
            name = ""
    return ["Method", "Of lesions", "Ours", f"{LEVEL:.0%} interval", "Each seed", "Paper"], rows


def share_notes(found: Sequence[Share], results: Sequence[Result]) -> Iterator[str]:
    """What a reader has to know to read them."""
    if not found:
        return
    seeds = (
        "Ours is the mean over seeds of each seed's value. "
        if any(len(one.by_seed) > 1 for one in found) else ""
    )  # fmt: skip
    theirs = (
        " The paper's is of other lesions; the more there are, the lower is the worst."
        if any(one.paper is not None for one in found) else ""
    )  # fmt: skip
    yield (
        f"{seeds}The interval of a share is over patients ({DRAWS:,} draws, each patient with all "
        "its lesions; percentiles); a worst lesion has none, nor has a share that is the same in "
        f"all patients.{theirs}"
    )
    for result in results:
        for metric, count in _left_out(result).items():
            yield (
                f"{result.method} on {result.measured_on}: {count} of {result.lesions} lesions "
                f"have no {metric_of(metric).words} with one seed or more and are left out there."
            )


def _left_out(result: Result) -> Mapping[str, int]:
    """How many lesions lack a value with a seed, by metric, where any does."""
    found = {}
    for metric in dict.fromkeys(told.metric for told in result.of_lesions.values()):
        measured = result.single.get(metric, {}).values()
        lacking = {w for lesions in measured for w, value in lesions.items() if math.isnan(value)}
        if lacking:
            found[metric] = len(lacking)
    return found
