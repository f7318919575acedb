"""Ours for the rows of a paper's table, from what was measured of each lesion with each seed."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dashboards.recorded.numbers import number_of
from dashboards.tables.comparison import metrics_of, values_of
from dashboards.tables.leaks import leak_notes
from dashboards.tables.papers import WHOLE
from lesions.metrics import summary
from lesions.metrics.paired import Measured, which_of
from lesions.metrics.shares import OfLesions, of_lesions
from lesions.metrics.summary import Mean

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Result:
    """Ours for one row of the paper's table.

    Attributes:
        method: as the paper calls it.
        subgroup: "all", or the lesion type.
        data: the short name of what it was measured on.
        lesions, patients: how many it was measured on.
        values: over the lesions, each with every seed, by the paper's metric; only what was
            measured.
        single: what the values are of: each lesion's with each seed, by the paper's metric.
        of_lesions: what is told of the lesions one by one, by its name in `tables.csv`.
        leaks: what is said of lesions that were trained on, in sentences.
    """

    method: str
    subgroup: str
    data: str
    lesions: int
    patients: int
    values: Mapping[str, Mean]
    single: Mapping[str, Measured] = field(default_factory=dict)
    of_lesions: Mapping[str, OfLesions] = field(default_factory=dict)
    leaks: Sequence[str] = ()

    @property
    def metrics(self) -> dict[str, float]:
        """The names and numbers that the paper's own row has in MLflow.

        Of several seeds also each one's mean: `dice_seed0`.
        """
        shares = {name: float(np.mean(list(seeds.values()))) for name, seeds in self.shares.items()}
        counted = {"test_n": float(self.lesions), "test_patients": float(self.patients)}
        return metrics_of(self.values) | shares | counted | self._by_seed()

    @property
    def shares(self) -> dict[str, dict[int, float]]:
        """`of_lesions` with each seed that measured any lesion."""
        found: dict[str, dict[int, float]] = {}
        for name, told in self.of_lesions.items():
            for seed, lesions in self.single.get(told.metric, {}).items():
                if not math.isnan(value := told.of(list(lesions.values()))):
                    found.setdefault(name, {})[seed] = value
        return found

    @property
    def measured_on(self) -> str:
        """The data and the lesion type, in words."""
        kind = "" if self.subgroup in WHOLE else f", {self.subgroup.replace('_', ' ')}"
        return f"{self.data}{kind}"

    def _by_seed(self) -> dict[str, float]:
        found = {}
        for name in self.values:
            for seed, lesions in self.single.get(name, {}).items():
                values = [value for value in lesions.values() if not math.isnan(value)]
                if values and len(self.single[name]) > 1:
                    found[f"{name}_seed{seed}"] = float(np.mean(values))
        for name, seeds in self.shares.items():
            if len(seeds) > 1:
                found |= {f"{name}_seed{seed}": value for seed, value in seeds.items()}
        return found


def summarised(
    method: str,
    subgroup: str,
    data: str,
    columns: Mapping[str, tuple[str, str]],
    measured: Mapping[int, Mapping[str, Sequence[Row]]],
    told: Iterable[str] = (),
) -> Result:
    """One row of ours, from the rows of lesions that each part of it was measured on.

    Args:
        method, subgroup: as in the paper; a subgroup other than all is a lesion type.
        data: the short name of what was measured on.
        columns: (part, metric of ours), by the paper's metric.
        measured: one row a test lesion, by seed and part.
        told: of the lesions one by one: names that `of_lesions` reads.
    """
    chosen = {
        seed: {
            part: [row for row in rows if subgroup in WHOLE or row.get("lesion_type") == subgroup]
            for part, rows in parts.items()
        }
        for seed, parts in measured.items()
    }
    values: dict[str, Mean] = {}
    single: dict[str, Measured] = {}
    for name, (part, metric) in columns.items():
        mine = [row for parts in chosen.values() for row in parts[part]]
        numbers = [{name: _number(row, metric)} for row in mine]
        values |= values_of(summary(numbers, [which_of(row).patient for row in mine]))
        single[name] = {
            seed: {which_of(row): _number(row, metric) for row in parts[part]}
            for seed, parts in chosen.items()
        }
    every = [rows for parts in chosen.values() for rows in parts.values()]
    fewest = min(every, key=len)
    return Result(
        method=method,
        subgroup=subgroup,
        data=data,
        lesions=len(fewest),
        patients=len({which_of(row).patient for row in fewest}),
        values=values,
        single=single,
        of_lesions={name: one for name in told if (one := of_lesions(name)) is not None},
        leaks=list(dict.fromkeys(note for rows in every for note in leak_notes(rows))),
    )


def _number(row: Row, metric: str) -> float:
    value = number_of(row.get(metric))
    return math.nan if value is None else value
