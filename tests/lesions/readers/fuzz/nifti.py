"""NIfTI files, plain and gzipped: the stream, the header's fields and the voxels damaged."""

import gzip
import math
import struct
from functools import cache
from pathlib import Path
from random import Random

import nibabel
import numpy as np

from lesions import Volume, read_nifti
from lesions.readers.from_mask import lesions_from_mask
from tests.lesions.readers.fuzz.mutations import FLOATS, INTEGERS, mutate
from tests.lesions.readers.fuzz.png import zeros
from tests.lesions.readers.fuzz.rows import check_lesion

# Offset and type of what a NIfTI-1 header says: sizes, types, scaling, orientation.
FIELDS = (
    (0, "i"), (40, "h"), (42, "h"), (44, "h"), (46, "h"), (48, "h"), (70, "h"), (72, "h"),
    (76, "f"), (80, "f"), (84, "f"), (88, "f"), (108, "f"), (112, "f"), (116, "f"), (123, "b"),
    (252, "h"), (254, "h"), (256, "f"), (260, "f"), (264, "f"), (268, "f"),
    *((offset, "f") for offset in range(280, 328, 4)), (344, "i"),
)  # fmt: skip
_DATA_TYPES = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2304)
_SHAPE = (9, 8, 4)


@cache
def images() -> dict[str, bytes]:
    """Small files of every common kind, uncompressed."""
    noise = np.random.default_rng(0).integers(-1000, 1500, _SHAPE)
    labels = np.zeros(_SHAPE, np.uint8)
    labels[2:6, 3:6, 1:3], labels[7, 1, 1], labels[4, 4, 0] = 1, 2, 255
    affine = np.diag([-0.7, -0.8, 2.5, 1.0])
    turned = affine[:, [2, 0, 1, 3]]
    kinds = {
        "ct": nibabel.Nifti1Image(noise.astype(np.int16), affine),
        "float": nibabel.Nifti1Image(noise.astype(np.float32), affine),
        "turned": nibabel.Nifti1Image(noise.transpose(2, 0, 1).astype(np.int32), turned),
        "nifti-2": nibabel.Nifti2Image(noise.astype(np.int16), affine),
        "mask": nibabel.Nifti1Image(labels, affine),
    }
    return {name: image.to_bytes() for name, image in kinds.items()}


def write_volume(chance: Random, folder: Path) -> None:
    _write(images()[chance.choice(("ct", "ct", "float", "turned", "nifti-2"))], chance, folder)


def write_mask(chance: Random, folder: Path) -> None:
    """A sound CT, and its mask damaged."""
    (folder / "ct.nii").write_bytes(images()["ct"])
    _write(images()["mask"], chance, folder)


def _bomb(chance: Random) -> bytes:
    """A gzip file of zeros that asks for gigabytes: of voxels, scaled or not, or of its header."""
    side = chance.choice((2, 256, 256, 1000, 1024, 4096))
    made = nibabel.Nifti1Header()
    made.set_data_dtype(chance.choice((np.uint8, np.int16, np.float64)))
    made.set_data_shape((side, side, chance.choice((4, 100, 1024, 4096))))
    made.set_sform(np.diag([-0.7, -0.8, 2.5, 1.0]), 1)
    made["pixdim"][1:4], made["magic"] = (0.7, 0.8, 2.5), b"n+1"
    made["vox_offset"] = chance.choice((0, 352, 352, 416, 1 << 22, 1 << 23, 1 << 30))
    made["scl_slope"] = chance.choice((0, 0, 1, 0.5))
    extension = struct.pack(
        "<4B2i", chance.choice((0, 1)), 0, 0, 0, chance.choice((16, 1 << 30)), 6
    )
    count = chance.choice((1, 30, 300, 1024)) << 20
    end = b"\x1f\x8b\x08" + bytes(7) + zeros(count)[2:-4] + bytes(8)
    return gzip.compress(bytes(made.binaryblock) + extension, 1, mtime=0) + end


def _write(whole: bytes, chance: Random, folder: Path) -> None:
    if chance.random() < 0.05:
        (folder / "mutated.nii.gz").write_bytes(_bomb(chance))
        return
    mutated = _damage(whole, chance)
    packed = chance.random()
    if packed < 0.5:
        (folder / "mutated.nii").write_bytes(mutated)
    elif packed < 0.8:
        (folder / "mutated.nii.gz").write_bytes(gzip.compress(mutated, 1, mtime=0))
    else:
        others = [gzip.compress(mutated, 1, mtime=0)]
        damaged = mutate(gzip.compress(whole, 1, mtime=0), chance, others=others, front=20)
        (folder / "mutated.nii.gz").write_bytes(damaged)


def _damage(whole: bytes, chance: Random) -> bytes:
    kind = chance.choice(("bytes", "header", "header", "voxels"))
    if kind == "bytes":
        return mutate(whole, chance, others=[one for one in images().values() if one != whole])
    if kind == "voxels":
        return whole[:544] + mutate(whole[544:], chance)
    mutated = whole
    while mutated == whole:
        for _ in range(chance.choice((1, 1, 2, 3))):
            offset, form = chance.choice(FIELDS)
            mutated = (mutated[:offset] + _field(offset, form, chance)) + mutated[
                offset + struct.calcsize(form) :
            ]
    return mutated


def _field(offset: int, form: str, chance: Random) -> bytes:
    if form == "f":
        number = chance.choice((*FLOATS, 0.7, 2.5, 1, -1, 1e-3, 1e3, 1e10))
        return struct.pack(
            "<f", number if not math.isfinite(number) or abs(number) < 3e38 else 3e38
        )
    number = chance.choice(_DATA_TYPES if offset == 70 else (*INTEGERS, 3, 4, 5))
    size = struct.calcsize(form)
    return (number % (1 << 8 * size)).to_bytes(size, "little")


def read_volume(folder: Path) -> tuple[int, list[str]]:
    (path,) = folder.iterdir()
    check_volume(read_nifti(path))
    return 1, []


def read_mask(folder: Path) -> tuple[int, list[str]]:
    (path,) = folder.glob("mutated*")
    lesions = lesions_from_mask(read_nifti(folder / "ct.nii"), read_nifti(path))
    for lesion in lesions:
        check_lesion(lesion)
    return 1, []


def check_volume(volume: Volume) -> None:
    """What is accepted serves."""
    assert volume.hu.dtype == np.int16
    assert volume.hu.ndim == 3
    assert volume.hu.size
    assert all(mm > 0 and math.isfinite(mm) for mm in volume.spacing)
    assert volume.affine is not None
    assert np.isfinite(volume.affine).all()
    assert np.isfinite(np.linalg.inv(volume.affine)).all()
