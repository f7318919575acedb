"""Damaged inputs are accepted or rejected by name; none crashes, hangs or fills the memory."""

import re
from pathlib import Path
from random import Random

import cv2
import numpy as np
import pytest

from lesions import InputError, read_deeplesion
from lesions.readers.deeplesion import TABLE
from lesions.readers.png import decode_labels, decode_slice
from lesions.sample import ROOT as SAMPLE
from tests.lesions.readers.fuzz import png, rows
from tests.lesions.readers.fuzz.campaign import Answer, run, summary
from tests.lesions.readers.fuzz.kinds import KINDS

# Inputs of each kind, 1,100 in all; the slow tests take twenty times as many.
COUNTS = {
    "rows of DL_info.csv": 250,
    "PNG slices": 150,
    "PNG masks": 100,
    "prepared sets": 50,
    "NIfTI volumes": 75,
    "NIfTI masks": 75,
    "DICOM bytes": 100,
    "DICOM tags": 100,
    "DICOM frames": 100,
    "DICOM bombs": 20,
    "DICOM folders": 60,
    "MLflow tags": 12,
    "checkpoints": 20,
}
# The same images read, measured and written: 20,000 in the slow test, and some here.
ANSWERED = {
    "answers of NIfTI": 4000,
    "answers of MetaImage": 4500,
    "answers of NRRD": 4500,
    "answers of archives": 800,
    "answers of PNG": 3000,
    "answers of DICOM bytes": 1000,
    "answers of DICOM tags": 1000,
    "answers of DICOM patients": 1200,
}
SOME = 20
COUNTS |= dict.fromkeys(ANSWERED, SOME)
REAL_COUNTS = {"real DICOM bytes": 40, "real DICOM tags": 40, "real DICOM frames": 40}


@pytest.fixture(scope="module")
def answers() -> list[Answer]:
    return run(COUNTS)


@pytest.mark.parametrize("kind", COUNTS)
def test_damaged_inputs(answers: list[Answer], kind: str) -> None:
    check([one for one in answers if one.kind == kind], COUNTS[kind])


def test_damaged_files_of_real_scanners(shared_data: Path) -> None:
    answers = run(REAL_COUNTS)
    for kind, count in REAL_COUNTS.items():
        check([one for one in answers if one.kind == kind], count)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_twenty_thousand_damaged_inputs(shared_data: Path) -> None:
    counts = {kind: 20 * count for kind, count in (COUNTS | REAL_COUNTS).items()}
    counts = {kind: count for kind, count in counts.items() if kind not in ANSWERED}
    answers = run(counts)
    print(summary(answers))
    for kind, count in counts.items():
        check([one for one in answers if one.kind == kind], count)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ANSWERED)
def test_twenty_thousand_are_answered_or_refused(kind: str) -> None:
    answers = run({kind: ANSWERED[kind]})
    print(summary(answers))
    check(answers, ANSWERED[kind])


def check(answers: list[Answer], count: int) -> None:
    failures = [f"{one.kind} {one.seed}: {one.failure}" for one in answers if one.failure]
    assert not failures, "\n".join(failures)
    assert [one.seed for one in answers] == list(range(count))
    # Each input is answered, and the fuzzer gets past the front door.
    assert all(one.accepted or one.reasons for one in answers)
    assert any(one.accepted for one in answers)
    assert len({reason for one in answers for reason in one.reasons}) >= 5


@pytest.mark.parametrize("kind", COUNTS)
def test_a_seed_is_one_input(tmp_path: Path, kind: str) -> None:
    written = []
    for name in ("first", "again"):
        (tmp_path / name).mkdir()
        KINDS[kind].write(Random(f"{kind} 7"), tmp_path / name)
        files = sorted(one for one in (tmp_path / name).rglob("*") if one.is_file())
        written.append([(one.relative_to(tmp_path / name), one.read_bytes()) for one in files])
    assert written[0] == written[1]


def test_an_input_that_ends_the_process_is_found() -> None:
    dead, alive = run({"a kind that is not there": 1, "PNG masks": 1})
    assert (dead.kind, dead.seed) == ("a kind that is not there", 0)
    assert "the process ended with 1" in dead.failure
    assert alive.failure == ""


