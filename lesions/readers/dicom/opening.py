"""Opening a DICOM file: wherever its bytes are, inflated once, its header within bounds.

pydicom believes every length, parses sequences by the million, and inflates whatever comes.
"""

import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import pydicom
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import (
    _at_pixel_data,
    _read_command_set_elements,
    _read_file_meta_info,
    read_dataset,
    read_preamble,
    read_sequence,
)
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from lesions.errors import InputError
from lesions.readers.dicom.archives import MOST_INFLATED, check_start, open_file
from lesions.readers.dicom.tags import named_errors

# The longest volume has 2,048 slices of 512 × 512; a multi-frame file says 2 to 8 kB of each.
MOST_HEADER = 16 << 20
# Three for an element or a sequence's item; each takes pydicom 10 to 40 µs and 0.7 kB.
MOST_READS = 1 << 20
MOST_SLICES = 1 << 14  # eight times the longest CT: each takes 1 kB and 0.3 ms, however small
_CHARACTER_SET = (b"\x08\x00\x05\x00", b"\x00\x08\x00\x05")
_SEQUENCES = (
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "SegmentSequence",
)  # fmt: skip
_GROUPS = (
    "CTAcquisitionDetailsSequence", "CTImageFrameTypeSequence", "PixelMeasuresSequence",
    "PixelValueTransformationSequence", "PlaneOrientationSequence", "PlanePositionSequence",
    "SegmentIdentificationSequence",
)  # fmt: skip


@contextmanager
def open_dicom(path: Path, tags: tuple[str, ...]) -> Iterator[tuple[Dataset, BinaryIO]]:
    """The data set of a file, with `tags` alone, and the stream at its pixel data or its end.

    A file without the DICM mark is taken when it starts as old DICOM files do.

    Raises:
        InputError: it cannot be read; also whatever a damaged file raises inside the block.
    """
    with named_errors(path), open_file(path) as file:
        check_start(file.read(132))
        bounded = Bounded(file, "its header", MOST_HEADER)
        wanted: list[Any] = [Tag(one) for one in tags]
        meta = _meta(bounded)
        if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
            file = bounded.turn_to(_inflated(file))
            dataset = read_dataset(
                bounded.stream, False, True, stop_when=_at_pixel_data, specific_tags=wanted
            )
            dataset.file_meta = meta
        else:
            file.seek(0)
            dataset = pydicom.dcmread(
                bounded.stream, stop_before_pixels=True, force=True, specific_tags=wanted
            )
        start = file.tell()
        _parse(dataset, bounded)
        file.seek(start)
        yield dataset, file


class Bounded:
    """A file as pydicom's reader sees it: so many bytes and so many reads, then InputError."""

    def __init__(self, file: BinaryIO, part: str, most: int) -> None:
        self._part, self._most = part, most
        self._bytes, self._reads, self._character_set = most, MOST_READS, False
        self.turn_to(file)

    def turn_to(self, file: BinaryIO) -> BinaryIO:
        """Read on in another file, within the same bounds."""
        self._file, self.seek, self.tell = file, file.seek, file.tell
        return file

    @property
    def stream(self) -> BinaryIO:
        """Itself, which is all of a file that pydicom uses."""
        return cast(BinaryIO, self)

    def read(self, size: int) -> bytes:
        """So many bytes, or what there is; InputError beyond the bounds."""
        # Each name in a list of character sets that pydicom does not know takes it 50 µs.
        self._reads -= 16 * size if self._character_set else 1
        self._bytes -= size
        if size < 0 or self._bytes < 0 or self._reads < 0:
            raise InputError(
                f"{self._part} has more than {self._most >> 20} MB or {MOST_READS // 3} elements"
            )
        data = self._file.read(size)
        if size == 8:  # an element's tag and length
            self._character_set = data[:4] in _CHARACTER_SET
        return data


def _meta(bounded: Bounded) -> FileMetaDataset:
    """The file meta information; the file stands where its data set starts.

    By pydicom's own functions, though not public: another reader may see another transfer syntax,
    or another start.
    """
    bounded.seek(0)
    read_preamble(bounded.stream, force=True)
    meta = _read_file_meta_info(bounded.stream)
    _read_command_set_elements(bounded.stream)
    return meta


def _inflated(file: BinaryIO) -> BinaryIO:
    """What the rest of a file inflates to."""
    inflated, left = io.BytesIO(), MOST_INFLATED
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    while not inflater.eof and (block := file.read(1 << 20)):
        left -= inflated.write(inflater.decompress(block, left + 1))
        if left < 0:
            raise InputError("a deflated file of more than 64 MB", remedy="store it inflated")
    if not inflater.eof:
        raise InputError("the deflated data end early")
    inflated.seek(0)
    return inflated


def _parse(dataset: Dataset, bounded: Bounded) -> None:
    """Parse the sequences that are read, within the bounds; pydicom would do it when asked."""
    for keyword in _SEQUENCES:
        found = _items(dataset, keyword, bounded)
        if len(found) > MOST_SLICES:
            raise InputError(f"describes {len(found)} slices, more than {MOST_SLICES}")
        for one in found:
            for group in _GROUPS:
                _items(one, group, bounded)


def _items(dataset: Dataset, keyword: str, bounded: Bounded) -> Any:
    tag = Tag(keyword)
    raw = dataset.get_item(tag)
    if isinstance(raw, RawDataElement) and raw.VR in ("SQ", "UN", None):
        value = raw.value or b""
        bounded.turn_to(io.BytesIO(value))
        encoding = dataset.original_character_set
        parsed = read_sequence(
            bounded.stream, raw.is_implicit_VR, raw.is_little_endian, len(value), encoding
        )
        dataset[tag] = DataElement(tag, "SQ", parsed)
    found = dataset.get_item(tag)
    return found.value if found is not None and found.VR == "SQ" else ()
