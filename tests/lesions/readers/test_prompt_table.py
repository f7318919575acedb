"""A table of clicks: what each row asks, and which rows cannot be answered."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from lesions import InputError
from lesions.readers.click_table import NEEDED, read_click_table

COLUMNS = ("id", "image", "slice", "x", "y", "spacing_x", "spacing_y")
Row = Sequence[object]


def write_table(folder: Path, rows: Sequence[Row], columns: Sequence[str] = COLUMNS) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "clicks.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"x": "nan"}, "x is 'nan', not a number"),
        ({"x": "1e999"}, "x is '1e999', not a number"),
        ({"y": ""}, "y is empty"),
        ({"image": ""}, "no image is named"),
        ({"slice": "1.5"}, "slice is 1.5, not a whole number"),
        ({"spacing_x": "1"}, "spacing_y is empty"),
        ({"window_low": "5", "window_high": "5"}, "window_low, window_high are 5, 5: not low"),
        ({"id": "a/b"}, "the id 'a/b' is no name of a folder"),
        ({"id": ".."}, "the id '..' is no name of a folder"),
        ({"id": "answers.csv"}, "is no name of a folder"),
        ({"id": "000001"}, "the id 000001 is row 1's already"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, cells: dict[str, str], reason: str) -> None:
    columns = ("image", "x", "y", "slice", "spacing_x", "spacing_y", "window_low", "window_high",
               "id", "remark")  # fmt: skip
    good = dict(zip(columns, ("a.png", "1", "2.5", "", "", "", "", "", "", "later"), strict=True))
    table = write_table(tmp_path, [[*good.values()], [*(good | cells).values()]], columns)
    found, rejected, ignored = read_click_table(table)
    assert [(row.number, row.image, row.at) for row in found] == [(1, tmp_path / "a.png", (1, 2.5))]
    assert [row.row for row in rejected] == [2]
    assert reason in rejected[0].reason
    assert ignored == ["remark"]


def test_a_row_with_a_field_too_many_or_too_few(tmp_path: Path) -> None:
    table = write_table(tmp_path, [("a.png", 1, 2, 3), ("a.png", 1), ("a.png", 1, 2)], NEEDED)
    found, rejected, _ = read_click_table(table)
    assert [row.folder for row in found] == ["000003"]
    assert [row.reason for row in rejected] == ["has 4 fields, not 3", "has 2 fields, not 3"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image;x;y\na;1;2\n", "the table lacks the columns image, x, y"),
        ("image,x\na,1\n", "lacks the columns y (its first line names image, x, y, and may name"),
        ("image,x,y,x\na,1,2,3\n", "has the column x twice"),
        ("image,x,y\n", "the table has no rows"),
        ("", "lacks the columns"),
    ],
)
def test_a_table_that_is_none(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "clicks.csv").write_text(text)
    with pytest.raises(InputError, match=re.escape(said)):
        read_click_table(tmp_path / "clicks.csv")