# What the fuzzer has found, by column.
FOUND = {
    "a name no file can have": ("File_name", f"1_2_{'3' * 300}_4.png", "is not of the form"),
    "a name that is all there is": ("File_name", "x" * 9999, "^File_name 'x{99} is not"),
    "spacing that overflows": ("Spacing_mm_px_", "1e308, 1e308, 1", "beyond 0.001 to 1000 mm"),
    "spacing that vanishes": ("Spacing_mm_px_", "1e-320, 1e-320, 1", "beyond 0.001 to 1000 mm"),
    "window that overflows": ("DICOM_windows", "-1e308, 1e308", "is not low, high"),
    "window that vanishes": ("DICOM_windows", "0, 1e-320", "is not low, high"),
    "a part of a pixel": ("Image_size", "512.7, 512", "is not whole numbers up to 4096"),
    "a size of 309 digits": ("Image_size", "1e308, 512", "1e\\+308, 512"),
    "neither noisy nor not": ("Possibly_noisy", "2", "is '2', not one of 0, 1"),
}


@pytest.mark.parametrize("case", FOUND)
def test_found_in_rows(tmp_path: Path, case: str) -> None:
    column, text, reason = FOUND[case]
    columns, table = rows.table()
    row = [text if name == column else old for name, old in zip(columns, table[0], strict=True)]
    assert re.search(reason, only_reason(tmp_path, row))


def test_found_a_comma_without_quotes(tmp_path: Path) -> None:
    _, table = rows.table()
    assert only_reason(tmp_path, [*table[0], "1"]).startswith("the row has 1 more fields than")


def only_reason(root: Path, row: list[str]) -> str:
    """Why this row of the sample is rejected."""
    (root / TABLE).write_bytes(rows.text_of([rows.table()[0], row]))
    for images in ("Images_png", "Masks_png"):
        if not (root / images).exists():
            (root / images).symlink_to(SAMPLE / images)
    lesions, (rejected,) = read_deeplesion(root)
    assert lesions == []
    return rejected.reason


# Of a row's first bytes: each costs the row alone, and no row after it.
DAMAGE = {
    "an open quote": (b'"', "no CSV"),
    "a byte that is no UTF-8": (b"\xff", "not UTF-8"),
    "a giant field": (b"x" * 200_000, "no CSV: field larger than"),
    "a NUL": (b"\0", "is not of the form"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_found_damage_that_costs_its_row_alone(tmp_path: Path, case: str) -> None:
    damage, reason = DAMAGE[case]
    columns, table = rows.table()
    whole = rows.text_of([columns, *table[:4]])
    name = table[1][0].encode()
    (tmp_path / TABLE).write_bytes(whole.replace(name, damage + name))
    for images in ("Images_png", "Masks_png"):
        (tmp_path / images).symlink_to(SAMPLE / images)
    lesions, (rejected,) = read_deeplesion(tmp_path)
    assert [lesion.row for lesion in lesions] == [1, 3, 4]
    assert rejected.row == 2
    assert reason in rejected.reason


def test_found_a_folder_where_a_mask_belongs(tmp_path: Path) -> None:
    row = rows.table()[1][0]
    series, index = row[0].removesuffix(".png").rsplit("_", 1)
    (tmp_path / "Masks_png" / series / f"{index}_1.png").mkdir(parents=True)
    assert "the human mask cannot be read" in only_reason(tmp_path, row)


@pytest.mark.parametrize("side", [4097, 20_000, 65_535])
def test_found_small_files_of_huge_pngs(side: int) -> None:
    for decode, kind in ((decode_slice, np.uint16), (decode_labels, np.uint8)):
        whole = cv2.imencode(".png", np.zeros((4, 4), kind))[1].tobytes()
        (_, header), *_ = chunks = png.chunks_of(whole)
        header = side.to_bytes(4, "big") * 2 + header[8:]
        huge = png.png_of([(b"IHDR", header), (b"IDAT", png.zeros(1 << 20)), chunks[-1]])
        with pytest.raises(InputError, match=f"{side} × {side}, beyond 4096"):
            decode(huge)
