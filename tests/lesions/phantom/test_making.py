"""A made data set: whole, in DeepLesion's layout, and known as what it is."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lesions import InputError
from lesions.phantom.making import claim, make_patients
from lesions.phantom.plan import GENERATOR, PhantomPlan
from lesions.prepared.preparing import Table
from lesions.readers.deeplesion import EXACT_MASKS, is_phantom, read_deeplesion
from lesions.recist import Recist
from lesions.sample import ROOT as SAMPLE
from tests.lesions.phantom.made import made, table
from tests.lesions.phantom.torso import write_torso

LESIONS = 60


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> PhantomPlan:
    folder = tmp_path_factory.mktemp("phantom")
    scans = tuple(write_torso(folder / "ct" / f"{name}.nii.gz", seed)
                  for seed, name in enumerate(("a", "b")))  # fmt: skip
    return PhantomPlan(out=folder / "out", scans=scans, lesions=LESIONS, readers=2, distractors=1)


@pytest.fixture(scope="module")
def phantom(plan: PhantomPlan) -> Path:
    return made(plan)


def test_every_lesion_is_read_as_deeplesions_are(phantom: Path) -> None:
    lesions, rejected = read_deeplesion(phantom)
    assert (len(lesions), rejected) == (LESIONS, [])
    assert all(lesion.masks for lesion in lesions)
    for lesion in lesions:
        mask = lesion.mask("human")
        x, y = np.rint(lesion.recist.centre).astype(int)
        assert mask[y - 2 : y + 3, x - 2 : x + 3].any()
    kinds = {lesion.lesion_type for lesion in lesions}
    assert kinds <= {"lung", "liver", "soft_tissue", "mediastinum", "abdomen"}
    assert len(kinds) >= 3


def test_splits_are_by_patient(phantom: Path) -> None:
    lesions, _ = read_deeplesion(phantom)
    of: dict[str, set[str]] = {}
    for lesion in lesions:
        of.setdefault(lesion.patient, set()).add(lesion.split)
    assert {len(splits) for splits in of.values()} == {1}
    assert Counter(lesion.split for lesion in lesions).keys() == {"train", "validation", "test"}


def test_it_says_that_it_is_a_phantom(phantom: Path) -> None:
    assert is_phantom(phantom)
    assert not is_phantom(SAMPLE)
    assert Table(place=phantom).identity()["phantom"] == EXACT_MASKS
    assert "phantom" not in Table(place=SAMPLE).identity()
    assert json.loads((phantom / "phantom.json").read_text())["phantom"] is True


def test_what_is_told_of_a_lesion_is_what_its_mask_measures(phantom: Path) -> None:
    lesions, _ = read_deeplesion(phantom)
    facts = table(phantom / "phantom.csv")
    assert [int(row["row"]) for row in facts] == [lesion.row for lesion in lesions]
    for lesion, row in zip(lesions, facts, strict=True):
        truth = Recist.from_mask(lesion.mask("human"), lesion.spacing)
        long, short = truth.diameters_mm(lesion.spacing)
        assert float(row["long_axis_mm"]) == pytest.approx(long, abs=1e-3)
        assert float(row["short_axis_mm"]) == pytest.approx(short, abs=1e-3)
        assert 0.5 < float(row["area_by_largest"]) <= 1
        assert int(row["distractors"]) <= 1
        assert float(row["volume_mm3"]) > 0


def test_readings_stand_beside_every_lesion(phantom: Path) -> None:
    readings = table(phantom / "readers.csv")
    rows = table(phantom / "DL_info.csv")
    assert len(readings) == 2 * LESIONS
    marks = [rows[int(one["row"]) - 1] for one in readings]
    assert [one["File_name"] for one in readings] == [row["File_name"] for row in marks]
    for one, row in zip(readings, marks, strict=True):
        mark = np.array([float(number) for number in row["Measurement_coordinates"].split(",")])
        reading = np.array([float(one[name]) for name in list(one)[3:]])
        assert reading.shape == (8,)
        assert 0 < np.abs(mark - reading).max() < 20


def test_another_seed_makes_other_lesions(plan: PhantomPlan, tmp_path: Path) -> None:
    few = replace(plan, lesions=4)
    first, second = (made(replace(few, out=tmp_path / str(seed), seed=seed)) for seed in (0, 1))
    assert (first / "DL_info.csv").read_bytes() != (second / "DL_info.csv").read_bytes()


def test_a_folder_with_another_set_is_refused(phantom: Path, plan: PhantomPlan) -> None:
    for other in (replace(plan, seed=9), replace(plan, out=SAMPLE)):
        with pytest.raises(InputError, match="holds another data set"):
            claim(other)


def test_a_scan_without_room_is_told(plan: PhantomPlan, tmp_path: Path) -> None:
    import nibabel

    air = tmp_path / "air.nii.gz"
    nibabel.Nifti1Image(np.full((32, 32, 4), -1000, np.int16), np.eye(4)).to_filename(air)
    for volumes in (False, True):
        empty = replace(plan, scans=(air,), out=tmp_path / "out", volumes=volumes)
        (outcome,) = make_patients([{"patient": 1, "lesions": 2}], empty)
        assert "no room for lesions" in outcome["error"]


def test_a_set_half_made_by_another_version_is_refused(plan: PhantomPlan, tmp_path: Path) -> None:
    begun = replace(plan, out=tmp_path)
    claim(begun)
    claim(begun)
    marked = tmp_path / "plan.json"
    older = json.loads(marked.read_text()) | {"generator": GENERATOR - 1}
    marked.write_text(json.dumps(older))
    with pytest.raises(InputError, match="holds another data set"):
        claim(begun)
