"""Made volumes: slices as they are, lesions through z, and exact masks that say which is which."""

import gzip
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy import ndimage

from lesions import InputError
from lesions.judging.pairs import are_phantom, pairs_by_name
from lesions.lesion import Lesion
from lesions.phantom.making import claim, make_patients
from lesions.phantom.plan import PhantomPlan
from lesions.prepared.pairs import source_of
from lesions.readers.deeplesion import EXACT_MASKS, read_deeplesion
from lesions.readers.nifti import read_nifti
from lesions.readers.png import decode_slice
from lesions.volume import Volume
from tests.lesions.phantom.made import items_of, made, table
from tests.lesions.phantom.torso import write_torso

LESIONS, DEPTH = 24, 20
TOUCHING = np.ones((3, 3, 3), bool)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> PhantomPlan:
    folder = tmp_path_factory.mktemp("phantom")
    scan = write_torso(folder / "ct" / "a.nii.gz", 0, DEPTH)
    return PhantomPlan(out=folder / "out", scans=(scan,), lesions=LESIONS, readers=1,
                       distractors=1, volumes=True)  # fmt: skip


@pytest.fixture(scope="module")
def phantom(plan: PhantomPlan) -> Path:
    return made(plan)


def series_of(row: dict[str, str]) -> str:
    return row["File_name"].rpartition("_")[0]


def pair(phantom: Path, series: str) -> tuple[Volume, Volume]:
    """CT and labels."""
    folder = phantom / "Volumes"
    ct, mask = (read_nifti(folder / f"{series}_{kind}.nii.gz") for kind in ("ct", "mask"))
    return ct, mask


def index(row: dict[str, str]) -> int:
    """The key slice's place in its volume."""
    return int(row["Key_slice_index"]) - int(row["Slice_range"].split(",")[0])


def test_a_key_slice_is_the_same_as_in_its_volume(phantom: Path) -> None:
    for row in table(phantom / "DL_info.csv"):
        ct, _ = pair(phantom, series_of(row))
        first, last = map(int, row["Slice_range"].split(","))
        assert len(ct.hu) == last - first + 1
        folder, _, name = row["File_name"].rpartition("_")
        png = decode_slice((phantom / "Images_png" / folder / name).read_bytes())
        assert np.array_equal(ct.hu[index(row)], png)


def test_masks_are_exact_and_say_which_lesion(phantom: Path) -> None:
    """Volumes differ by half of each voxel at the surface at most; mask and shares by rounding."""
    lesions, rejected = read_deeplesion(phantom)
    facts, rows = table(phantom / "phantom.csv"), table(phantom / "DL_info.csv")
    assert (len(lesions), rejected) == (LESIONS, [])
    off = []
    for lesion, row, fact in zip(lesions, rows, facts, strict=True):
        _, labels = pair(phantom, series_of(row))
        mask = labels.hu == int(fact["label"])
        assert fact["lesion"] == f"{int(row['Patient_index']):06d}_{int(fact['label']):02d}"
        assert np.array_equal(mask[index(row)], lesion.mask("human") == 1)
        voxel = float(np.prod(labels.spacing))
        exact, own = float(fact["volume_mm3"]), mask.sum() * voxel
        assert float(fact["mask_volume_mm3"]) == pytest.approx(own, abs=1e-3)
        near = ndimage.binary_dilation(mask, TOUCHING) & ~ndimage.binary_erosion(mask, TOUCHING)
        assert abs(exact - own) < near.sum() * voxel / 2
        assert int(fact["slices"]) == mask.any(axis=(1, 2)).sum()
        off.append(exact / own - 1)
    assert abs(np.median(off)) < 0.1


def test_pairs_are_read_as_any_volumes_are(phantom: Path) -> None:
    folder = phantom / "Volumes"
    pairs = pairs_by_name(f"{folder}/*_ct.nii.gz", f"{folder}/*_mask.nii.gz", (-160.0, 240.0))
    rows = table(phantom / "DL_info.csv")
    assert [one.name for one in pairs] == sorted({series_of(row) for row in rows})
    for one in pairs:
        found = list(one.read())
        assert all(isinstance(lesion, Lesion) for lesion in found)
        assert len(found) == sum(series_of(row) == one.name for row in rows)


