"""Images with a lesion, damaged: MetaImage, NRRD, PNG, DICOM and what it is packed in."""

import gzip
import io
import zipfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from lesions.readers.png import encode_slice
from lesions.writers.source_image import FILED_BY, GROUPS
from tests.lesions.readers.dicom_files import ct, enhanced, series
from tests.lesions.readers.fuzz import dicom, png
from tests.lesions.readers.fuzz.mutations import FLOATS, INTEGERS, TEXTS, mutate
from tests.lesions.readers.fuzz.saving import bytes_of
from tests.lesions.readers.grid_files import metaimage, nrrd

_SHAPE = (24, 20, 4)
_FIELDS = (
    "HeaderSize = -1", "ElementDataFile = LIST", "ElementDataFile = ct.raw", "NDims = 4",
    "ElementByteOrderMSB = True", "DistanceUnits = mm", "AnatomicalOrientation = RAS",
    "Position = 0 0 0", "ElementSize = 1 1 1", "ElementNumberOfChannels = 3", "CompressedData = 1",
    "byte skip: -1", "byteskip: 4", "line skip: 1", "lineskip: 2", "data file: ct.raw",
    "encoding: bzip2", "encoding: gzip", "space: RAS", "space: LAS", "spacings: 1 1 1",
    "space units: \"mm\" \"mm\" \"mm\"", "sizes: 4 4", "note:=x", "datafile: LIST", "kinds: a b c",
)  # fmt: skip
_WORDS = (
    "0", "1", "-1", "none", "True", "nan", "inf", "MET_DOUBLE", "MET_UCHAR", "double", "uchar",
    "block", "big", "raw", "gzip", "hex", "(1,0,0)", "(0,0,1) (0,1,0) (1,0,0)", "ct.raw", "../x",
)  # fmt: skip

_TAKEN_OVER = ("SpecificCharacterSet", *FILED_BY, *GROUPS, "SOPInstanceUID", "SliceThickness")


@cache
def volume() -> np.ndarray:
    """(I, J, K): a blob of 60 HU in fat and noise."""
    i, j, k = np.mgrid[: _SHAPE[0], : _SHAPE[1], : _SHAPE[2]]
    blob = (i - 12) ** 2 + (j - 10) ** 2 + 9 * (k - 2) ** 2 < 40
    noise = np.random.default_rng(0).normal(0, 12, _SHAPE)
    return np.asarray(np.where(blob, 60, -90) + noise, np.int16)


@cache
def _images(ending: str) -> tuple[bytes, ...]:
    written = metaimage if ending == ".mha" else nrrd
    affine = np.diag([0.7, 0.8, 2.5, 1.0])
    turned = affine[:, [2, 0, 1, 3]]
    voxels = volume()
    return (
        written(voxels, affine), written(voxels, affine, True),
        written(voxels.astype(np.float32), affine),
        written(voxels.transpose(2, 0, 1).astype(np.int32), turned),
    )  # fmt: skip


def write_metaimage(chance: Random, folder: Path) -> None:
    _write(".mha", ".mhd", b"LOCAL\n", chance, folder)


def write_nrrd(chance: Random, folder: Path) -> None:
    _write(".nrrd", ".nhdr", b"\n\n", chance, folder)


def _write(ending: str, other: str, last: bytes, chance: Random, folder: Path) -> None:
    """One file, or the header and its voxels beside it."""
    whole = chance.choice(_images(ending))
    at = whole.index(last) + len(last)
    header, voxels = whole[:at], whole[at:]
    if chance.random() < 0.3:
        beside = f"{'ElementDataFile =' if ending == '.mha' else 'data file:'} ct.raw\n".encode()
        header = header.replace(b"ElementDataFile = LOCAL\n", b"").rstrip(b"\n") + b"\n" + beside
        (folder / "ct.raw").write_bytes(mutate(voxels, chance) if chance.random() < 0.3 else voxels)
        ending, voxels = other, b""
    how = chance.choice(("fields", "fields", "fields", "bytes", "voxels", "voxels"))
    if how == "fields":
        header = _fields(header, chance)
    elif how == "bytes":
        header = mutate(header, chance, others=_images(".mha"), front=len(header))
    elif voxels:
        voxels = mutate(voxels, chance, front=20)
    (folder / f"image{ending}").write_bytes(header + voxels)


