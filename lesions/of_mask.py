"""What the 3D mask of a lesion says of it beyond its key slice."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from lesions.errors import InputError

KeySlice = Literal["area", "diameter"]
# What a person is told of, each with the count of lesions.
JOINED = "joined over empty slices"
ELSEWHERE = "longer on another slice than on that of the largest area"
LABELLED = "of several labels that touch, which count alike"


@dataclass(frozen=True, kw_only=True)
class OnSlice:
    """A lesion's diameters on one of its slices.

    Attributes:
        index: of the axial slice, from the feet.
        long_mm, short_mm: there.
    """

    index: int
    long_mm: float
    short_mm: float


@dataclass(frozen=True, kw_only=True)
class OfMask:
    """What the 3D mask of a lesion says of it.

    Attributes:
        volume_mm3: of its voxels.
        parts: how many connected parts it is joined from; 1 without empty slices between.
        labels: how many labels its voxels have.
        by_area: on the slice where its area is largest, the lowest of equals.
        by_diameter: on the slice where its long axis is longest, as RECIST 1.1 measures.
    """

    volume_mm3: float
    parts: int
    labels: int
    by_area: OnSlice
    by_diameter: OnSlice

    @classmethod
    def read(cls, fields: Any) -> "OfMask":
        """What `asdict` was called of, from JSON; InputError for what is none."""
        try:
            slices = {
                name: OnSlice(
                    index=int(fields[name]["index"]),
                    **{axis: float(fields[name][axis]) for axis in ("long_mm", "short_mm")},
                )
                for name in ("by_area", "by_diameter")
            }
            return cls(
                volume_mm3=float(fields["volume_mm3"]), parts=int(fields["parts"]),
                labels=int(fields["labels"]), by_area=slices["by_area"],
                by_diameter=slices["by_diameter"],
            )  # fmt: skip
        except (KeyError, TypeError, ValueError, OverflowError):
            raise InputError("what it says of a lesion's mask is not as it should be") from None

    @property
    def notes(self) -> tuple[str, ...]:
        """Those of `JOINED`, `ELSEWHERE` and `LABELLED` that are so."""
        elsewhere = self.by_diameter.index != self.by_area.index
        said = {JOINED: self.parts > 1, ELSEWHERE: elsewhere, LABELLED: self.labels > 1}
        return tuple(words for words, so in said.items() if so)


def counted(lesions: Iterable[OfMask | None]) -> dict[str, int]:
    """How many lesions each note is of, the most frequent first."""
    notes = Counter(words for one in lesions if one is not None for words in one.notes)
    return dict(notes.most_common())
