"""Table 1 of the WSSS paper on other lesions: what each pseudo mask scores against human masks."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from rich.console import Console

from dashboards.pages.view import evenly_apart
from dashboards.tables.comparison import Line, line_notes, paper_lines, values_of, with_interval
from dashboards.tables.metrics import metric_of
from dashboards.tables.papers import PaperRow, known_rows, masks_table
from dashboards.tables.terminal import lines_table, plain, print_notes, text_table
from lesions.judging.measuring import METRICS, Key, Measured
from lesions.metrics import summary, summary_by
from lesions.metrics.paired import Which, paired
from lesions.metrics.summary import Mean
from lesions.readers.deeplesion import Rejected

PAPER_METHODS = {
    "recist": "RECIST",
    "dcrf": "DCRF",
    "grabcut": "GrabCut",
    "grabcut_i": "GrabCut-i",
    "grabcut_r": "GrabCut-R",
}
COLUMNS, UNCERTAIN = ("recall", "precision", "dice", "ms"), "uncertain"
WIDE = 120  # columns from which a mean and its deviation fit on one line
SHOWN = 4  # lesions with pictures

Counts = tuple[int, int]  # lesions, and patients


@dataclass(frozen=True, kw_only=True)
class MaskTable:
    """Every lesion's scores, and what the table, the report and MLflow make of them.

    Attributes:
        name: the run's.
        data: what was measured, in words.
        marks: where its RECIST marks come from, in a sentence; empty where that is not known.
        methods: the pseudo masks, in the order shown.
        lesions: those with a human mask.
        aside: the rest, with reasons.
        tissues: what the lesions of a phantom are made of.
        against: the method that the others are told apart from; None tells none.
        tags: of the MLflow run, for the report's provenance.
    """

    name: str
    data: str
    marks: str
    methods: Sequence[str]
    lesions: Sequence[Measured]
    aside: Sequence[Rejected]
    tissues: Mapping[Key, str] = field(default_factory=dict)
    against: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The column that tells kinds of lesions apart."""
        return "tissue" if self.tissues else "lesion_type"

    def value(self, lesion: Measured, column: str) -> str:
        """What a lesion has in a column: `tissue`, or one of its own."""
        if column == "tissue":
            return self.tissues.get(lesion.key, "unknown")
        return str(getattr(lesion, column))

    @property
    def short_data(self) -> str:
        """What was measured, in a few words."""
        return self.data.partition(",")[0]

    def masked(self, method: str) -> list[Measured]:
        """The lesions that the method made a mask of."""
        return [lesion for lesion in self.lesions if method in lesion.scores]

    def scores(self, method: str) -> list[Mapping[str, float]]:
        """The method's scores, one row a lesion that it made a mask of."""
        return [lesion.scores[method] for lesion in self.masked(method)]

    def failures(self) -> list[tuple[str, Measured]]:
        """Each method and lesion without a mask, the method's together."""
        return [(name, one) for name in self.methods for one in self.lesions if name in one.failed]

    def metrics(self, method: str) -> dict[str, float]:
        """Mean, deviation and interval of each metric, each lesion counting the same; for MLflow.

        `ms` is the median, `ms_mean` the mean; `failed` counts the lesions without a mask;
        `dice_<lesion type>` is the mean over that type.
        """
        rows, whose = self.scores(method), [one.patient for one in self.masked(method)]
        found = summary([{name: row[name] for name in METRICS} for row in rows], whose)
        found["failed"] = float(sum(method in lesion.failed for lesion in self.lesions))
        if rows:
            ms = [row["ms"] for row in rows]
            found |= {"ms": float(np.median(ms)), "ms_mean": float(np.mean(ms))}
            found["uncertain"] = float(np.mean([row["uncertain"] for row in rows]))
        for kind, dice in self._dice(method, "lesion_type").items():
            found[f"dice_{kind}"] = dice.mean
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def columns(self) -> dict[str, str]:
        """Heading by metric; uncertain pixels only where a mask has any."""
        some = any(row[UNCERTAIN] > 0 for method in self.methods for row in self.scores(method))
        shown = (*COLUMNS, UNCERTAIN) if some else COLUMNS
        return {name: metric_of(name).heading for name in shown}

    def lines(self) -> list[Line]:
        """Ours, then the paper's on both of its data sets."""
        return [*map(self._line, self.methods), *paper_lines(paper())]

    def _line(self, method: str) -> Line:
        metrics, columns = self.metrics(method), self.columns()
        theirs = PAPER_METHODS.get(method)
        return Line(
            source="ours",
            method=method if theirs is None else f"{method} ({theirs})",
            measured_on=self.short_data,
            lesions=int(metrics["n"]),
            values={name: mean for name, mean in values_of(metrics).items() if name in columns},
            patients=int(metrics["patients"]),
        )

    def dice_by(self, column: str) -> dict[str, tuple[Counts, dict[str, Mean]]]:
        """For each value of a lesion's column how many lesions, and each method's mean Dice."""
        groups: dict[str, list[str]] = {}
        for lesion in self.lesions:
            groups.setdefault(self.value(lesion, column), []).append(lesion.patient)
        means = {method: self._dice(method, column) for method in self.methods}
        return {
            value: (
                (len(whose), len(set(whose))),
                {name: dice[value] for name, dice in means.items() if value in dice},
            )
            for value, whose in sorted(groups.items(), key=lambda one: -len(one[1]))
        }

    def _dice(self, method: str, column: str) -> dict[str, Mean]:
        masked = self.masked(method)
        rows = [
            {"value": self.value(lesion, column), "dice": lesion.scores[method]["dice"]}
            for lesion in masked
        ]
        found = summary_by(rows, "value", [lesion.patient for lesion in masked])
        return {value: values_of(one)["dice"] for value, one in found.items()}

    def shown(self) -> list[Measured]:
        """A few lesions, evenly apart from the highest to the lowest Dice of all methods."""
        ranked = sorted(self.lesions, key=lambda lesion: (-_mean_dice(lesion), lesion.key))
        return [ranked[place] for place in evenly_apart(len(ranked), SHOWN)]

    def reasons(self) -> dict[str, int]:
        """How many were set aside, by reason."""
        return dict(Counter(one.reason.partition(":")[0] for one in self.aside).most_common())


