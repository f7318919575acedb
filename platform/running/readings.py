"""How people and models read the test lesions of a set, from the set and from recorded rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lesions import InputError, Recist
from lesions.metrics.paired import Which, which_of
from lesions.metrics.readers import Reading, Readings, errors_over
from lesions.prepared import PreparedSet
from lesions.readers.readings import MARKS

Row = Mapping[str, Any]


def readers_of(lesions: PreparedSet, before: str = "") -> dict[str, Readings]:
    """The readings of a set's lesions by each reader, the marks first; {} without any but these.

    Args:
        lesions: a split of the set.
        before: what tells its patients from those of another set.
    """
    if not lesions.readers:
        return {}
    found: dict[str, dict[Which, Reading]] = {
        name: {} for name in (MARKS, *sorted(lesions.readers))
    }
    for row in lesions.rows:
        which = which_of(row, before)
        own = {MARKS: Recist(np.reshape(row["recist"], (4, 2))), **lesions.readings_of(row["row"])}
        for name, recist in own.items():
            found[name][which] = Reading(recist=recist, spacing=tuple(row["spacing"]))
    read: dict[str, Readings] = {name: own for name, own in found.items() if own}
    return read if read.keys() - {MARKS} else {}


def readings_of(rows: Sequence[Row], marks: Readings, before: str = "") -> Readings:
    """What a model's rows say of lesions; those of which it said none are left out.

    Args:
        rows: as recorded, with `endpoints`.
        marks: of the same lesions.
        before: as `readers_of` had it.

    Raises:
        InputError: a row was recorded without its endpoints, or damaged ones.
    """
    found = {}
    for row in rows:
        which = which_of(row, before)
        if "endpoints" not in row:
            raise InputError(
                "a lesion was recorded by a version that kept no endpoints",
                file="lesions.json",
                remedy="measure under another --name",
            )
        if row["endpoints"] is not None and which in marks:
            found[which] = Reading(recist=_recist(row), spacing=marks[which].spacing)
    return found


def judged_by(
    rows: Sequence[Row], readers: Mapping[str, Readings], own: Readings
) -> list[dict[str, Any]]:
    """The rows of lesions that some of the readers have read, judged by their mean over these.

    Args:
        rows: as recorded.
        readers: who judges.
        own: `readings_of` the rows.
    """
    judged = errors_over(own, readers.values())
    read = {which for theirs in readers.values() for which in theirs}
    # Where nothing was found a row's own figures say so.
    return [{**row, **judged.get(which, {})} for row in rows if (which := which_of(row)) in read]


def _recist(row: Row) -> Recist:
    """A row's endpoints; InputError where they are none."""
    try:
        return Recist(np.asarray(row["endpoints"], np.float64))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"a lesion's endpoints are damaged: {error}", file="lesions.json"
        ) from None


@dataclass(frozen=True, kw_only=True)
class Judges:
    """Who judges the rows of a paper's table on a set of ours.

    Attributes:
        readers: of the set's test lesions, see `readers_of`.
        subgroups: the table's, of a reader each.
    """

    readers: Mapping[str, Readings]
    subgroups: Sequence[str]

    def judges(self, subgroup: str) -> bool:
        """Whether somebody here stands for a subgroup of the paper's."""
        return subgroup not in self.subgroups or subgroup in self._standing

    def judged(self, rows: Sequence[Row], subgroup: str) -> Sequence[Row]:
        """The rows as a subgroup's reader judges them, or all readers; as they are without any."""
        if not self.readers or not self.subgroups:
            return rows
        whose = self._standing.get(subgroup)
        readers = self.readers if whose is None else {whose: self.readers[whose]}
        return judged_by(rows, readers, self.read(rows))

    def read(self, rows: Sequence[Row]) -> Readings:
        """What a model's rows say of the lesions."""
        return readings_of(rows, self.readers[MARKS])

    @property
    def _standing(self) -> dict[str, str]:
        """Our readers by the paper's subgroups, in order; those beyond it judge in all alone."""
        return dict(zip(self.subgroups, self.readers, strict=False))
