"""Rows of `DL_info.csv`, DeepLesion's table of annotations, in its own order and wording.

Beside it `readers.csv`: the same lesions as other people mark them.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from lesions.readers.deeplesion import ORIGIN
from lesions.readers.readings import COLUMNS, READERS
from lesions.recist import Recist
from lesions.writers.csv_rows import write_csv

HEADER = (
    "File_name", "Patient_index", "Study_index", "Series_ID", "Key_slice_index",
    "Measurement_coordinates", "Bounding_boxes", "Lesion_diameters_Pixel_",
    "Normalized_lesion_location", "Coarse_lesion_type", "Possibly_noisy", "Slice_range",
    "Spacing_mm_px_", "Image_size", "DICOM_windows", "Patient_gender", "Patient_age",
    "Train_Val_Test",
)  # fmt: skip


def table_row(
    recist: Recist,
    *,
    series: tuple[int, int, int],
    key: int,
    slices: tuple[int, int],
    spacing: tuple[float, float, float],
    shape: tuple[int, int],
    window: tuple[float, float],
    lesion_type: int,
    split: int,
) -> dict[str, object]:
    """One annotation as a row of the table, by `HEADER`.

    Args:
        recist: (x, y) pixels, pixel centres at integers.
        series: numbers of patient, study and series.
        key, slices: the annotated slice, and the first and last that are there.
        spacing: (x, y, z) mm.
        shape: (H, W).
        window: (low, high) HU.
        lesion_type, split: the table's codes.
    """
    patient, study, number = series
    points = recist.points + ORIGIN
    return {
        "File_name": f"{patient:06d}_{study:02d}_{number:02d}_{key:03d}.png",
        "Patient_index": patient,
        "Study_index": study,
        "Series_ID": number,
        "Key_slice_index": key,
        "Measurement_coordinates": joined(points.ravel()),
        "Bounding_boxes": joined([*(points.min(axis=0) - 5), *(points.max(axis=0) + 5)]),
        "Lesion_diameters_Pixel_": joined(recist.diameters_mm((1, 1, 1))),
        "Normalized_lesion_location": "NaN, NaN, NaN",
        "Coarse_lesion_type": lesion_type,
        "Possibly_noisy": 0,
        "Slice_range": f"{slices[0]}, {slices[1]}",
        "Spacing_mm_px_": joined(spacing),
        "Image_size": f"{shape[1]}, {shape[0]}",
        "DICOM_windows": joined(window),
        "Patient_gender": "",
        "Patient_age": "NaN",
        "Train_Val_Test": split,
    }


def reading(recist: Recist) -> list[float]:
    """One reader's endpoints, eight numbers as the table has its coordinates."""
    points: list[float] = (recist.points + ORIGIN).round(3).ravel().tolist()
    return points


def write_readings(folder: Path, readings: Iterable[tuple[str, int, int, Sequence[float]]]) -> None:
    """Write `readers.csv`: of each (File_name, row of the table from 1, reader, `reading`)."""
    write_csv(folder / READERS, COLUMNS,
              ([file, row, reader, *points] for file, row, reader, points in readings))  # fmt: skip


def joined(numbers: Iterable[float]) -> str:
    """Numbers as the table has them."""
    return ", ".join(f"{number:.6g}" for number in numbers)
