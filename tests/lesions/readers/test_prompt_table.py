"""A table of prompts: what each row asks, and which rows cannot be answered."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesions import InputError
from lesions.prompts import PROMPTS, Box, Click, Marks, Prompt
from lesions.readers.prompt_table import read_prompt_table

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
        ({"x": "", "y": ""}, "x and y are empty"),
        ({"image": ""}, "no image is named"),
        ({"slice": "1.5"}, "slice is 1.5, not a whole number"),
        ({"spacing_x": "1"}, "spacing_y is empty"),
        ({"window_low": "5", "window_high": "5"}, "window_low, window_high are 5, 5: not low"),
        ({"id": "a/b"}, "the id 'a/b' is no name of a folder"),
        ({"id": ".."}, "the id '..' is no name of a folder"),
        ({"id": "answers.csv"}, "is no name of a folder"),
        ({"id": "images"}, "is no name of a folder"),
        ({"id": "000001"}, "the id 000001 is row 1's already"),
        ({"tracking_id": "T" * 65}, "the tracking identifier 'TTT"),
        ({"tracking_id": "A\\B"}, "no backslash"),
        ({"tracking_uid": "1.02.3"}, "the tracking UID '1.02.3' is no UID"),
        ({"tracking_id": "T1"}, "the tracking_id T1 is row 1's already, of the same image"),
        ({"image": "./b/../a.png", "tracking_id": ""}, "the tracking_uid 1.2.3 is row 1's"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, cells: dict[str, str], reason: str) -> None:
    columns = ("image", "x", "y", "slice", "spacing_x", "spacing_y", "window_low", "window_high",
               "id", "tracking_id", "tracking_uid", "remark")  # fmt: skip
    good = dict(zip(columns, ("a.png", "1", "2.5", *[""] * 6, "T1", "1.2.3", "later"), strict=True))
    table = write_table(tmp_path, [[*good.values()], [*(good | cells).values()]], columns)
    found, rejected, ignored = read_prompt_table(table, Click)
    at = Click(at=(1, 2.5))
    assert [(row.number, row.image, row.prompt) for row in found] == [(1, tmp_path / "a.png", at)]
    assert [row.row for row in rejected] == [2]
    assert reason in rejected[0].reason
    assert ignored == ["remark"]


def test_a_row_with_a_field_too_many_or_too_few(tmp_path: Path) -> None:
    rows = [("a.png", 1, 2, 3), ("a.png", 1), ("a.png", 1, 2)]
    table = write_table(tmp_path, rows, ("image", "x", "y"))
    found, rejected, _ = read_prompt_table(table, Click)
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
        read_prompt_table(tmp_path / "clicks.csv", Click)


@pytest.mark.parametrize(
    ("prompt", "bad"),
    [
        (
            Box(low=(-3, 4.5), high=(20, 9)),
            {
                (1, 2, 1, 9): "the box 1,2,1,9 has no area (say two opposite corners",
                (1, 2, "", 9): "x1 is empty",
                ("", "", "", ""): "x0, y0, x1 and y1 are empty",
                (1, 2, "inf", 9): "x1 is 'inf', not a number",
            },
        ),
        (
            Marks.from_points([(1, 2), (9, 3), (4, 1), (5, 8)]),
            {
                (1, 2, 1, 2, 3, 4, 5, 6): "a RECIST axis has zero length",
                (1, 2, 9, 3, 4, 1, 5, ""): "y4 is empty",
                (1, 2, 9, 3, 4, 1, "here", 8): "x4 is 'here', not a number",
            },
        ),
    ],
    ids=["box", "marks"],
)
def test_each_kind_has_its_columns(tmp_path: Path, prompt: Prompt, bad: dict[Row, str]) -> None:
    """In any order of the columns, a box's corners and an axis' ends too; a click's are ignored."""
    mirrored = prompt.points[[1, 0, 3, 2][: len(prompt.points)]].ravel().tolist()
    columns = ("id", *prompt.columns, "image", "x")
    rows = [("", *numbers, "a.png", 7) for numbers in (prompt.points.flat, mirrored, *bad)]
    found, rejected, ignored = read_prompt_table(write_table(tmp_path, rows, columns), type(prompt))
    assert [(row.number, row.prompt) for row in found] == [(1, prompt), (2, prompt)]
    assert [row.row for row in rejected] == list(range(3, 3 + len(bad)))
    for aside, reason in zip(rejected, bad.values(), strict=True):
        assert reason in aside.reason
    assert ignored == ["x"]


@pytest.mark.parametrize("kind", PROMPTS.values(), ids=list(PROMPTS))
def test_a_table_of_another_kind_is_none(tmp_path: Path, kind: type[Prompt]) -> None:
    for other in PROMPTS.values():
        table = write_table(tmp_path, [("a.png", *range(len(other.columns)))],
                            ("image", *other.columns))  # fmt: skip
        if other is kind:
            assert len(read_prompt_table(table, kind)[0]) == 1
            continue
        missing = ", ".join(name for name in kind.columns if name not in other.columns)
        with pytest.raises(InputError, match=f"lacks the columns {missing} "):
            read_prompt_table(table, kind)


@given(
    rows=st.lists(st.lists(st.one_of(st.floats().map(str), st.text(max_size=5)), min_size=10,
                           max_size=10), min_size=1, max_size=4),
    kind=st.sampled_from(list(PROMPTS.values())),
)  # fmt: skip
def test_no_cell_breaks_a_table(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], kind: type[Prompt]
) -> None:
    """Every row is answered or set aside, and what is answered is a prompt of finite numbers."""
    columns = ("image", *kind.columns, "id")
    whole = [row[: len(columns)] for row in rows]
    table = write_table(tmp_path_factory.mktemp("table"), whole, columns)
    found, rejected, _ = read_prompt_table(table, kind)
    numbers = [row.number for row in found] + [row.row for row in rejected]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    assert all(type(row.prompt) is kind for row in found)
    assert all(np.isfinite(row.prompt.points).all() for row in found)
    assert len({row.folder for row in found}) == len(found)
    assert all(row.reason and row.reason.isprintable() for row in rejected)