def _fields(header: bytes, chance: Random) -> bytes:
    """One to three lines of a header changed, gone, doubled, moved or added."""
    lines = header.decode().split("\n")
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        at, to = chance.randrange(len(lines)), chance.randrange(len(lines))
        how = chance.choice(("value", "value", "word", "word", "drop", "double", "swap", "add"))
        mark = "=" if "=" in lines[at] else ":"
        name, _, value = lines[at].partition(mark)
        if how == "value":
            number = chance.choice((*map(str, INTEGERS), *map(repr, FLOATS), *TEXTS, *_WORDS))
            lines[at] = f"{name}{mark} {number}"
        elif how == "word" and value.split():
            words = value.split(" ")
            word = chance.randrange(len(words))
            words[word] = chance.choice((*_WORDS, words[word] + "0", "-" + words[word], "2.5"))
            lines[at] = f"{name}{mark}{' '.join(words)}"
        elif how == "drop":
            del lines[at]
            lines = lines or [""]
        elif how == "double":
            lines.insert(to, lines[at])
        elif how == "swap":
            lines[at], lines[to] = lines[to], lines[at]
        else:
            own = [one for one in _FIELDS if ("=" in one) == ("=" in lines[0])]
            lines.insert(to, chance.choice(own))
    return "\n".join(lines).encode("utf-8", "surrogateescape")


@cache
def _slices() -> tuple[bytes, ...]:
    images = series(volume().transpose(2, 1, 0))
    for index, image in enumerate(images):
        image.SOPInstanceUID = f"1.2.5.{index}"
    return tuple(map(bytes_of, images))


def write_archive(chance: Random, folder: Path) -> None:
    """A .zip of a series, or one slice as .dcm.gz, damaged inside or outside."""
    slices = list(_slices())
    if chance.random() < 0.3:
        slices[0] = dicom.damage_bytes(slices, chance)
    if chance.random() < 0.25:
        packed = gzip.compress(slices[0], 1, mtime=0)
        (folder / "image.dcm.gz").write_bytes(mutate(packed, chance, front=20))
        return
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", chance.choice((0, 8))) as archive:
        for index, one in enumerate(slices):
            name = zipfile.ZipInfo(chance.choice((f"a/{index}.dcm", f"{index}")))
            archive.writestr(name, one, compress_type=chance.choice((0, 8)))
    whole = file.getvalue()
    end = whole.index(b"PK\1\2")
    damaged = whole[:end] + mutate(whole[end:], chance, front=200)
    (folder / "image.zip").write_bytes(chance.choice((damaged, mutate(whole, chance), whole)))


def write_png(chance: Random, folder: Path) -> None:
    whole = encode_slice(volume()[..., 2].T, 1)
    other = encode_slice(volume()[..., 0], 1)
    (folder / "image.png").write_bytes(png.damage(whole, other, chance))


def damage_patient(images: list[bytes], chance: Random) -> bytes:
    """What objects take over of an image: names, dates, UIDs, character sets."""

    def damage(dataset: Dataset) -> None:
        for keyword in chance.sample(_TAKEN_OVER, chance.choice((1, 1, 2, 4))):
            dicom.put_any(dataset, keyword, chance)

    return dicom.damaged(chance.choice(images), damage)


@cache
def slices() -> list[bytes]:
    """A slice and a multi-frame image with a lesion in them, and what the reader's own fuzz has."""
    display = volume().transpose(2, 1, 0)
    name: dict[str, Any] = {"SOPInstanceUID": "1.2.4", "PatientName": "Doe^Jane"}
    return [bytes_of(ct(display[2], **name)), bytes_of(enhanced(display, **name)), *dicom.small()]
