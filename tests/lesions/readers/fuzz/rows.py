"""Rows of DL_info.csv with damage of every kind a table meets."""

import csv
import io
import math
import os
from functools import cache
from pathlib import Path
from random import Random

import numpy as np

from lesions import pseudo_mask, read_deeplesion
from lesions.lesion import Lesion
from lesions.readers.deeplesion import COLUMNS, TABLE, read_table
from lesions.sample import ROOT
from tests.lesions.readers.fuzz.mutations import TEXTS, mutate

LONGEST_REASON = 400  # characters: a line of a report
_FILE_NAMES = (
    "../900002_01_01_005.png", "../../etc/passwd", "/900002_01_01_005.png",
    "900002_01_01/../900002_01_01_005.png", "900002_01_01_005.png/..", "900002_01_01_005.png\n",
    "٩٠٠٠٠٢_٠١_٠١_٠٠٥.png", "1_2_3_4.png", f"1_2_{'3' * 400}_4.png", f"1_2_3_{'4' * 400}.png",
    "900002_01_01_005.PNG", "900002_01_01_005.jpg", "900002_01_01_005", "900002_01_01_005.png\0",
)  # fmt: skip


@cache
def table() -> tuple[list[str], list[list[str]]]:
    """The sample's columns and rows."""
    with (ROOT / TABLE).open(newline="") as file:
        columns, *rows = csv.reader(file)
    return columns, rows


def write(chance: Random, folder: Path) -> None:
    """Three rows of the sample, one of them (or the text of the table) damaged."""
    os.symlink(ROOT / "Images_png", folder / "Images_png")
    os.symlink(ROOT / "Masks_png", folder / "Masks_png")
    columns, rows = table()
    chosen = [list(row) for row in chance.sample(rows, 3)]
    whole = text_of([columns, *chosen])
    mutated = whole
    if chance.random() < 0.2:
        mutated = mutate(whole, chance, front=len(whole))
    while mutated == whole:
        for _ in range(chance.choice((1, 1, 2))):
            damage_row(chosen[1], columns, chance)
        mutated = text_of([columns, *chosen])
    (folder / TABLE).write_bytes(mutated)


def text_of(rows: list[list[str]]) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue().encode("utf-8", "surrogatepass")


def damage_row(row: list[str], columns: list[str], chance: Random) -> None:
    kind = chance.choice(("text", "number", "number", "nudge", "list", "name", "swap", "columns"))
    at = columns.index(chance.choice(COLUMNS)) % max(len(row), 1)
    if not row:
        row.append("")
    if kind == "text":
        row[at] = "x" * 200_000 if chance.random() < 0.02 else chance.choice(TEXTS)
    elif kind == "name":
        row[0] = chance.choice(_FILE_NAMES)
    elif kind == "swap":
        other = chance.randrange(len(row))
        row[at], row[other] = row[other], row[at]
    elif kind == "columns":
        row[at : at + 1] = chance.choice(
            ([], [row[at], row[at]], [row[at], ""], row[at].split(","))
        )
        del row[len(row) if chance.random() < 0.5 else at :]
    else:
        numbers = row[at].split(", ")
        index = chance.randrange(len(numbers))
        if kind == "number":
            numbers[index] = chance.choice(TEXTS)
        elif kind == "nudge":
            numbers[index] = nudged(numbers[index], chance)
        else:
            numbers[index : index + 1] = chance.choice(([], [numbers[index]] * 2, numbers))
        row[at] = ", ".join(numbers)


def nudged(number: str, chance: Random) -> str:
    """A little more or less, or another power of ten."""
    try:
        return repr(float(number) * chance.choice((0.9, 0.99, 1.01, 1.1, 10, 0.1, -1, 1e9, 1e-9)))
    except ValueError:
        return number + "1"


def read(folder: Path) -> tuple[int, list[str]]:
    """How many rows are accepted, and why the others are not."""
    lesions, rejected = read_deeplesion(folder)
    rows = [row.number for row in read_table(folder)]
    assert sorted([one.row for one in lesions] + [one.row for one in rejected]) == rows
    for lesion in lesions:
        check_lesion(lesion)
    return len(lesions), [one.reason for one in rejected]


def check_lesion(lesion: Lesion) -> None:
    """What is accepted serves."""
    assert lesion.slice_hu.dtype == np.int16
    assert lesion.slice_hu.shape == lesion.shape
    assert all(mm > 0 and math.isfinite(mm) for mm in lesion.spacing)
    assert all(mm > 0 and math.isfinite(mm) for mm in lesion.recist.diameters_mm(lesion.spacing))
    assert math.isfinite(lesion.window[1] - lesion.window[0])
    assert lesion.window[1] - lesion.window[0] > 0
    mask = pseudo_mask("ellipse", lesion.slice_hu, lesion.recist, lesion.window)
    assert mask.shape == lesion.shape
    if "human" in lesion.masks:
        assert lesion.mask("human").shape == lesion.shape
