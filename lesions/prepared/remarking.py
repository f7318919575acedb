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
MEASURED = "measured from masks"
MOST = 0.5


@dataclass(frozen=True, kw_only=True)
class MarksNoise:
    """How much marks are changed.

    Attributes:
        length: each axis becomes longer or shorter by up to this fraction of itself, evenly.
        place: the mark moves by up to this fraction of the long axis, evenly over the disc.
        drawn_in: before that, each axis becomes shorter by this fraction of itself.
    """

    length: float
    place: float
    drawn_in: float = 0.0

    @classmethod
    def read(cls, text: str) -> "MarksNoise":
        """From LENGTH,PLACE[,DRAWN_IN]; InputError where these are no fractions below `MOST`."""
        try:
            length, place, drawn_in = map(float, (*text.split(","), "0")[:3])
        except ValueError:
            length = place = drawn_in = math.nan
        if text.count(",") > 2 or not all(0 <= one < MOST for one in (length, place, drawn_in)):
            raise InputError(
                f"{shown(text)!r} is no noise of marks",
                remedy=f"say LENGTH,PLACE or LENGTH,PLACE,DRAWN_IN, fractions below {MOST}",
            )
        return cls(length=length, place=place, drawn_in=drawn_in)

    def __str__(self) -> str:
        """As a set's name has it."""
        return f"{self.length:g}/{self.place:g}" + (f"/{self.drawn_in:g}" if self.drawn_in else "")


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
    changes = 1 + random.uniform(-noise.length, noise.length, 2)
    stretched = lesion.recist.stretched(*(changes * (1 - noise.drawn_in)))
    last = np.array([lesion.shape[1], lesion.shape[0]]) - 0.5
    return replace(lesion, recist=Recist(np.clip(stretched + moved, -0.5, last)))


@dataclass(frozen=True, kw_only=True)
class MarksFrom:
    """Which marks a lesion has.

    Attributes:
        masks: measured from the human mask, in place of the table's.
        noise: then changed by that much; None leaves them as they are.
    """

    masks: bool = False
    noise: MarksNoise | None = None

    @property
    def identity(self) -> dict[str, str]:
        """What tells a set with these marks from one with the table's; empty for the table's."""
        measured = {"marks": MEASURED} if self.masks else {}
        return measured | ({"marks_noise": str(self.noise)} if self.noise else {})

    def __call__(self, lesion: Lesion) -> Lesion:
        """The lesion with these marks; one without a human mask has nothing to measure."""
        if self.masks and "human" in lesion.masks:
            measured = Recist.from_mask(lesion.mask("human"), lesion.spacing)
            lesion = replace(lesion, recist=measured)
        return remarked(lesion, self.noise) if self.noise else lesion


AS_GIVEN = MarksFrom()


def write_originals(table: Path, out: Path) -> None:
    """Write the marks as a table in DeepLesion's layout has them beside the set of other ones."""
    columns = ("File_name", "Measurement_coordinates")
    rows = ([row.number, *(row.fields.get(name, "") for name in columns)]
            for row in read_table(table))  # fmt: skip
    write_csv(out / ORIGINALS, ("row", *columns), rows)
