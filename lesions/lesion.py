"""What a lesion is: one RECIST annotation on one axial CT key slice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesions.errors import shown
from lesions.measurement import Measurement
from lesions.of_mask import OfMask
from lesions.readers.bounded import read_bytes
from lesions.readers.png import decode_labels, decode_slice
from lesions.recist import Recist

LESION_TYPES = (
    "unknown", "bone", "abdomen", "mediastinum", "liver", "lung", "kidney", "soft_tissue", "pelvis",
)  # fmt: skip
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True, eq=False)
class Lesion:
    """One RECIST annotation on one axial key slice; pixels are decoded when asked for.

    Attributes:
        file: the key slice's name in its data set, `PPPPPP_SS_RR_KKK.png` in DeepLesion.
        row: the annotation's row in its table, 1 = the first.
        recist: the four endpoints, (x, y) pixels, pixel centres at integers.
        spacing: (x, y, z) mm.
        window: (low, high) HU.
        shape: (H, W) of the key slice.
        encoded: the key slice as a 16-bit PNG, on disk or in memory.
        masks: label images by name ("human", "snakes", …) as 8-bit PNG.
        noisy: the data set's own flag: possibly a wrong annotation.
        of_mask: what its 3D mask says of it, where it was taken from one.
        readings: how further people mark it, by their names.
        embedding: (D,), of unit length: how it looks, by its set's embeddings; None without any.
    """

    file: str
    row: int
    recist: Recist
    spacing: tuple[float, float, float]
    window: tuple[float, float]
    shape: tuple[int, int]
    encoded: bytes | Path
    masks: Mapping[str, bytes] = field(default_factory=dict)
    patient: str = ""
    study: str = ""
    series: str = ""
    lesion_type: str = "unknown"
    split: str = "train"
    noisy: bool = False
    of_mask: OfMask | None = None
    readings: Mapping[str, Recist] = field(default_factory=dict)
    embedding: NDArray[np.float32] | None = None

    def __repr__(self) -> str:
        """Its name and size: its pixels are megabytes, and its file's name may be anything."""
        long, short = self.diameters_mm
        masks = f", masks {', '.join(sorted(self.masks))}" if self.masks else ""
        return f"<Lesion {shown(self.file)}, row {self.row}: {long:.1f} × {short:.1f} mm{masks}>"

    @property
    def measurement(self) -> Measurement:
        """Its RECIST with its spacing."""
        return Measurement(recist=self.recist, spacing=self.spacing)

    @property
    def diameters_mm(self) -> tuple[float, float]:
        """The lengths (long, short) of its axes, mm."""
        return self.measurement.diameters_mm

    def measured(self, mask: NDArray[Any]) -> Measurement:
        """What another mask (H, W) of its slice measures; errors as `Recist.from_mask`."""
        return Measurement.from_mask(mask, self.spacing)

    @property
    def slice_hu(self) -> NDArray[np.int16]:
        """The key slice, HU (H, W)."""
        return decode_slice(self.slice_png)

    @property
    def slice_png(self) -> bytes:
        """The key slice as 16-bit PNG bytes."""
        return read_bytes(self.encoded) if isinstance(self.encoded, Path) else self.encoded

    def mask(self, name: str) -> NDArray[np.uint8]:
        """The label image `name` (H, W); KeyError, with the choices, when there is none."""
        if name not in self.masks:
            raise KeyError(f"{self.file} has no mask {name!r}; it has {sorted(self.masks)}")
        return decode_labels(self.masks[name])
