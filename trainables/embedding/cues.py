"""What is known of a lesion without anybody's labels: its type, its place in the body, its size.

The weak cues of Yan et al. 2018, "Deep lesion graphs in the wild". Their place has a height, from
where a slice lies in the body; a prepared set keeps none, so ours is of the slice alone: where the
lesion lies in the box of the body on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lesions import Lesion

UNKNOWN = "unknown"
_BODY_HU = -500  # the body is denser, the air around it is not


@dataclass(frozen=True, kw_only=True, eq=False)
class Cues:
    """The cues of N lesions.

    Attributes:
        patients: (N,).
        types: (N,); "unknown" is no class.
        places: (N, 2), x and y in the body's box, 0…1 inside of it.
        sizes: (N, 2), the natural logarithms of the long and the short diameter, mm.
    """

    patients: NDArray[np.str_]
    types: NDArray[np.str_]
    places: NDArray[np.float64]
    sizes: NDArray[np.float64]

    def __len__(self) -> int:
        """How many lesions."""
        return len(self.patients)


Row = tuple[str, str, tuple[float, float], tuple[float, float]]


def row_of(lesion: Lesion, slice_hu: NDArray[np.int16]) -> Row:
    """The cues of one lesion, for `cues_of`: its slice is decoded by now."""
    place = place_in_body(slice_hu, lesion.recist.bounds)
    return lesion.patient, lesion.lesion_type, place, lesion.diameters_mm


def cues_of(rows: Sequence[Row]) -> Cues:
    """The cues of lesions by their rows."""
    patients, types, places, sizes = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Cues(
        patients=np.array(patients, np.str_),
        types=np.array(types, np.str_),
        places=np.reshape(np.array(places, np.float64), (-1, 2)),
        sizes=np.log(np.reshape(np.array(sizes, np.float64), (-1, 2))),
    )


def place_in_body(
    slice_hu: NDArray[np.int16], bounds: tuple[float, float, float, float]
) -> tuple[float, float]:
    """Where the middle of a box lies: (0, 0) the body's top left, (1, 1) its bottom right."""
    left, top, width, height = body_box(slice_hu)
    x0, y0, x1, y1 = bounds
    return ((x0 + x1) / 2 - left + 0.5) / width, ((y0 + y1) / 2 - top + 0.5) / height


def body_box(slice_hu: NDArray[Any]) -> tuple[int, int, int, int]:
    """The box (left, top, width, height) of the largest dense part; the slice's where none is."""
    dense = (slice_hu > _BODY_HU).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(dense, connectivity=4)
    if count < 2:
        height, width = slice_hu.shape
        return 0, 0, width, height
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    left, top, width, height = stats[largest, :4].tolist()
    return left, top, width, height
