"""Pairs of volumes and masks as a prepared set: known geometry, categories, what is set aside."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lesions import InputError, Lesion, Recist
from lesions.judging.pairs import Pair, pairs_by_name
from lesions.labels import EMPTY
from lesions.prepared.manifest import claim, write_manifest
from lesions.prepared.pairs import (
    Pairs,
    lesion_type,
    pairs_digest,
    source_of,
    with_categories,
    with_category,
)
from lesions.prepared.part import read_part
from lesions.prepared.prepared_set import PreparedSet
from lesions.prepared.preparing import Plan, prepare_part
from tests.lesions.readers.dicom_files import SPACING, save, save_all, series
from tests.lesions.readers.seg_files import ct_of, save_nifti, seg_of, two_lesions

WINDOW = (-100.0, 200.0)
MASK = two_lesions()


def nifti(folder: Path, name: str, shift: float = 0.0) -> None:
    save_nifti(folder / f"{name}_ct.nii.gz", ct_of(MASK))
    save_nifti(folder / f"{name}_mask.nii.gz", MASK, shift)


def pairs_in(folder: Path, label: int | None = None) -> list[Pair]:
    return pairs_by_name(
        f"{folder}/*_ct.nii.gz", f"{folder}/*_mask.nii.gz", WINDOW, label
    )  # fmt: skip


def prepared(pairs: list[Pair], out: Path, parts: int | None = None) -> dict[str, Any]:
    """The manifest; the first `parts` alone are made, as when a run is killed after them."""
    plan = claim(Plan(source=source_of(out.parent, pairs), out=out, masks=("ellipse",)))
    made, items = plan.lesions.parts()
    for number, part in list(enumerate(made))[:parts]:
        outcome = prepare_part({"part": number, "rows": part}, plan)
        assert outcome == {"part": number, "rows": 1, "error": ""}
    return write_manifest(plan, items, len(made)) if parts is None else {}


def test_two_lesions_of_a_nifti_pair(tmp_path: Path) -> None:
    nifti(tmp_path, "a")
    manifest = prepared(with_category(pairs_in(tmp_path), "Lymph node"), tmp_path / "out")
    assert (manifest["read"], manifest["accepted"], manifest["rejected"]) == (1, 2, 0)
    assert manifest["splits"] == {"test": 2}
    assert manifest["human_masks"] == 2
    first, second = PreparedSet(tmp_path / "out", "test")
    assert [(one.file, one.row, one.patient) for one in (first, second)] == [
        ("a_002", 1, "a"),
        ("a_005", 2, "a"),
    ]
    for lesion, key in ((first, 2), (second, 5)):
        assert lesion.lesion_type == "lymph_node"
        assert lesion.window == WINDOW
        assert lesion.spacing == pytest.approx(SPACING)
        np.testing.assert_array_equal(lesion.slice_hu, ct_of(MASK)[key])
        np.testing.assert_array_equal(lesion.mask("human"), MASK[key] > 0)
        assert lesion.recist == Recist.from_mask(MASK[key] > 0, lesion.spacing)
        assert set(lesion.masks) == {"human", "ellipse"}
    # 15 rows of 0.8 mm and 10 columns of 0.7 mm: corner to corner of the outline.
    long, _ = second.recist.diameters_mm(second.spacing)
    assert long == pytest.approx(np.hypot(14 * 0.8, 10 * 0.7), abs=0.5)


def described(lesion: Lesion) -> tuple[Any, ...]:
    """All of it but the study's and series' own names, and what NIfTI rounds to 32 bits."""
    return (
        lesion.file, lesion.row, lesion.patient, lesion.lesion_type, lesion.split, lesion.window,
        lesion.shape, lesion.encoded, lesion.masks["human"],
    )  # fmt: skip


def test_dicom_gives_the_same_lesions(tmp_path: Path) -> None:
    """A series in a folder, with a NIfTI mask, a SEG, and a SEG in a folder of its own."""
    nifti(tmp_path, "a")
    datasets = series(ct_of(MASK))
    save_all(datasets, tmp_path / "cts" / "a")
    save(seg_of(datasets, MASK), tmp_path / "segs" / "a.dcm")
    save(seg_of(datasets, MASK), tmp_path / "seg_folders" / "a" / "1-1.dcm")
    wanted = [found for pair in pairs_in(tmp_path) for found in pair.read()]
    for masks in ("*_mask.nii.gz", "segs/*.dcm", "seg_folders/*"):
        (pair,) = pairs_by_name(f"{tmp_path}/cts/*", f"{tmp_path}/{masks}", WINDOW)
        found = list(pair.read())
        assert len(found) == 2
        for one, other in zip(found, wanted, strict=True):
            assert isinstance(one, Lesion), one
            assert isinstance(other, Lesion)
            assert described(one) == described(other)
            np.testing.assert_allclose(one.recist.points, other.recist.points, atol=1e-5)
            assert one.spacing == pytest.approx(other.spacing, rel=1e-6)
            assert (one.study, one.series) == ("1.2.1", "1.2.2")


def test_a_label_is_a_value_or_a_segment(tmp_path: Path) -> None:
    nifti(tmp_path, "a")
    datasets = series(ct_of(MASK))
    save_all(datasets, tmp_path / "cts" / "a")
    save(seg_of(datasets, MASK), tmp_path / "segs" / "a.dcm")
    both = [
        *pairs_in(tmp_path, label=2),
        *pairs_by_name(f"{tmp_path}/cts/*", f"{tmp_path}/segs/*.dcm", WINDOW, 2),
    ]
    for pair in both:
        (lesion,) = pair.read()
        assert isinstance(lesion, Lesion)
        assert (lesion.file, int(lesion.mask("human").sum())) == ("a_005", 150)


def test_bad_pairs_are_set_aside_with_their_reasons(tmp_path: Path) -> None:
    for name in "abcd":
        nifti(tmp_path, name)
    nifti(tmp_path, "b", shift=1.0)
    (tmp_path / "c_ct.nii.gz").write_bytes(b"no NIfTI")
    save_nifti(tmp_path / "d_mask.nii.gz", np.zeros_like(MASK))
    manifest = prepared(pairs_in(tmp_path), tmp_path / "out")
    assert (manifest["read"], manifest["accepted"], manifest["rejected"]) == (4, 2, 3)
    aside = {}
    for number in range(4):
        rejected = read_part(tmp_path / "out" / "parts" / f"part-{number:06d}.parquet")[1]
        aside |= {row["file"]: row["reason"] for row in rejected}
    assert list(aside) == ["b", "c", "d"]
    assert aside["b"].startswith("the mask reaches from")
    assert "no readable NIfTI" in aside["c"]
    assert aside["d"] == EMPTY


def test_two_series_in_a_folder_are_refused(tmp_path: Path) -> None:
    save_all(series(ct_of(MASK)), tmp_path / "cts" / "a" / "1")
    save_all(series(ct_of(MASK), SeriesInstanceUID="1.2.9"), tmp_path / "cts" / "a" / "2")
    save_nifti(tmp_path / "a.nii", MASK)
    (pair,) = pairs_by_name(f"{tmp_path}/cts/*", f"{tmp_path}/*.nii", WINDOW)
    (rejected,) = pair.read()
    assert not isinstance(rejected, Lesion)
    assert rejected.reason == "holds 2 CT series, not one"


def test_a_run_that_was_killed_goes_on(tmp_path: Path) -> None:
    for name in "abc":
        nifti(tmp_path, name)
    pairs = pairs_in(tmp_path)
    whole = prepared(pairs, tmp_path / "whole")
    prepared(pairs, tmp_path / "out", parts=1)
    with pytest.raises(InputError, match="no whole prepared set"):
        PreparedSet(tmp_path / "out")
    first = (tmp_path / "out" / "parts" / "part-000000.parquet").stat()
    assert prepared(pairs, tmp_path / "out") == whole
    assert (tmp_path / "out" / "parts" / "part-000000.parquet").stat() == first
    for number in range(3):
        name = f"parts/part-{number:06d}.parquet"
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_other_files_or_options_are_another_set(tmp_path: Path) -> None:
    nifti(tmp_path, "a")
    save_all(series(ct_of(MASK)), tmp_path / "cts" / "a")
    pairs = pairs_in(tmp_path)
    prepared(pairs, tmp_path / "out")
    digests = {pairs_digest(pairs), pairs_digest(pairs_in(tmp_path, label=1))}
    digests |= {pairs_digest(with_category(pairs, "liver"))}
    series_pair = pairs_by_name(f"{tmp_path}/cts/*", f"{tmp_path}/*_mask.nii.gz", WINDOW)
    digests |= {pairs_digest(series_pair)}
    os.utime(tmp_path / "cts" / "a" / "IM3", ns=(0, 0))
    digests |= {pairs_digest(series_pair)}
    os.utime(tmp_path / "a_mask.nii.gz", ns=(0, 0))
    digests |= {pairs_digest(pairs)}
    assert len(digests) == 6
    with pytest.raises(InputError, match="prepared otherwise"):
        prepared(pairs, tmp_path / "out")
    moved = tmp_path / "moved"
    moved.mkdir()
    for kind in ("ct", "mask"):
        (tmp_path / f"a_{kind}.nii.gz").rename(moved / f"a_{kind}.nii.gz")
    assert pairs_digest(pairs_in(moved)) in digests


def test_categories_of_a_table(tmp_path: Path) -> None:
    for name in "ab":
        nifti(tmp_path, name)
    pairs, table = pairs_in(tmp_path), tmp_path / "categories.csv"
    table.write_text("name,category,more\nb, Lymph-Node ,1\na,LIVER,2\nother,lung,3\n")
    assert [one.lesion_type for one in with_categories(pairs, table)] == ["liver", "lymph_node"]
    for text, said in (
        ("name,category\na,liver\n", "no category for b"),
        ("name,kind\na,liver\n", "lacks the column category"),
        ("name,category\na,liver\nb,li/ver\n", "row 2: 'li/ver' is no category"),
        ("name,category\na,liver\na,lung\nb,lung\n", "row 2: a is lung here and liver above"),
        ("name,category\na\n", "row 1: '' is no category"),
    ):
        table.write_text(text)
        with pytest.raises(InputError, match=said):
            with_categories(pairs, table)
    with pytest.raises(InputError, match="there is no such file"):
        with_categories(pairs, tmp_path / "absent.csv")
    assert lesion_type("Soft  tissue") == "soft_tissue"


def test_the_real_tumours(shared_data: Path) -> None:
    """One sarcoma: the slices and masks are the file's own."""
    found = pairs_by_name(
        f"{shared_data}/sts_ct/*_ct.nii.gz", f"{shared_data}/sts_ct/*_gtv.nii.gz", (-50, 150)
    )
    (pair,) = [one for one in found if one.name == "STS_002"]
    source = Pairs(place=shared_data, pairs=(pair,), digest="")
    (lesion,) = source.read(pair)
    assert isinstance(lesion, Lesion)
    assert (lesion.patient, lesion.split) == ("STS_002", "test")
    assert lesion.file.startswith("STS_002_")
    long, short = lesion.recist.diameters_mm(lesion.spacing)
    assert 29 <= short <= long <= 110