def test_a_set_of_volumes_is_known_as_a_phantom_and_never_mixed(
    phantom: Path, plan: PhantomPlan, tmp_path: Path
) -> None:
    folder = phantom / "Volumes"
    pairs = pairs_by_name(f"{folder}/*_ct.nii.gz", f"{folder}/*_mask.nii.gz", (-160.0, 240.0))
    assert source_of(folder, pairs).identity()["phantom"] == EXACT_MASKS
    damaged = replace(pairs[0], mask=tmp_path / "none.nii.gz")
    assert are_phantom([damaged, *pairs])
    real = replace(pairs[0], mask=plan.scans[0])
    assert "phantom" not in source_of(folder, [real]).identity()
    with pytest.raises(InputError, match="never measured together with real lesions"):
        source_of(folder, [real, *pairs])


def test_where_no_lesion_is_the_scan_is_as_it_was_and_where_it_was(
    phantom: Path, plan: PhantomPlan
) -> None:
    scan = read_nifti(plan.scans[0])
    assert scan.affine is not None
    for series in {series_of(row) for row in table(phantom / "DL_info.csv")}:
        ct, labels = pair(phantom, series)
        assert ct.affine is not None
        at = np.linalg.inv(scan.affine) @ ct.affine
        assert np.allclose(at[:3, :3], np.eye(3), atol=1e-4)
        assert np.allclose(at[:2, 3], 0, atol=1e-4)
        first = round(at[2, 3])
        own = scan.hu[first : first + len(ct.hu)]
        changed = ct.hu != own
        assert changed[labels.hu > 0].mean() > 0.9
        assert changed.mean() < 0.05
        air = own < -950  # beyond the body
        assert not (air & (labels.hu > 0)).any()


def test_lesions_lie_apart_along_z_too(phantom: Path) -> None:
    for series in {series_of(row) for row in table(phantom / "DL_info.csv")}:
        labels = pair(phantom, series)[1].hu
        for label in np.unique(labels[labels > 0]):
            around = ndimage.binary_dilation(labels == label, TOUCHING)
            assert set(np.unique(labels[around])) <= {0, label}


def test_volumes_are_of_the_same_lesions_whoever_makes_them(
    phantom: Path, plan: PhantomPlan, tmp_path: Path
) -> None:
    again = replace(plan, out=tmp_path)
    claim(again)
    make_patients(items_of(again)[:2][::-1], again)
    written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.*g*"))
    assert any("Volumes" in path.parts for path in written)
    for path in written:
        assert (tmp_path / path).read_bytes() == (phantom / path).read_bytes()


def test_a_set_without_volumes_is_another_one(phantom: Path, plan: PhantomPlan) -> None:
    with pytest.raises(InputError, match="holds another data set"):
        claim(replace(plan, volumes=False))


def test_a_full_disk_is_told_and_the_patient_made_again(
    phantom: Path, plan: PhantomPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = replace(plan, out=tmp_path / "out")
    claim(full)

    def no_space(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(gzip.GzipFile, "write", no_space)
        (outcome,) = make_patients(items_of(full)[:1], full)
    assert outcome["error"] == "No space left on device"
    assert not list(full.out.rglob("*.nii.gz")) + list(full.out.rglob("*.partial"))
    assert not (full.out / "parts").exists()
    assert make_patients(items_of(full)[:1], full)[0]["error"] == ""
    for path in (full.out / "Volumes").iterdir():
        assert path.read_bytes() == (phantom / "Volumes" / path.name).read_bytes()


def test_nothing_is_kept_of_a_patient_that_is_made(plan: PhantomPlan, tmp_path: Path) -> None:
    few = replace(plan, out=tmp_path)
    claim(few)
    items = [{"patient": number, "lesions": 2} for number in range(1, 9)]
    make_patients(items[:3], few)  # the scan's slices are read, and kept
    tracemalloc.start()
    try:
        make_patients(items[3:4], few)
        before = tracemalloc.get_traced_memory()[0]
        make_patients(items[4:6], few)
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    slice_bytes = cv2.imread(str(next(tmp_path.rglob("*.png"))), -1).nbytes
    assert kept < slice_bytes
