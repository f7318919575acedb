"""A CT volume: HU, spacing, and where it came from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Volume:
    """Axial slices in display order: rows run to the back, columns to the patient's left.

    Attributes:
        hu: (D, H, W), slices from feet to head; int16 for CT, uint8 for a label volume.
        spacing: (x, y, z) mm.
        source: the file it was read from.
    """

    hu: NDArray[Any]
    spacing: tuple[float, float, float]
    source: Path