@pytest.mark.timeout(20)
def test_pipes_and_what_killed_writers_left_stop_nothing(tmp_path: Path) -> None:
    save_all(series(ct_of(MASK)), tmp_path / "cts" / "a")
    nifti(tmp_path, "a")
    (pair,) = pairs_by_name(f"{tmp_path}/cts/*", f"{tmp_path}/*_mask.nii.gz", WINDOW)
    before = pairs_digest([pair])
    (tmp_path / "cts" / "a" / ".0123.partial").write_bytes(b"half a file")
    (tmp_path / "cts" / ".4567.partial").write_bytes(b"half a file")
    assert pairs_by_name(f"{tmp_path}/cts/*", f"{tmp_path}/*_mask.nii.gz", WINDOW) == [pair]
    assert pairs_digest([pair]) == before
    os.mkfifo(tmp_path / "b_ct.nii.gz")
    os.mkfifo(tmp_path / "b_mask.nii.gz")
    *_, piped = pairs_in(tmp_path)
    assert pairs_digest([piped])
    (aside,) = piped.read()
    assert getattr(aside, "reason", "") == "not a regular file"


def test_voxels_beside_their_header_are_known_too(tmp_path: Path) -> None:
    for name in ("ct.mhd", "ct.raw", "mask.nrrd"):
        (tmp_path / name).write_bytes(name.encode())
    pair = Pair(name="a", image=tmp_path / "ct.mhd", mask=tmp_path / "mask.nrrd", window=WINDOW)
    before = pairs_digest([pair])
    (tmp_path / "ct.raw").write_bytes(b"others")
    assert pairs_digest([pair]) != before
