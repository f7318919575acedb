"""`readers.csv`: sound readings read exactly, every kind of bad row named and set aside."""

from pathlib import Path

import numpy as np
import pytest

from lesions import InputError, Recist
from lesions.readers.deeplesion import read_deeplesion
from lesions.readers.readings import COLUMNS, READERS, Which, read_readings, with_readings
from lesions.sample import ROOT as SAMPLE
from lesions.writers.deeplesion import reading, write_readings

LESIONS = {1: Which(file="000001_02_03_004.png", shape=(30, 40))}
GOOD = "000001_02_03_004.png,1,Ann,10.5,12.5,20.5,12.5,15.5,8.5,15.5,16.5"


def write(root: Path, *rows: str) -> Path:
    (root / READERS).write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    return root


def test_a_reading_has_the_tables_origin(tmp_path: Path) -> None:
    found, aside = read_readings(write(tmp_path, GOOD), LESIONS)
    assert aside == []
    assert found == {1: {"Ann": Recist([[10, 12], [20, 12], [15, 8], [15, 16]])}}


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    recist = Recist([[1.25, 3], [9, 4.5], [4, 1], [5, 7]])
    write_readings(tmp_path, [(LESIONS[1].file, 1, 7, reading(recist))])
    assert read_readings(tmp_path, LESIONS) == ({1: {"7": recist}}, [])
    assert read_readings(tmp_path / "without", LESIONS) == ({}, [])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (GOOD.replace(",1,", ",2,"), "of a lesion that the set does not have"),
        (GOOD.replace(",1,", ",one,"), "of a lesion that the set does not have"),
        (GOOD.replace(",1,", f",{'9' * 5000},"), "of a lesion that the set does not have"),
        (GOOD.replace("_004", "_005"), "File_name is not that of its row"),
        (GOOD.replace("10.5", "nan"), "outside the 40 × 30 image"),
        (GOOD.replace("20.5", "40.6"), "outside the 40 × 30 image"),
        (GOOD.replace("16.5", "many"), "an endpoint is no number"),
        (GOOD.replace("16.5", "8.5"), "zero length"),
        (GOOD.replace("Ann", "marks"), "no reader's name"),
        (GOOD.replace("Ann", "../../etc"), "no reader's name"),
        (GOOD.replace("Ann", ""), "no reader's name"),
        (GOOD.rpartition(",")[0], "the row ends before its last column"),
        (GOOD.replace("Ann", '"Ann'), "the row is no CSV"),
    ],
)
def test_a_bad_row_costs_itself_alone(tmp_path: Path, row: str, reason: str) -> None:
    other = GOOD.replace("Ann", "Bob")
    found, (aside,) = read_readings(write(tmp_path, row, other), LESIONS)
    assert list(found[1]) == ["Bob"]
    assert reason in aside.reason
    assert aside.row == 1


def test_a_reader_reads_a_lesion_once(tmp_path: Path) -> None:
    found, (aside,) = read_readings(write(tmp_path, GOOD, GOOD), LESIONS)
    assert "a second reading" in aside.reason
    assert list(found[1]) == ["Ann"]


def test_another_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / READERS).write_text("File_name,row,reader\n")
    with pytest.raises(InputError, match="lacks the columns x1, y1"):
        read_readings(tmp_path, LESIONS)
    many = [GOOD.replace("Ann", f"R{at}") for at in range(101)]
    with pytest.raises(InputError, match="more than 100 readers"):
        read_readings(write(tmp_path, *many), LESIONS)


def test_the_samples_nodules_are_read_by_two_to_four(tmp_path: Path) -> None:
    lesions, aside = with_readings(read_deeplesion(SAMPLE)[0], SAMPLE)
    assert aside == []
    nodules = [one for one in lesions if one.lesion_type == "lung"]
    assert {one.row for one in lesions if one.readings} == {one.row for one in nodules}
    # Whoever outlined a nodule measured it nearly as the mask of all of them.
    for lesion in nodules:
        for recist in lesion.readings.values():
            apart = np.abs(recist.points.mean(axis=0) - lesion.recist.points.mean(axis=0))
            assert (apart < 12).all(), (lesion, recist.points)
