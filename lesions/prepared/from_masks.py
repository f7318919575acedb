"""The table beside a set made from 3D masks: what each mask says of its lesion, both key slices."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lesions.measurement import LEAST_MM
from lesions.of_mask import OfMask
from lesions.prepared.part import part_path, read_index, read_of_masks
from lesions.writers.csv_rows import write_csv

FROM_MASKS = "from_masks.csv"
COLUMNS = (
    "file", "row", "volume_mm3", "parts", "labels",
    "area_slice", "area_long_axis_mm", "area_short_axis_mm", "area_who_product_mm2",
    "diameter_slice", "diameter_long_axis_mm", "diameter_short_axis_mm",
    "diameter_who_product_mm2", "measurable_if_no_node",
)  # fmt: skip

Known = tuple[str, int, OfMask]


def of_masks_in(out: Path, parts: int) -> list[Known]:
    """File, row and mask of each lesion of a set that has one, in order."""
    return [known for number in range(parts) for known in _of_part(part_path(out, number), number)]


def _of_part(part: Path, number: int) -> Iterator[Known]:
    rows = read_index(part, number)[0].to_pylist()
    for row, of_mask in zip(rows, read_of_masks(part), strict=True):
        if of_mask is not None:
            yield row["file"], row["row"], of_mask


def write_from_masks(out: Path, known: Sequence[Known]) -> None:
    """Write the table, a line a lesion."""
    write_csv(out / FROM_MASKS, COLUMNS, map(_line, known))


def _line(known: Known) -> list[Any]:
    file, row, of_mask = known
    line: list[Any] = [file, row, round(of_mask.volume_mm3, 3), of_mask.parts, of_mask.labels]
    for one in (of_mask.by_area, of_mask.by_diameter):
        sizes = (one.long_mm, one.short_mm, one.long_mm * one.short_mm)
        line += [one.index, *(round(size, 3) for size in sizes)]
    return [*line, of_mask.by_diameter.long_mm >= LEAST_MM]
