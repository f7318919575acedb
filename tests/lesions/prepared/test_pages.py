"""A page's own header is asked, whatever the footer says."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lesions import InputError
from lesions.prepared.pages import _Compact
from lesions.prepared.parquet import read_table
from tests.lesions.limits import cost

LISTS = pa.schema([("recist", pa.list_(pa.float64(), 2))])


def written(path: Path, rows: int = 4) -> int:
    """A table of one column; where the header of its data page begins."""
    table = pa.Table.from_pylist([{"recist": [0.0, 1.0]}] * rows, schema=LISTS)
    pq.write_table(table, path, compression="none", write_statistics=False)
    return int(pq.read_metadata(path).row_group(0).column(0).data_page_offset)


def varint(number: int) -> bytes:
    """Zigzag."""
    number, found = number << 1, b""
    while number > 127:
        found, number = found + bytes([number & 127 | 128]), number >> 7
    return found + bytes([number])


def replaced(path: Path, at: int, counted: int) -> None:
    """The data page's header says `counted` values, in as many bytes as before or more."""
    whole = path.read_bytes()
    header = b"\x15\x00\x15"
    assert whole[at : at + 3] == header, "a data page"
    start = whole.index(b"\x2c\x15", at) + 2  # field 5, a struct; its field 1, a number
    old = varint(8)
    assert whole[start : start + len(old)] == old
    path.write_bytes(whole[:start] + varint(counted) + whole[start + len(old) :])


def test_what_is_sound_reads(tmp_path: Path) -> None:
    written(tmp_path / "one")
    assert read_table(tmp_path / "one", LISTS).num_rows == 4


@pytest.mark.parametrize("counted", [0, 7, 9, 63])
def test_a_page_of_other_values_is_refused(tmp_path: Path, counted: int) -> None:
    replaced(tmp_path / "one", written(tmp_path / "one"), counted)
    with pytest.raises(InputError, match=rf"values? holds {counted}|holds {counted}"):
        read_table(tmp_path / "one", LISTS)


def test_every_byte_of_a_page_may_be_another(tmp_path: Path) -> None:
    """In a process of its own: refused or read, in little memory."""
    path = tmp_path / "one"
    at = written(path)
    imports = (
        "import pyarrow as pa\nfrom pathlib import Path\n"
        "from lesions.prepared.parquet import read_table\n"
        "LISTS = pa.schema([('recist', pa.list_(pa.float64(), 2))])\n"
        f"AT = {at}\n"
        "def every(path):\n"
        "    whole, read = Path(path).read_bytes(), 0\n"
        "    for place in range(4, AT + 40):\n"
        "        for flip in (1, 64, 255):\n"
        "            Path(path).write_bytes(whole[:place] + bytes([whole[place] ^ flip])"
        " + whole[place + 1:])\n"
        "            try:\n"
        "                read += read_table(Path(path), LISTS).num_rows == 4\n"
        "            except InputError:\n"
        "                pass\n"
        "    raise InputError(f'{read} were read')\n"
    )
    megabytes, said = cost(path, imports, "every(path)")
    assert "were read" in said
    assert megabytes < 60


def header(*fields: Any) -> memoryview:
    return memoryview(bytes(fields))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (header(0x15), "cut off"),
        (header(), "cut off"),
        (header(0x15, *[0xFF] * 12), "more than 64 bits"),
        (header(*[0x1C] * 9), "no end"),
        (header(0x1A, 0), "a field of type 10"),
    ],
)
def test_a_header_that_is_none(content: memoryview, said: str) -> None:
    with pytest.raises(InputError, match=said):
        _Compact(content).struct()


def test_a_header_is_read_as_it_is_written() -> None:
    fields = _Compact(
        header(0x15, 4, 0x11, 0x18, 2, 7, 7, 0x2C, 0x15, 5, 0, 0x05, 80, 6, 0)
    ).struct()
    assert fields == {1: 2, 2: True, 3: None, 5: {1: -3}, 40: 3}
