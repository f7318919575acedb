"""Make the sample from the CC BY sets: `python -m lesions.sample.build --source ../shared/data`.

Of the axial slices of a tumour whose human mask is at least a quarter of the largest one's area,
seven that are spread evenly from the first to the last become key slices, their RECIST measured
from the mask. HU and spacing stay exact. The split is by patient, by the order of the names, and
was written down before any result was seen.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from numpy.typing import NDArray

from lesions.readers.deeplesion import TABLE
from lesions.readers.nifti import read_nifti
from lesions.readers.png import encode_labels, encode_slice
from lesions.recist import Recist
from lesions.sample import ROOT
from lesions.volume import Volume
from lesions.writers.deeplesion import HEADER, reading, table_row, write_readings

SMALLEST_AREA = 0.25  # of the tumour's largest slice
SLICES = 7  # a tumour
MOST_READERS = 4  # of LIDC-IDRI


@dataclass(frozen=True, kw_only=True)
class Tumour:
    """One tumour of a public set, and its place in the sample.

    Attributes:
        ct, mask: files below the source folder.
        patient: its number in the sample; 9000NN are STS_0NN, 91NNNN are LIDC-IDRI-NNNN.
        lesion_type: DeepLesion's code; 5 lung, 7 soft tissue.
        window: (low, high) HU.
        split: 1 train, 2 validation, 3 test.
        readers: the file of several people's outlines, bit r - 1 of a voxel is reader r's; or "".
    """

    ct: str
    mask: str
    patient: int
    lesion_type: int
    window: tuple[int, int]
    split: int
    readers: str = ""


def _sarcoma(number: int, split: int) -> Tumour:
    stem = f"sts_ct/STS_{number:03d}"
    return Tumour(
        ct=f"{stem}_ct.nii.gz", mask=f"{stem}_gtv.nii.gz", patient=900000 + number,
        lesion_type=7, window=(-50, 150), split=split,
    )  # fmt: skip


def _nodule(number: int, split: int) -> Tumour:
    stem = f"lidc/LIDC-IDRI-{number:04d}"
    return Tumour(
        ct=f"{stem}_ct.nii.gz", mask=f"{stem}_mask_consensus.nii.gz", patient=910000 + number,
        lesion_type=5, window=(-1500, 500), split=split,
        readers=f"{stem}_mask_readerbits.nii.gz",
    )  # fmt: skip


TRAIN, VALIDATION, TEST = 1, 2, 3
SARCOMAS = (
    1, 2, 3, 4, 5, 8, 9, 10, 14, 15, 16,
    17, 18, 20, 21, 23, 24, 26, 28, 29, 30, 31,
    32, 33, 38, 40, 41, 42, 45, 47, 48, 50, 51,
)  # fmt: skip
# Of every eleven sarcomas in the order of their names: 18 train, 6 validate and 9 test.
TURNS = (TRAIN, TEST, TRAIN, VALIDATION, TRAIN, TEST, TRAIN, VALIDATION, TRAIN, TEST, TRAIN)
TUMOURS = (
    *(_sarcoma(number, TURNS[at % len(TURNS)]) for at, number in enumerate(SARCOMAS)),
    _nodule(1, TEST),
    _nodule(2, TRAIN),
    _nodule(314, VALIDATION),
)


@dataclass(frozen=True, kw_only=True)
class KeySlice:
    """An annotated slice: its row of the table, and what each reader marked, by their number."""

    row: dict[str, object]
    readings: dict[int, list[float]]


def build(source: Path, out: Path, tumours: Iterable[Tumour] = TUMOURS) -> int:
    """Write the sample of `tumours` to `out`; the number of annotated slices."""
    slices = [one for tumour in tumours for one in _write(tumour, source, out)]
    with (out / TABLE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEADER, lineterminator="\n")
        writer.writeheader()
        writer.writerows(one.row for one in slices)
    write_readings(out, ((str(one.row["File_name"]), at, reader, points)
                         for at, one in enumerate(slices, 1)
                         for reader, points in one.readings.items()))  # fmt: skip
    return len(slices)


def _write(tumour: Tumour, source: Path, out: Path) -> Iterator[KeySlice]:
    volume, mask = read_nifti(source / tumour.ct), read_nifti(source / tumour.mask)
    outlines = read_nifti(source / tumour.readers).hu if tumour.readers else np.zeros_like(mask.hu)
    folder = f"{tumour.patient:06d}_01_01"
    keys = spread(mask.hu > 0)
    for key in keys:
        labels = (mask.hu[key] > 0).astype(np.uint8)
        _save(out / "Images_png" / folder / f"{key:03d}.png", encode_slice(volume.hu[key]))
        _save(out / "Masks_png" / folder / f"{key:03d}_1.png", encode_labels(labels))
        row = _record(tumour, volume, labels, int(key), keys)
        yield KeySlice(row=row, readings=_readings(outlines[key], volume))


def spread(lesion: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Indices of up to `SLICES` of the large slices of a lesion (D, H, W), evenly spread."""
    areas = lesion.sum(axis=(1, 2))
    large = np.flatnonzero(areas >= SMALLEST_AREA * areas.max())
    steps = np.linspace(0, len(large) - 1, min(SLICES, len(large)))
    return large[steps.round().astype(np.int64)]


def _readings(outlines: NDArray[np.int16], volume: Volume) -> dict[int, list[float]]:
    """What each reader's outline on a slice (H, W) measures; who drew none there is left out."""
    masks = {reader: outlines >> (reader - 1) & 1 for reader in range(1, MOST_READERS + 1)}
    return {
        reader: reading(Recist.from_mask(mask, volume.spacing))
        for reader, mask in masks.items() if mask.any()
    }  # fmt: skip


def _record(
    tumour: Tumour, volume: Volume, labels: NDArray[np.uint8], key: int, keys: NDArray[np.int64]
) -> dict[str, object]:
    height, width = labels.shape
    return table_row(
        Recist.from_mask(labels, volume.spacing),
        series=(tumour.patient, 1, 1),
        key=key,
        slices=(int(keys[0]), int(keys[-1])),
        spacing=volume.spacing,
        shape=(height, width),
        window=tumour.window,
        lesion_type=tumour.lesion_type,
        split=tumour.split,
    )


def _save(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def main(source: Path = Path("../shared/data"), out: Path = ROOT) -> None:
    """Write the sample.

    Args:
        source: the folder that holds `sts_ct/` and `lidc/`.
        out: where the sample goes.
    """
    print(f"{build(source, out)} annotated slices in {out}")


if __name__ == "__main__":
    tyro.cli(main)