def in_paper_order(methods: Sequence[str]) -> list[str]:
    """Those of the paper's table in its order, then the others in theirs."""
    return [*(name for name in PAPER_METHODS if name in methods),
            *(name for name in methods if name not in PAPER_METHODS)]  # fmt: skip


def paper() -> list[PaperRow]:
    """The rows of the paper's table."""
    key, table = masks_table()
    return [row for row in known_rows(key) if row.table == table]


def notes(table: MaskTable) -> Iterator[str]:
    """What a reader has to know to read the table, one sentence or two each."""
    yield (
        f"Measured on {table.data}. The paper measured other lesions: its rows show which order "
        f"to expect, not a ranking. {table.marks}".strip()
    )
    yield (
        "Mean ± standard deviation over lesions, each counting the same; ms is the median process "
        "time of the mask alone, on one core."
    )
    if "uncertain" in table.columns():
        yield (
            "Uncertain pixels count neither for nor against a mask; their column is their part of "
            "what the mask does not call background."
        )
    orders = {
        where: order for where, order in rankings(table).items() if len(order) == len(PAPER_METHODS)
    }
    if table.short_data in orders:
        listed = "; ".join(f"{where}: {' > '.join(order)}" for where, order in orders.items())
        yield f"The paper's methods by mean Dice, {listed}."
    for words, count in Counter(note for one in table.lesions for note in one.notes).items():
        yield f"{count} of the {len(table.lesions)} lesions are {words}."
    for method, failed in Counter(method for method, _ in table.failures()).items():
        yield f"{method} made no mask of {failed} of the lesions: its row is over the others."


def rankings(table: MaskTable) -> dict[str, list[str]]:
    """The paper's methods from the highest mean Dice to the lowest, by what they were measured on.

    A method that was not measured there is absent.
    """
    found: dict[str, dict[str, float]] = {table.short_data: {}}
    for method in table.methods:
        metrics = table.metrics(method)
        if method in PAPER_METHODS and "dice" in metrics:
            found[table.short_data][PAPER_METHODS[method]] = metrics["dice"]
    for row in paper():
        found.setdefault(row.measured_on, {})[row.method] = row.metrics["dice"][0]
    return {where: sorted(dice, key=lambda name: -dice[name]) for where, dice in found.items()}


def print_masks(table: MaskTable, console: Console) -> None:
    """Print the table, its notes, the Dice of each lesion type and what was set aside."""
    truth = table.tags.get("truth", "human masks")
    title = f"Pseudo masks against {truth}: {plain(table.name)}"
    lines = table.lines()
    console.print(lines_table(title, lines, table.columns(), console.width >= WIDE))
    print_notes([*notes(table), *line_notes(lines)], console)
    kinds = table.dice_by(table.kind)
    if len(kinds) > 1:
        console.print()
        title = f"Dice by {table.kind.replace('_', ' ')}"
        console.print(text_table(title, *dice_cells(table, table.kind)))
    if table.against is not None:
        console.print()
        console.print(text_table(f"Dice less that of {table.against}", *difference_cells(table)))
    for reason, count in table.reasons().items():
        console.print(f"{count} set aside: {plain(reason)}")


def dice_cells(table: MaskTable, column: str) -> tuple[list[str], list[list[str]]]:
    """Heading and rows of a table of mean Dice: a row each value of the column.

    With their 95 % intervals over patients, where there are enough.
    """
    rows = [
        [
            value.replace("_", " "), *map(str, counts),
            *(with_interval(mean and mean.mean, mean and mean.interval)
              for mean in map(dice.get, table.methods)),
        ]
        for value, (counts, dice) in table.dice_by(column).items()
    ]  # fmt: skip
    return [column.replace("_", " ").capitalize(), "n", "patients", *table.methods], rows


def difference_cells(table: MaskTable) -> tuple[list[str], list[list[str]]]:
    """Heading and rows: each other method's Dice less that of `against`, paired by lesion.

    Means over lesions with their 95 % intervals over patients, of all lesions and of each kind.
    """
    others = [method for method in table.methods if method != table.against]
    by_kind = {kind: [one for one in table.lesions if table.value(one, table.kind) == kind]
               for kind in table.dice_by(table.kind)}  # fmt: skip
    rows = [
        [kind.replace("_", " "), str(len(of)), str(len({one.patient for one in of})),
         *(_difference(of, method, str(table.against)) for method in others)]
        for kind, of in {"all": table.lesions, **by_kind}.items()
    ]  # fmt: skip
    return [table.kind.replace("_", " ").capitalize(), "n", "patients", *others], rows


def _difference(lesions: Sequence[Measured], method: str, against: str) -> str:
    ours, theirs = (
        {0: {Which(one.patient, one.file, str(one.row)): one.scores[name]["dice"]
             for one in lesions if name in one.scores}}
        for name in (method, against)
    )  # fmt: skip
    found = paired(ours, theirs)
    difference = found.difference if found.lesions else None
    return with_interval(difference, found.interval, sign="+")


def _mean_dice(lesion: Measured) -> float:
    dice = [scores["dice"] for scores in lesion.scores.values() if math.isfinite(scores["dice"])]
    return float(np.mean(dice)) if dice else 0.0
