"""The data of a run: known by what it holds, not by where it lies."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lesions import InputError
from lesions.prepared.manifest import claim, write_manifest
from lesions.prepared.preparing import Plan, Table, prepare_part
from lesions.prepared.remarking import MarksFrom, MarksNoise
from lesions.readers.deeplesion import TABLE
from lesions.sample import ROOT as SAMPLE
from platform.running.datasets import find_data


def test_the_sample_is_called_so_and_has_human_masks(prepared_sample: Path, tmp_path: Path) -> None:
    data = find_data(prepared_sample, tmp_path, "snakes")
    assert data.description == (
        "the shipped sample, 70 test slices of 10 patients (63 soft tissue, 7 lung)"
    )
    assert data.truth == "human masks"
    assert len(data.fingerprint) == 64


def test_a_set_whose_marks_were_changed_says_so(tmp_path: Path) -> None:
    noise = MarksNoise(length=0.2, place=0.1)
    plan = Plan(
        source=Table(place=SAMPLE, marks=MarksFrom(masks=True, noise=noise)),
        out=tmp_path,
        masks=("ellipse",),
    )
    parts, rows = plan.lesions.parts()
    claim(plan)
    for number, part in enumerate(parts):
        assert prepare_part({"part": number, "rows": part}, plan)["error"] == ""
    write_manifest(plan, rows, len(parts))
    data = find_data(tmp_path, tmp_path, "ellipse")
    assert data.name == "the shipped sample (marks measured from masks) (marks noise 0.2/0.1)"


def test_a_mask_that_was_not_prepared_is_refused(prepared_sample: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no pseudo mask 'grabcut' \(choose of snakes, ellipse"):
        find_data(prepared_sample, tmp_path, "grabcut")


def test_a_second_copy_of_the_source_is_the_same_data(tmp_path: Path) -> None:
    """Every Ray job brings its own copy of the sample, to a folder of another name."""
    plan = Plan(source=SAMPLE, out=tmp_path / "out")
    claim(plan)
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(SAMPLE / TABLE, copy)
    claim(replace(plan, source=copy))
    with (copy / TABLE).open("a") as table:
        table.write("\n")
    with pytest.raises(InputError, match="prepared otherwise"):
        claim(replace(plan, source=copy))
