"""DICOM files: bytes, tags and codestreams damaged, alone and in a series."""

import struct
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pydicom
from pydicom import uid
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.tag import BaseTag, Tag

from lesions.readers.dicom import read_dicom, read_dicom_folder
from lesions.readers.dicom.header import TAGS
from tests.lesions.readers.dicom_files import ENCODERS, compress, ct, enhanced, series
from tests.lesions.readers.fuzz.bombs import blank_file, resized
from tests.lesions.readers.fuzz.mutations import FLOATS, INTEGERS, TEXTS, mutate
from tests.lesions.readers.fuzz.nifti import check_volume
from tests.lesions.readers.fuzz.saving import bytes_of, dataset_of

REAL = Path(__file__).resolve().parents[5] / "shared" / "data" / "dicom"
_VRS = ("US", "SS", "UL", "DS", "IS", "FD", "FL", "CS", "UI", "LO", "SQ", "OB", "OW", "UN", "AT")
_SYNTAXES = (
    *(syntax for syntax, _, _ in ENCODERS.values()),
    uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian, uid.JPEGBaseline8Bit, uid.JPEG2000, uid.MPEG2MPML, "1.2.3",
)  # fmt: skip
_PIXELS = Tag("PixelData")


@cache
def small(compressed: bool = False) -> list[bytes]:
    """A file of every encoding and kind that the reader knows, 12 × 10 pixels each."""
    y, x = np.mgrid[:12, :10]
    hu = (300 * np.sin(x / 5) + 200 * np.cos(y / 7)).astype(np.int16)
    stored = (hu.astype(np.int32) + 1024).astype(np.uint16)
    volume = np.stack([hu, hu // 2, hu // 3])
    name: dict[str, Any] = {"SOPInstanceUID": "1.2.4"}
    packed = [
        compress(ct(hu, **name), syntax, [encode(stored)])
        for syntax, encode, _ in ENCODERS.values()
    ]
    frames = [encode_frame("JPEG-LS", one) for one in volume]
    packed.append(compress(enhanced(volume, **name), uid.JPEGLSLossless, frames))
    if compressed:
        return [bytes_of(one) for one in packed]
    native = [ct(hu, **name), enhanced(volume, **name), ct(hu, NumberOfFrames=1, **name)]
    for syntax in (
        uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.DeflatedExplicitVRLittleEndian,
    ):  # fmt: skip
        native.append(ct(hu, **name))
        native[-1].file_meta.TransferSyntaxUID = syntax
    return [bytes_of(one) for one in (*native, *packed)]


def encode_frame(name: str, hu: np.ndarray) -> bytes:
    frame: bytes = ENCODERS[name][1]((hu.astype(np.int32) + 1024).astype(np.uint16))
    return frame


@cache
def real(compressed: bool = False) -> list[bytes]:
    """The files of `../shared/data/dicom`; one slice of the series stands for it."""
    files = [REAL / "lidc_0001_13slices" / "037.dcm", *sorted(REAL.glob("[!l]*/*.dcm"))]
    images = [file.read_bytes() for file in files]
    if not compressed:
        return images
    return [one for one in images if dataset_of(one).file_meta.TransferSyntaxUID.is_encapsulated]


def damage_bytes(images: list[bytes], chance: Random) -> bytes:
    whole = chance.choice(images)
    return mutate(whole, chance, others=images, front=chance.choice((400, 2000, len(whole))))


def damage_tags(images: list[bytes], chance: Random) -> bytes:
    """One to three elements absent, of another kind, or with other contents."""

    def damage(dataset: Dataset) -> None:
        for _ in range(chance.choice((1, 1, 2, 3))):
            _damage_tag(dataset, chance)

    return damaged(chance.choice(images), damage)


def damaged(whole: bytes, damage: Callable[[Dataset], None]) -> bytes:
    """The file saved with a damage that shows."""
    unharmed = bytes_of(dataset_of(whole))
    while True:
        dataset = dataset_of(whole)
        # What pydicom cannot read or write at all is no input.
        with suppress(Exception):
            damage(dataset)
            if (mutated := bytes_of(dataset)) != unharmed:
                return mutated


def _damage_tag(top: Dataset, chance: Random) -> None:
    if chance.random() < 0.05:
        top.file_meta.TransferSyntaxUID = chance.choice(_SYNTAXES)
        return
    dataset = chance.choice([top, top, *_nested(top)])
    known = [tag for tag in map(Tag, TAGS) if tag in dataset]
    tag = chance.choice(
        known if known and chance.random() < 0.8 else list(dataset.keys()) or [_PIXELS]
    )
    if chance.random() < 0.2 or tag not in dataset:
        dataset.pop(tag, None)
        return
    element = dataset[tag]
    vr = chance.choice(_VRS) if chance.random() < 0.15 else str(element.VR)[:2]
    if element.VR == "SQ" and vr == "SQ":
        items = list(element.value)
        element.value = pydicom.Sequence(
            chance.choice((items[:1], items[1:], items * 2, [Dataset()]))
        )
        return
    _put(dataset, tag, vr, _contents(vr, chance))


def put_any(dataset: Dataset, keyword: str, chance: Random) -> None:
    """An element gone, or with contents of its kind that no library writes."""
    dataset.pop(Tag(keyword), None)
    if chance.random() < 0.8:
        vr = dictionary_VR(keyword)
        _put(dataset, Tag(keyword), vr, _contents(vr, chance))


def _nested(dataset: Dataset) -> list[Dataset]:
    """Every data set within its sequences."""
    found = []
    for element in dataset:
        if element.VR == "SQ":
            for one in element.value:
                found += [one, *_nested(one)]
    return found


def _put(dataset: Dataset, tag: BaseTag, vr: str, value: bytes) -> None:
    """Raw, as no library writes it."""
    implicit, little = dataset.original_encoding
    dataset[tag] = RawDataElement(
        tag, vr, len(value), value, 0, bool(implicit), little is not False, True
    )


def _contents(vr: str, chance: Random) -> bytes:
    number = chance.choice(INTEGERS)
    sizes = {"US": 2, "SS": 2, "UL": 4, "FL": 4, "FD": 8, "AT": 4}
    if vr == "FD":
        return struct.pack("<d", chance.choice(FLOATS))
    if vr in sizes:
        count = chance.choice((1, 1, 1, 2, 0))
        return (number % (1 << 8 * sizes[vr])).to_bytes(sizes[vr], "little") * count
    if vr in ("OB", "OW", "UN", "SQ"):
        return chance.randbytes(chance.choice((0, 1, 10, 240)))
    texts = [chance.choice((*TEXTS, str(number), "1.5", "1024", "-1024")) for _ in range(6)]
    text = "\\".join(texts[: chance.choice((1, 1, 2, 3, 6))])
    return text.encode("utf-8", "surrogateescape")[:60_000]


def damage_frames(images: list[bytes], chance: Random) -> bytes:
    """Codestreams, their fragments or their offsets, in a file that is sound around them."""

    def damage(dataset: Dataset) -> None:
        count = int(dataset.get("NumberOfFrames", 1) or 1)
        frames = list(generate_frames(dataset.PixelData, number_of_frames=count))
        how = chance.choice(("stream", "stream", "stream", "around", "size", "middle", "syntax"))
        index = chance.randrange(len(frames))
        if how == "stream":
            frames[index] = mutate(frames[index], chance, others=frames, front=200)
        elif how == "middle":
            start, end = sorted(chance.sample(range(len(frames[index])), 2))
            frames[index] = frames[index][:start] + frames[index][end:]
        elif how == "size":
            rows, columns = chance.choice(((4096, 4096), (1, 1), (4096, 1), (1, 4096), (13, 10)))
            dataset.Rows, dataset.Columns = rows, columns
            frames = [resized(frame, rows, columns) for frame in frames]
        elif how == "syntax":
            dataset.file_meta.TransferSyntaxUID = chance.choice(_SYNTAXES)
        fragments, offsets = chance.choice((1, 1, 2, 5)), chance.random() < 0.7
        packed = encapsulate(frames, fragments_per_frame=fragments, has_bot=offsets)
        dataset.PixelData = mutate(packed, chance, front=40) if how == "around" else packed
        dataset["PixelData"].is_undefined_length = True

    return damaged(chance.choice(images), damage)


def read_file(folder: Path) -> tuple[int, list[str]]:
    for volume in read_dicom(folder / "image"):
        check_volume(volume)
        assert len(volume.slices) == len(volume.hu)
    return 1, []


def write_folder(chance: Random, folder: Path) -> None:
    """A series of five slices with one to three of its files damaged, doubled or replaced."""
    files = list(_series())
    whole = list(files)
    while files == whole:
        for _ in range(chance.choice((1, 1, 2, 3))):
            index = chance.randrange(len(files))
            how = chance.choice(("bytes", "tags", "tags", "tags", "double", "drop", "stranger"))
            if how == "bytes":
                files[index] = mutate(whole[index % len(whole)], chance, others=whole)
            elif how == "tags":
                files[index] = damage_tags(whole, chance)
            elif how == "double":
                files.append(files[index])
            elif how == "stranger":
                files.append(chance.choice((b"", b"no DICOM", chance.choice(small()))))
            elif len(files) > 1:
                del files[index]
    if chance.random() < 0.05:
        files += map(blank_file, range(chance.choice((20, 60))))
    chance.shuffle(files)
    for index, one in enumerate(files):
        (folder / f"IM{index}").write_bytes(one)


@cache
def _series() -> tuple[bytes, ...]:
    images = series()
    for index, image in enumerate(images):
        image.SOPInstanceUID = f"1.2.5.{index}"
    return tuple(map(bytes_of, images))


def read_folder(folder: Path) -> tuple[int, list[str]]:
    volumes, rejected = read_dicom_folder(folder)
    for volume in volumes:
        check_volume(volume)
    accepted = {origin.file for volume in volumes for origin in volume.slices}
    assert sorted([*accepted, *(one.file for one in rejected)]) == sorted(folder.iterdir())
    return len(accepted), [one.reason for one in rejected]
