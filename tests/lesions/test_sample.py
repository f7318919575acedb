"""The shipped sample: exact HU, true spacing, split by patient, rebuilt from its sources."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np

from lesions import Lesion, Recist
from lesions.prepared import PreparedSet
from lesions.readers.deeplesion import ORIGIN, read_deeplesion
from lesions.readers.nifti import read_nifti
from lesions.sample import ROOT
from lesions.sample.build import TUMOURS, build, spread

MAX_BYTES = 15_000_000


def test_it_is_small_and_carries_its_licence() -> None:
    assert sum(path.stat().st_size for path in ROOT.rglob("*") if path.is_file()) < MAX_BYTES
    attribution = (ROOT / "ATTRIBUTION.md").read_text()
    for word in ("CC BY 3.0", "10.7937/K9/TCIA.2015.7GO2GSKS", "10.7937/K9/TCIA.2015.LO9QL9SX"):
        assert word in attribution


def test_every_row_reads_and_has_a_human_mask() -> None:
    lesions, rejected = read_deeplesion(ROOT)
    assert rejected == []
    assert len(lesions) == 252
    assert all("human" in lesion.masks for lesion in lesions)


def test_no_patient_is_in_two_splits(prepared_sample: Path) -> None:
    splits: dict[str, set[str]] = {}
    for row in PreparedSet(prepared_sample).rows:
        splits.setdefault(row["patient"], set()).add(row["split"])
    assert len(splits) == len(TUMOURS) == 36
    assert all(len(names) == 1 for names in splits.values())
    sizes = Counter(name for names in splits.values() for name in names)
    assert sizes == {"train": 19, "validation": 7, "test": 10}
    nodules = Counter(row["split"] for row in PreparedSet(prepared_sample).rows
                      if row["lesion_type"] == "lung")  # fmt: skip
    assert nodules == {"train": 7, "validation": 7, "test": 7}


def test_key_slices_are_spread_over_the_large_ones() -> None:
    lesion = np.zeros((14, 4, 4), bool)
    lesion[2:12] = True
    lesion[1, 0, 0] = lesion[12, 0, 0] = True  # 1 of 16 pixels: less than a quarter
    assert spread(lesion).tolist() == [2, 4, 5, 6, 8, 10, 11]
    lesion[4:] = False
    assert spread(lesion).tolist() == [2, 3]


def test_each_reader_of_a_nodule_has_marks_near_the_consensus() -> None:
    found = {lesion.file: lesion for lesion in read_deeplesion(ROOT)[0]}
    with (ROOT / "readers.csv").open() as file:
        readings = list(csv.DictReader(file))
    patients = {"910001": set("1234"), "910002": set("34"), "910314": set("1234")}
    assert {name: {one["reader"] for one in readings if one["File_name"].startswith(name)}
            for name in patients} == patients  # fmt: skip
    for one in readings:
        lesion = found[one["File_name"]]
        assert int(one["row"]) == lesion.row
        points = np.array([float(one[f"{axis}{at}"]) for at in range(1, 5) for axis in "xy"])
        marks = Recist(points.reshape(4, 2) - ORIGIN)
        away = np.hypot(*((marks.centre - lesion.recist.centre) * lesion.spacing[:2]))
        assert away < lesion.recist.diameters_mm(lesion.spacing)[0] / 2


def test_recist_is_measured_from_the_human_mask() -> None:
    lesions, _ = read_deeplesion(ROOT)
    for lesion in lesions[::40]:
        measured = Recist.from_mask(lesion.mask("human"), lesion.spacing)
        np.testing.assert_allclose(measured.points, lesion.recist.points, atol=1e-2)


def test_pixels_are_the_sources_hu(shared_data: Path) -> None:
    """Every slice of every tumour, against the NIfTI as nibabel gives it."""
    lesions, _ = read_deeplesion(ROOT)
    by_patient: dict[str, list[Lesion]] = {}
    for lesion in lesions:
        by_patient.setdefault(lesion.patient, []).append(lesion)
    for tumour in TUMOURS:
        volume = read_nifti(shared_data / tumour.ct)
        for lesion in by_patient.pop(str(tumour.patient)):
            key = int(lesion.file[-7:-4])
            np.testing.assert_array_equal(lesion.slice_hu, volume.hu[key])
            np.testing.assert_allclose(lesion.spacing, volume.spacing, rtol=1e-5)
    assert by_patient == {}


def test_the_script_makes_what_is_shipped(shared_data: Path, tmp_path: Path) -> None:
    some = [TUMOURS[5], TUMOURS[-3]]  # the smallest, and one with readers
    build(shared_data, tmp_path, some)
    with (ROOT / "DL_info.csv").open() as shipped, (tmp_path / "DL_info.csv").open() as rebuilt:
        rows = {row["File_name"]: row for row in csv.DictReader(shipped)}
        for row in csv.DictReader(rebuilt):
            assert row == rows[row["File_name"]]
    assert readings(tmp_path / "readers.csv") == [
        one for one in readings(ROOT / "readers.csv") if one[0].startswith("910001")
    ]
    for lesion in read_deeplesion(tmp_path)[0]:
        same = next(path for path in ROOT.glob(f"Images_png/*/{lesion.file[-7:]}")
                    if path.parent.name == lesion.file[:12])  # fmt: skip
        assert isinstance(lesion.encoded, Path)
        assert lesion.encoded.read_bytes() == same.read_bytes()


def readings(table: Path) -> list[list[str]]:
    """File name, reader and coordinates; the row depends on what else is in the sample."""
    with table.open() as file:
        return [[file_name, *rest] for file_name, _, *rest in list(csv.reader(file))[1:]]
