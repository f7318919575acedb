"""What a JPEG or JPEG-LS codestream says of itself, as libjpeg and CharLS read it, or refused."""

import struct
from collections.abc import Collection
from typing import NamedTuple

from lesions.errors import InputError

_START, _SCAN, _PARAMETERS = 0xD8, 0xDA, 0xF8
_APPLICATIONS = range(0xE0, 0xF0)
_COMMENT, _RESTARTS, _HUFFMAN, _QUANTA = 0xFE, 0xDD, 0xC4, 0xDB
_CODING_PARAMETERS = 1  # a JPEG-LS parameter segment may also hold tables, or another size


class Coded(NamedTuple):
    """What a codestream says of itself."""

    shape: tuple[int, int]
    components: int
    bits: int


def jpeg(frame: bytes) -> tuple[bytes, Coded]:
    """A JPEG codestream and its frame header: baseline, extended, or lossless.

    DICOM has no other, and a progressive file of a megabyte can hold scans for minutes.
    """
    segments = {*_APPLICATIONS, _COMMENT, _RESTARTS, _HUFFMAN, _QUANTA}
    return frame, _frame_header(frame, (0xC0, 0xC1, 0xC3), segments)


def jpeg_ls(frame: bytes) -> tuple[bytes, Coded]:
    """A JPEG-LS codestream and its frame header."""
    segments = {*_APPLICATIONS, _COMMENT, _RESTARTS, _PARAMETERS}
    return frame, _frame_header(frame, (0xF7,), segments)


def _frame_header(frame: bytes, starts: Collection[int], segments: Collection[int]) -> Coded:
    """The one frame header before the first scan; every other segment there is a known one.

    A marker without parameters has no length to be skipped by: what comes next would depend on
    who reads.
    """
    if frame[:2] != bytes([0xFF, _START]):
        raise IndexError
    at, coded = 2, None
    while True:
        if frame[at] != 0xFF:
            raise IndexError
        while (marker := frame[at + 1]) == 0xFF:  # a marker may be filled up before
            at += 1
        if marker == _SCAN and coded is not None:
            return coded
        (length,) = struct.unpack_from(">H", frame, at + 2)
        if marker in starts and coded is None:
            bits, rows, columns, components = struct.unpack_from(">BHHB", frame, at + 4)
            coded = Coded((rows, columns), components, bits)
        elif (
            marker not in segments
            or length < 2
            or (marker == _PARAMETERS and frame[at + 4] != _CODING_PARAMETERS)
        ):
            raise InputError(f"the codestream has a segment FF{marker:02X}, which is not read")
        at += 2 + length
