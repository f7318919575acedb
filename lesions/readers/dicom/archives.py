"""Where a DICOM file's bytes are: a file, one packed by gzip (.gz), or a member of a .zip.

A member is named by a path below its archive, as `export.zip/series/001.dcm`. Nothing is unpacked
to disk, so a member's name leads nowhere.
"""

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from lesions.errors import InputError, shown
from lesions.readers.bounded import open_regular
from lesions.volume import MOST_VOXELS

NO_DICOM = "no DICOM file"
# The longest volume, uncompressed, is 1 GiB.
MOST_BYTES = 2 * MOST_VOXELS + (64 << 20)
# What a deflated file may grow to: 500 kB of it can ask for gigabytes and minutes.
MOST_INFLATED = 64 << 20
# Bytes of HU for one of a file, and of a file for one in its .zip: lossy JPEG 2000 has 100, a blank
# slice of JPEG-LS 400.
MOST_RATIO = 256
MOST_MEMBERS = 1 << 15
_MOST_DIRECTORY = 4 << 20  # bytes: 100 for a member
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00")
_LOCAL_HEADER = 30  # bytes
_ENCRYPTED = 1


def check_start(head: bytes) -> None:
    """InputError unless a file's first 132 bytes are DICOM's, or start as old DICOM files do."""
    if head[128:132] != b"DICM" and head[:2] not in _FIRST_GROUPS:
        raise InputError(NO_DICOM)


@contextmanager
def open_file(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a DICOM file, inflated; they may be sought.

    Raises:
        InputError: it is too large, damaged, or does not start as DICOM.
        OSError: it is absent, or may not be read.
    """
    archive = archive_of(path)
    if archive is not None:
        yield io.BytesIO(_member(archive, _directory(archive)[_inside(path, archive)]))
        return
    with open_regular(path, MOST_BYTES) as file:
        yield _unpacked(file) if path.name.lower().endswith(".gz") else file


def size_of(path: Path) -> int:
    """Bytes of a file, packed; OSError or InputError as `open_file`."""
    archive = archive_of(path)
    if archive is None:
        return path.stat().st_size
    return _directory(archive)[_inside(path, archive)].compress_size


def archive_of(path: Path) -> Path | None:
    """The .zip that a path leads into."""
    return next((one for one in path.parents if is_archive(one)), None)


def is_archive(path: Path) -> bool:
    """Whether it is a file that is called .zip."""
    return path.name.lower().endswith(".zip") and path.is_file()


def members(archive: Path) -> list[Path]:
    """The paths of what a .zip holds, for `open_file`.

    Raises:
        InputError: it is damaged, holds names that lead elsewhere, or more than is read.
    """
    return sorted(archive / name for name in _directory(archive))


def _inside(path: Path, archive: Path) -> str:
    return path.relative_to(archive).as_posix()


def _directory(archive: Path) -> Mapping[str, zipfile.ZipInfo]:
    found = archive.stat()
    return _read_directory(archive, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=2)
def _read_directory(archive: Path, _size: int, _changed: int) -> Mapping[str, zipfile.ZipInfo]:
    """A .zip's members by name; kept, as each is opened several times."""
    try:
        with (
            open_regular(archive, MOST_BYTES) as file,
            zipfile.ZipFile(cast(IO[bytes], _Bounded(file))) as opened,
        ):
            listed = [one for one in opened.infolist() if not one.filename.endswith("/")]
    except InputError:
        raise
    except Exception as error:  # zipfile raises many kinds on a damaged file
        raise InputError(f"no readable .zip: {shown(str(error))}", file=archive,
                         remedy="copy or download it again") from None  # fmt: skip
    if len(listed) > MOST_MEMBERS or sum(one.file_size for one in listed) > MOST_BYTES:
        raise InputError(f"holds more than {MOST_MEMBERS} files, or {MOST_BYTES >> 20} MB",
                         file=archive, remedy="unpack it, and name a folder")  # fmt: skip
    found: dict[str, zipfile.ZipInfo] = {}
    for one in listed:
        name = PurePosixPath(one.filename)
        if not name.parts or name.is_absolute() or ".." in name.parts or str(name) in found:
            raise InputError(f"holds {shown(one.filename)!r}, a name that leads out of it or that "
                             "it has twice", file=archive)  # fmt: skip
        found[str(name)] = one
    return found


class _Bounded:
    """A file as zipfile sees it, which believes the length of the directory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        """So many bytes; InputError for more than a directory has."""
        if size > _MOST_DIRECTORY:
            raise InputError(f"its directory has {size} bytes, more than {_MOST_DIRECTORY}")
        return self._file.read(_MOST_DIRECTORY if size < 0 else size)


def _member(archive: Path, info: zipfile.ZipInfo) -> bytes:
    """What a member holds, no more than the directory says."""
    if info.flag_bits & _ENCRYPTED:
        raise InputError("is encrypted", remedy="unpack its .zip, and name a folder")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InputError("is compressed otherwise than by deflate",
                         remedy="unpack its .zip, and name a folder")  # fmt: skip
    if info.file_size > max(MOST_INFLATED, MOST_RATIO * info.compress_size):
        raise InputError(f"holds more than {MOST_INFLATED >> 20} MB and {MOST_RATIO} bytes for one")
    with open_regular(archive, MOST_BYTES) as file:
        file.seek(info.header_offset)
        local = file.read(_LOCAL_HEADER).ljust(_LOCAL_HEADER, b"\0")
        name, extra = (int.from_bytes(local[at : at + 2], "little") for at in (26, 28))
        file.seek(info.header_offset + _LOCAL_HEADER + name + extra)
        packed = file.read(info.compress_size)
    if info.compress_type == zipfile.ZIP_DEFLATED:
        packed = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, info.file_size + 1)
    if len(packed) != info.file_size or zlib.crc32(packed) != info.CRC:
        raise InputError("is not what its .zip says: damaged", remedy="copy or download it again")
    return packed


def _unpacked(file: BinaryIO) -> BinaryIO:
    """What a file packed by gzip holds."""
    packed = gzip.GzipFile(fileobj=file)
    try:
        head = packed.read(132)
        check_start(head)
        found = head + packed.read(MOST_INFLATED)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"its compressed data are damaged: {shown(str(error))}",
                         remedy="copy or download it again") from None  # fmt: skip
    if len(found) > MOST_INFLATED:
        raise InputError(f"holds more than {MOST_INFLATED >> 20} MB", remedy="unpack it")
    return io.BytesIO(found)
