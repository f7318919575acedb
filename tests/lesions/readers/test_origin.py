"""Where DeepLesion's coordinates begin: radiologists' marks against ULS23's human masks."""

import csv
from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np

from lesions import Recist
from lesions.ellipse import ellipse
from lesions.metrics import segmentation
from lesions.readers.deeplesion import ORIGIN, read_table


def marked_masks(shared: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each key slice's human mask (H, W), and the four points of its row as written there.

    ULS23's voxel (i, j, k) to DeepLesion's pixel: `../shared/data/README.md`.
    """
    rows = {}
    for row in read_table(shared / "deeplesion"):
        rows.setdefault(row.fields["File_name"], row.fields)
    folder = shared / "uls23_deeplesion3d"
    with (folder / "index.csv").open() as file:
        found = [row for row in csv.DictReader(file) if row["key_slice_method"].startswith("exact")]
    for entry in found:
        row = rows[entry["key_file_name"]]
        image = nibabel.load(folder / "masks" / entry["mask_file"])
        origin = np.rint(image.affine[:3, 3] / image.header.get_zooms()).astype(int)
        key = int(row["Slice_range"].split(",")[1]) - int(row["Key_slice_index"]) - origin[2]
        i, j = np.nonzero(np.asarray(image.dataobj[:, :, key]))
        if len(i):
            width, height = (int(side) for side in row["Image_size"].split(","))
            mask = np.zeros((height, width), np.uint8)
            mask[height - 1 - (origin[1] + j), width - 1 - (origin[0] + i)] = 1
            yield mask, np.reshape([float(c) for c in row["Measurement_coordinates"].split(",")],
                                   (4, 2))  # fmt: skip


def test_human_masks_put_the_origin_at_half_a_pixel(shared_data: Path) -> None:
    """At 0.5 the ellipses fit better than as written, at 1 as NIH's loaders have it, or between."""
    marked = list(marked_masks(shared_data))
    assert len(marked) == 158
    dice = {
        shift: np.mean([
            segmentation(ellipse(Recist(points - shift), mask.shape), mask)["dice"]
            for mask, points in marked
        ])
        for shift in (0, 0.25, 0.5, 0.75, 1)
    }  # fmt: skip
    assert max(dice, key=lambda shift: dice[shift]) == ORIGIN == 0.5
    assert {shift: round(float(mean), 3) for shift, mean in dice.items()} == {
        0: 0.842, 0.25: 0.851, 0.5: 0.853, 0.75: 0.847, 1: 0.833,
    }  # fmt: skip
