"""Make the sample from the CC BY sets: `python -m lesions.sample.build --source ../shared/data`.

Every axial slice of a tumour whose human mask is at least a quarter of the largest one's area
becomes a key slice, its RECIST measured from the mask. HU and spacing stay exact. The split is by
patient and fixed by the order of the names, not by any result.
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
from lesions.writers.deeplesion import HEADER, table_row

SMALLEST_AREA = 0.25  # of the tumour's largest slice


@dataclass(frozen=True, kw_only=True)
class Tumour:
    """One tumour of a public set, and its place in the sample.

    Attributes:
        ct, mask: files below the source folder.
        patient: its number in the sample; 9000NN are STS_0NN, 9100NN are LIDC-IDRI-00NN.
        lesion_type: DeepLesion's code; 5 lung, 7 soft tissue.
        window: (low, high) HU.
        split: 1 train, 2 validation, 3 test.
        step: take every step-th slice (thin slices differ little).
    """

    ct: str
    mask: str
    patient: int
    lesion_type: int
    window: tuple[int, int]
    split: int
    step: int = 1


def _sarcoma(number: int, split: int) -> Tumour:
    stem = f"sts_ct/STS_{number:03d}"
    return Tumour(
        ct=f"{stem}_ct.nii.gz", mask=f"{stem}_gtv.nii.gz", patient=900000 + number,
        lesion_type=7, window=(-50, 150), split=split,
    )  # fmt: skip


def _nodule(number: int, split: int, step: int) -> Tumour:
    stem = f"lidc/LIDC-IDRI-{number:04d}"
    return Tumour(
        ct=f"{stem}_ct.nii.gz", mask=f"{stem}_mask_consensus.nii.gz", patient=910000 + number,
        lesion_type=5, window=(-1500, 500), split=split, step=step,
    )  # fmt: skip


TRAIN, VALIDATION, TEST = 1, 2, 3
TUMOURS = (
    *(_sarcoma(number, TRAIN) for number in (2, 3, 10, 18, 23, 28, 41, 42)),
    *(_sarcoma(number, VALIDATION) for number in (15, 32, 51)),
    *(_sarcoma(number, TEST) for number in (8, 24, 50)),
    _nodule(2, TRAIN, step=2),
    _nodule(1, TEST, step=1),
)


def build(source: Path, out: Path, tumours: Iterable[Tumour] = TUMOURS) -> int:
    """Write the sample of `tumours` to `out`; the number of annotated slices."""
    records = [record for tumour in tumours for record in _write(tumour, source, out)]
    with (out / TABLE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEADER, lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    return len(records)


def _write(tumour: Tumour, source: Path, out: Path) -> Iterator[dict[str, object]]:
    volume, mask = read_nifti(source / tumour.ct), read_nifti(source / tumour.mask)
    folder = f"{tumour.patient:06d}_01_01"
    areas = (mask.hu > 0).sum(axis=(1, 2))
    keys = np.flatnonzero(areas >= SMALLEST_AREA * areas.max())[:: tumour.step]
    for key in keys:
        labels = (mask.hu[key] > 0).astype(np.uint8)
        _save(out / "Images_png" / folder / f"{key:03d}.png", encode_slice(volume.hu[key]))
        _save(out / "Masks_png" / folder / f"{key:03d}_1.png", encode_labels(labels))
        yield _record(tumour, volume, labels, int(key), keys)


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
