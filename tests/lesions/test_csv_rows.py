"""CSV: a damaged row costs itself alone; what is written is computed by no spreadsheet."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesions import InputError
from lesions.readers.csv_rows import read_csv
from lesions.writers.csv_rows import defused, write_csv

CELL = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=20)
TABLE = st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=5)


def read(path: Path, content: bytes) -> list[tuple[int, list[str], str]]:
    path.write_bytes(content)
    _, records = read_csv(path)
    return [(one.number, list(one.cells), one.damage) for one in records]


@given(TABLE)
def test_rows_come_back(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str]]) -> None:
    path = tmp_path_factory.getbasetemp() / "rows.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("a", "b", "c"), *rows])
    columns, records = read_csv(path)
    assert columns == ["a", "b", "c"]
    assert [tuple(one.cells) for one in records] == rows


def test_line_breaks_in_quotes(tmp_path: Path) -> None:
    found = read(tmp_path / "t.csv", b'a,note\r\n1,"two\r\nlines"\r\n\r\n2,one\r\n')
    assert found == [(1, ["1", "two\nlines"], ""), (2, ["2", "one"], "")]


def test_an_open_quote_swallows_nothing(tmp_path: Path) -> None:
    found = read(tmp_path / "t.csv", b'a,b\n1,"x\n2,y\n3,"z"\n4,w\n')
    assert [(number, cells) for number, cells, _ in found] == [
        (1, []), (2, ["2", "y"]), (3, ["3", "z"]), (4, ["4", "w"]),
    ]  # fmt: skip
    assert "no CSV" in found[0][2]


def test_a_mark_of_byte_order_is_none_of_the_header(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfa,b\n")
    assert read_csv(tmp_path / "t.csv") == (["a", "b"], [])


def test_a_header_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("a,b\n".encode("utf-16"))
    with pytest.raises(InputError, match=r"t.csv: the header cannot be read: .* not UTF-8"):
        read_csv(tmp_path / "t.csv")
    with pytest.raises(InputError, match="there is no such file"):
        read_csv(tmp_path / "absent.csv")


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"), ("+1+1", "'+1+1"), ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"), ("\tx", "'\tx"), ("＝1", "'＝1"), ("a=b", "a=b"),
        ("-5.5", "-5.5"), (-5.5, -5.5), (None, None), ("", ""),
    ],
)  # fmt: skip
def test_formulas_are_defused(cell: object, written: object) -> None:
    assert defused(cell) == written


def test_a_written_table(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", ("image", "=mm"), [("=1+1.png", -1.5), ("a,b", None)])
    assert (tmp_path / "t.csv").read_text() == "image,'=mm\n'=1+1.png,-1.5\n\"a,b\",\n"
