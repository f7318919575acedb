"""What the tables say of one made lesion on its marked slice, and its files' names."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesions.files import replace_with
from lesions.phantom.backgrounds import Background
from lesions.phantom.inserting import Made
from lesions.phantom.marks import Reader, draw_mark
from lesions.readers.from_mask import SOFT_TISSUE
from lesions.readers.png import encode_labels, encode_slice
from lesions.recist import Recist
from lesions.writers.deeplesion import reading, table_row

LUNG = (-1500.0, 500.0)  # HU, the window of most lung lesions of DeepLesion

Series = tuple[int, int, int]  # the numbers of patient, study and series


def row_of(
    made: Made,
    background: Background,
    series: Series,
    at: int,
    slices: tuple[int, int],
    readers: Sequence[Reader],
    random: np.random.Generator,
) -> dict[str, Any]:
    """The fields of one lesion in each table: `table`, `facts` and `readings`.

    Args:
        made: the lesion.
        background: the slice that it is marked on, as it was.
        series: whose it is.
        at: the number of that slice.
        slices: the numbers of the first and the last that are there.
        readers: who mark it; the first one's mark is the table's.
        random: the source.
    """
    shape = made.mask.shape[0], made.mask.shape[1]
    truth = Recist.from_mask(made.mask.astype(np.uint8), background.spacing)
    marks = [draw_mark(truth, reader, shape, random) for reader in readers]
    lung, host = made.place.host == "lung", made.place.host
    in_fat = 3 if background.hosts["lung"].any() else 2
    long, short = truth.diameters_mm(background.spacing)
    table = table_row(
        marks[0], series=series, key=at, slices=slices, spacing=background.spacing,
        shape=shape, window=LUNG if lung else SOFT_TISSUE, split=1,
        lesion_type={"lung": 5, "parenchyma": 4, "muscle": 7}.get(host, in_fat),
    )  # fmt: skip
    facts = {
        "tissue": made.tissue.kind, "host": host, "near_wall": int(made.place.near),
        "long_axis_mm": round(long, 3), "short_axis_mm": round(short, 3),
        "slices": made.slices, "volume_mm3": round(made.volume_mm3, 3),
        "area_by_largest": round(int(made.mask.sum()) / made.largest, 4),
        "outer_hu": round(made.tissue.outer, 1), "background": background.name,
    }  # fmt: skip
    return {"table": table, "facts": facts, "readings": [reading(mark) for mark in marks[1:]]}


def folder_of(series: Series) -> str:
    """Its folder's name, as DeepLesion's."""
    return f"{series[0]:06d}_{series[1]:02d}_{series[2]:02d}"


def write_slice(out: Path, series: Series, at: int, hu: NDArray[np.int16]) -> None:
    """A slice (H, W) as the data set has it."""
    path = out / "Images_png" / folder_of(series) / f"{at:03d}.png"
    _write(path, encode_slice(hu, effort=1))


def write_mask(out: Path, series: Series, at: int, nth: int, mask: NDArray[np.bool_]) -> None:
    """The mask (H, W) of the slice's `nth` lesion."""
    path = out / "Masks_png" / folder_of(series) / f"{at:03d}_{nth}.png"
    _write(path, encode_labels(mask.astype(np.uint8)))


def _write(path: Path, content: bytes) -> None:
    with replace_with(path) as file:
        file.write(content)
