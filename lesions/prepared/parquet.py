"""Parquet that somebody else may have made: what we write ourselves, and of a bounded size.

A prepared set may be shared. 667 kB of Parquet can hold 8 GB, so what is read is bounded by what
cannot lie: the file's size, codecs that shrink little, each page's own header.
"""

import mmap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lesions.errors import InputError, shown
from lesions.prepared.pages import check_pages
from lesions.readers.bounded import open_regular

_MOST_BYTES = 1 << 32  # of a file, which is mapped
_MOST_FOOTER = 1 << 22  # bytes: 4000 lesions; as objects a footer is two hundred times as large
_MOST_IN_LIST = 1 << 13  # of a footer: columns, row groups
_MOST_GROUP = 1 << 28  # bytes of what is read at once
_MOST_ROWS = 1 << 20  # of a table: a million lesions, and a GB of their facts
_MOST_TABLE = 1 << 26  # bytes of a table's file
_MOST_PER_ROW = 8  # values: the coordinates of RECIST

Known = Callable[[pa.Schema], bool]


class DamagedError(InputError):
    """A regular file, that may be read, and yet is no Parquet of ours."""


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Whatever is wrong with the content of a file, said by its name as `DamagedError`."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # the system's, not pyarrow's
            raise
        raise DamagedError(f"no readable Parquet: {shown(str(error))}", file=path) from None
    except InputError as error:
        if error.file is not None:
            raise
        raise DamagedError(error.reason, file=path, remedy=error.remedy) from None
    except Exception as error:  # pyarrow raises many kinds on a damaged file
        raise DamagedError(f"no readable Parquet: {shown(str(error))}", file=path) from None


class Parquet:
    """A file, mapped: its footer is read, and checked to be of a bounded size.

    Args:
        path: the file.
        known: whether the schema is one that we write.
        most: bytes that the file may have.

    Raises:
        DamagedError: no Parquet, or another.
        InputError: no regular file, or too large.
        OSError: it is absent, or may not be read.
    """

    def __init__(self, path: Path, known: Known, most: int = _MOST_BYTES) -> None:
        self.path = path
        with open_regular(path, most) as file, named(path):
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self.content = memoryview(mapped)
            footer = int.from_bytes(self.content[-8:-4], "little")
            if footer > _MOST_FOOTER:
                raise InputError(f"its footer has {footer} bytes, more than {_MOST_FOOTER}")
            self.file = pq.ParquetFile(
                pa.BufferReader(pa.py_buffer(mapped)), pre_buffer=False,
                thrift_string_size_limit=_MOST_FOOTER, thrift_container_size_limit=_MOST_IN_LIST,
            )  # fmt: skip
            if not known(self.file.schema_arrow):
                raise InputError("its columns are not those of a prepared set")

    @property
    def columns(self) -> frozenset[str]:
        """Their names."""
        return frozenset(self.file.schema_arrow.names)

    @property
    def groups(self) -> int:
        """How many row groups."""
        return int(self.file.metadata.num_row_groups)

    def says(self, name: str) -> bool:
        """Whether the footer has such a word of its own."""
        return name.encode() in (self.file.metadata.metadata or {})

    def said(self, name: str) -> bytes:
        """A word of the footer's own; DamagedError where there is none."""
        with named(self.path):
            if not self.says(name):
                raise InputError(f"its footer does not say {name}")
            return bytes(self.file.metadata.metadata[name.encode()])

    def batches(self, group: int, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows of a row group, of a bounded size at a time.

        Raises:
            DamagedError: they cannot be read, or are not as they say.
        """
        with named(self.path):
            rows, largest = self._check(group, columns)
            # In a dictionary one value may stand for all of them.
            at_once = max(1, min(1024, (_MOST_GROUP >> 1) // max(largest, 1)))
            found = 0
            for batch in self.file.iter_batches(
                at_once, row_groups=[group], columns=columns, use_threads=False
            ):
                found += batch.num_rows
                yield batch
            if found != rows:
                raise InputError(f"holds {found} rows of {rows}")

    def _check(self, group: int, columns: Sequence[str] | None) -> tuple[int, int]:
        """How many rows a group has, and the bytes of its largest column."""
        told = self.file.metadata.row_group(group)
        if not 0 <= told.num_rows <= _MOST_ROWS:
            raise InputError(f"a row group says {told.num_rows} rows")
        sizes = []
        for number in range(told.num_columns):
            column = told.column(number)
            if columns is None or column.path_in_schema.partition(".")[0] in columns:
                sizes.append(check_pages(self.content, column, _MOST_PER_ROW * told.num_rows))
        if sum(sizes) > _MOST_GROUP:
            raise InputError(f"a row group has {sum(sizes)} bytes, more than {_MOST_GROUP}")
        return int(told.num_rows), max(sizes, default=0)


def read_table(path: Path, schema: pa.Schema) -> pa.Table:
    """A small table whole.

    Raises:
        DamagedError: no Parquet, of another schema, or larger than its file should make it.
        InputError: no regular file, or too large.
        OSError: it is absent, or may not be read.
    """
    parquet = Parquet(path, lambda found: bool(found.equals(schema)), _MOST_TABLE)
    with named(path):
        if parquet.file.metadata.num_rows > _MOST_ROWS:
            raise InputError(f"has {parquet.file.metadata.num_rows} rows, more than {_MOST_ROWS}")
        size, gathered = 0, []
        for group in range(parquet.groups):
            for batch in parquet.batches(group):
                size += batch.nbytes
                if size > 4 * _MOST_TABLE:
                    raise InputError(f"holds more than {4 * _MOST_TABLE} bytes")
                gathered.append(batch)
        table = pa.Table.from_batches(gathered, schema)
        table.validate(full=True)  # text is UTF-8
        return table


def one_row(parquet: Parquet, group: int, columns: Sequence[str] | None = None) -> dict[str, Any]:
    """The row of a group that holds one alone; DamagedError where it does not."""
    rows = [row for batch in parquet.batches(group, columns) for row in batch.to_pylist()]
    if len(rows) != 1:
        raise DamagedError(f"a lesion has {len(rows)} rows", file=parquet.path)
    row: dict[str, Any] = rows[0]
    return row
