"""What the pages of a Parquet file say of themselves, asked before anything is inflated.

A footer is a summary, and may lie; a reader goes by each page's own header, where twenty bytes can
ask for a billion values. Thrift's compact protocol is read here as far as such headers need it.
"""

from typing import Any

from lesions.errors import InputError

_DATA, _DICTIONARY = 0, 2  # kinds of pages, and fields 5 and 7 of their headers
_ENCODINGS = {_DATA: (0, 2, 8), _DICTIONARY: (0, 2)}  # plain, and by a dictionary
_CODECS = ("UNCOMPRESSED", "SNAPPY")
_MOST_SNAPPY = 24  # it shrinks nothing further


def check_pages(content: memoryview, column: Any, most_values: int) -> int:
    """Refuse what our writers do not write: other codecs, encodings, and pages of more values.

    Args:
        content: the whole file.
        column: pyarrow's metadata of a column in one row group.
        most_values: that it may hold.

    Returns:
        The bytes of its pages, inflated: none of its values is longer.

    Raises:
        InputError: what it is that nobody of us writes.
    """
    if column.compression not in _CODECS:
        raise InputError(f"a column is packed with {column.compression}")
    if column.num_values > most_values:
        raise InputError(f"a column holds {column.num_values} values, more than {most_values}")
    at = column.data_page_offset
    if column.dictionary_page_offset is not None:  # as pyarrow finds its start
        at = min(at, column.dictionary_page_offset or at)
    end, values, inflated = at + column.total_compressed_size, 0, 0
    if not 4 <= at <= end <= len(content):
        raise InputError("a column lies outside the file")
    while at < end:
        reader = _Compact(content[at:end])
        header = reader.struct()
        packed, size, kind = (header.get(field, -1) for field in (3, 2, 1))
        about = header.get({_DATA: 5, _DICTIONARY: 7}.get(kind, 0), {})
        if about.get(2) not in _ENCODINGS.get(kind, ()):
            raise InputError(f"a page of kind {kind} is encoded as {about.get(2)}")
        if not (0 <= packed <= end - at - reader.at and 0 <= size <= _MOST_SNAPPY * packed + 64):
            raise InputError(f"a page of {packed} bytes would have {size}")
        count = about.get(1, -1)
        if not 0 <= count <= column.num_values:
            raise InputError(f"a page of a column of {column.num_values} values holds {count}")
        values += count if kind == _DATA else 0
        at, inflated = at + reader.at + packed, inflated + size
    if values != column.num_values:
        raise InputError(f"a column of {column.num_values} values holds {values}")
    return inflated


class _Compact:
    """A struct in Thrift's compact protocol, as numbers and structs by their fields' numbers."""

    def __init__(self, content: memoryview) -> None:
        self.content, self.at = content, 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        if depth > 4:
            raise InputError("a page's header has no end")
        fields: dict[int, Any] = {}
        number = 0
        while (head := self._byte()) & 15:
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            fields[number] = self._value(head & 15, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (1, 2):  # true, false
            return kind == 1
        if kind in (3, 7):  # a byte, a double
            self.at += 1 if kind == 3 else 8
            return None
        if kind in (4, 5, 6):
            return self._zigzag()
        if kind == 8:  # bytes: the least and the greatest value
            length = self._varint()
            self.at += length
            return None
        if kind == 12:
            return self.struct(depth + 1)
        raise InputError(f"a page's header holds a field of type {kind}")

    def _byte(self) -> int:
        if self.at >= len(self.content):
            raise InputError("a page's header is cut off")
        self.at += 1
        return self.content[self.at - 1]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise InputError("a page's header holds a number of more than 64 bits")

    def _zigzag(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)
