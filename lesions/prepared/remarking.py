"""Marks made to differ from the masks, as a person's do: noise on lengths and places.

The WSSS paper, section 4, injects up to 20 % of random noise in the lengths that it measures from
masks, to mimic manual annotation.
"""

import hashlib
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lesions.errors import InputError, shown
from lesions.lesion import Lesion
from lesions.readers.deeplesion import read_table
from lesions.recist import Recist
from lesions.writers.csv_rows import write_csv

ORIGINALS = "marks.csv"
MOST = 0.5


@dataclass(frozen=True, kw_only=True)
class MarksNoise:
    """How much marks are changed.

    Attributes:
        length: each axis becomes longer or shorter by up to this fraction of itself, evenly.
        place: the mark moves by up to this fraction of the long axis, evenly over the disc.
    """

    length: float
    place: float

    @classmethod
    def read(cls, text: str) -> "MarksNoise":
        """From LENGTH,PLACE; InputError where these are no two fractions below `MOST`."""
        try:
            length, place = map(float, text.split(","))
        except ValueError:
            length = place = math.nan
        if not (0 <= length < MOST and 0 <= place < MOST):
            raise InputError(f"{shown(text)!r} is no noise of marks",
                             remedy=f"say LENGTH,PLACE, two fractions below {MOST}")  # fmt: skip
        return cls(length=length, place=place)

    def __str__(self) -> str:
        """As a set's name has it."""
        return f"{self.length:g}/{self.place:g}"


def remarked(lesion: Lesion, noise: MarksNoise) -> Lesion:
    """The lesion with other marks, the same ones in every run; no endpoint leaves the slice.

    Raises:
        ValueError: nothing is left of an axis at the slice's border.
    """
    seed = hashlib.sha256(f"{lesion.file}:{lesion.row}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(seed))
    points = lesion.recist.points
    long = float(np.hypot(*(points[1] - points[0])))
    turn, reach = random.uniform(0, 2 * np.pi), noise.place * long * np.sqrt(random.uniform())
    moved = reach * np.array([np.cos(turn), np.sin(turn)])
    stretched = lesion.recist.stretched(*(1 + random.uniform(-noise.length, noise.length, 2)))
    last = np.array([lesion.shape[1], lesion.shape[0]]) - 0.5
    return replace(lesion, recist=Recist(np.clip(stretched + moved, -0.5, last)))


def write_originals(table: Path, out: Path) -> None:
    """Write the marks as a table in DeepLesion's layout has them beside the set of other ones."""
    columns = ("File_name", "Measurement_coordinates")
    rows = ([row.number, *(row.fields.get(name, "") for name in columns)]
            for row in read_table(table))  # fmt: skip
    write_csv(out / ORIGINALS, ("row", *columns), rows)
