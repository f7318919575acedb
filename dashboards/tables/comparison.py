"""Our result, what it has to beat, and the paper's rows, as lines of one table."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dashboards.pages.view import SweepView, Trial
from dashboards.recorded.numbers import count_of, number_of
from dashboards.tables.metrics import columns_of, metric_of, reported_in
from dashboards.tables.papers import PaperRow, title_of
from lesions.errors import shown
from lesions.metrics.merit import Merit
from lesions.metrics.paired import DRAWS, LEAST_PATIENTS, LEVEL
from lesions.metrics.summary import Mean

MISSING = "–"
Source = Literal["ours", "reference", "paper"]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One method's results.

    Attributes:
        lesions: how many it was measured on, None where that is not known.
        values: by metric name; only what was measured.
        patients: whose the lesions are, None where that is not known.
    """

    source: Source
    method: str
    measured_on: str
    lesions: int | None
    values: Mapping[str, Mean]
    patients: int | None = None

    def cell(self, metric: str, separator: str = " ± ") -> str:
        """Mean ± standard deviation, or a dash."""
        if metric not in self.values:
            return MISSING
        found, digits = self.values[metric], metric_of(metric).digits
        spread = "" if found.std is None else f"{separator}{found.std:.{digits}f}"
        return f"{found.mean:.{digits}f}{spread}"

    def below(self, metric: str, separator: str = " to ") -> list[str]:
        """What stands below a mean: its interval, and how many lesions lack a value."""
        found, digits = self.values.get(metric), metric_of(metric).digits
        if found is None:
            return []
        low_high = separator.join(f"{end:.{digits}f}" for end in found.interval or ())
        missed = f"{found.lacking} of {found.of} missed" if found.lacking else ""
        return [text for text in (low_high, missed) if text]

    @property
    def whose(self) -> str:
        """Over whom the intervals below the means are; "" where its patients are not known."""
        if self.patients is None:
            return ""
        over = in_patients(self.patients)
        if self.patients < LEAST_PATIENTS:
            return f"no interval: {over}"
        return f"{LEVEL:.0%} over {over}"


def comparison(view: SweepView, rows: list[PaperRow]) -> list[Line]:
    """Ours, the references, then the paper's rows in the paper's order."""
    measured_on = view.data.partition(",")[0] if view.test else "no test result yet"
    ours = _line("ours", our_method(view), measured_on, view.test)
    references = [
        _line("reference", one.method, "the same lesions", {"test_n": view.test_n, **one.metrics})
        for one in view.references
    ]
    return [ours, *references, *paper_lines(rows)]


def _line(source: Source, method: str, measured_on: str, metrics: Mapping[str, Any]) -> Line:
    """Of a run's metrics on test lesions."""
    return Line(
        source=source,
        method=method,
        measured_on=measured_on,
        lesions=count_of(metrics.get("test_n")) or None,
        values=values_of(metrics),
        patients=count_of(metrics.get("test_patients")),
    )


def result_words(metrics: Mapping[str, float], names: Sequence[str]) -> Iterator[str]:
    """A run's result on test lesions, a line for these metrics each; none of a run without."""
    line = _line("ours", "", "", metrics)
    if line.lesions is not None:
        yield f"test: {line.lesions} lesions{line.whose and f' ({line.whose})'}"
    for name in names:
        if name in line.values:
            words = ", ".join([line.cell(name), *line.below(name)])
            yield f"test {metric_of(name).measured} {words}"


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
            values={name: Mean(*found) for name, found in row.metrics.items()},
        )
        for row in rows
    ]


def line_notes(lines: Sequence[Line]) -> Iterator[str]:
    """What a reader has to know of what stands below the means."""
    found = [one for line in lines for one in line.values.values()]
    if any(one.interval for one in found):
        yield (
            f"Below a mean is its {LEVEL:.0%} interval over patients ({DRAWS:,} draws, each "
            "patient with all its lesions; percentiles)."
        )
    if any(line.patients is not None and line.patients < LEAST_PATIENTS for line in lines):
        yield (
            f"Over fewer than {LEAST_PATIENTS} patients no interval can be given: however many "
            "their lesions are, they tell little of others."
        )
    if any(one.lacking for one in found):
        yield (
            "Missed are lesions without a value, as there is no distance to what was not found: "
            "the mean is over the others, and gets no worse when more are missed."
        )


def in_patients(count: int) -> str:
    """ "1 patient", "4 patients"."""
    return f"{count} patient{'' if count == 1 else 's'}"


def with_interval(
    value: float | None, ends: tuple[float, float] | None, digits: int = 3, sign: str = ""
) -> str:
    """A mean in text: "0.512 (0.401 to 0.623)"; a dash where there is none."""
    if value is None:
        return MISSING
    form = f"{sign}.{digits}f"
    low_high = f" ({' to '.join(f'{end:{form}}' for end in ends)})" if ends else ""
    return f"{value:{form}}{low_high}"


def best_validation(trial: Trial, merit: Merit) -> str:
    """A trial's best validation figure, with its interval where that was told."""
    digits = metric_of(merit.name).digits
    return with_interval(trial.best_value(merit), trial.best_interval(merit), digits)


def validated_on(trials: Sequence[Trial]) -> str:
    """ "46 validation lesions of 4 patients"; "" where no trial tells."""
    for one in trials:
        if one.lesions is not None and one.patients is not None:
            return f"{one.lesions} validation lesions of {in_patients(one.patients)}"
    return ""


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


def sweep_notes(view: SweepView, rows: list[PaperRow], lines: Sequence[Line]) -> list[str]:
    """What a reader has to know of a sweep's table; first why it is no ranking."""
    notes = [caution(view, rows)]
    if early := view.tags.get("ended_early"):
        notes.append(f"The sweep was ended early: {early}.")
    return [*notes, *filter(None, [view.tags.get("trained_on")]), *line_notes(lines)]


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


def values_of(metrics: Mapping[str, float]) -> dict[str, Mean]:
    """Each metric over lesions that was measured, by the names of `lesions.metrics.summary`.

    Runs of a version before have no intervals.
    """
    measured = {name: x for name, x in metrics.items() if number_of(x) is not None}
    return {name: _mean(name, measured) for name in reported_in(measured)}


def _mean(name: str, measured: Mapping[str, float]) -> Mean:
    low, high = measured.get(f"{name}_low"), measured.get(f"{name}_high")
    of = count_of(measured.get("n", measured.get("test_n"))) or 0
    there = count_of(measured.get(f"{name}_n", of)) or 0
    return Mean(
        mean=measured[name],
        std=measured.get(f"{name}_std"),
        interval=None if low is None or high is None else (low, high),
        lacking=max(0, of - there),
        of=of,
    )


def metrics_of(values: Mapping[str, Mean]) -> dict[str, float]:
    """Their numbers by the names that they have in MLflow, those of `lesions.metrics.summary`."""
    found = {}
    for name, one in values.items():
        found[name] = one.mean
        if one.std is not None:
            found[f"{name}_std"] = one.std
        if one.interval is not None:
            found[f"{name}_low"], found[f"{name}_high"] = one.interval
        if one.lacking:
            found[f"{name}_n"] = float(one.of - one.lacking)
    return found
