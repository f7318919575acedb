"""A set that is there is given the masks that it lacks: as if made at once, and never half."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lesions import InputError
from lesions.prepared.manifest import claim, write_manifest
from lesions.prepared.part import masks_in, part_path
from lesions.prepared.prepared_set import PreparedSet
from lesions.prepared.preparing import Plan, parts_of, prepare_part
from lesions.readers.deeplesion import TableRow, read_table
from lesions.sample import ROOT as SAMPLE


@pytest.fixture
def rows() -> list[TableRow]:
    """Two parts; the second row has no slice and the fourth no human mask."""
    rows = read_table(SAMPLE)[:34]
    rows[1] = replace(rows[1], fields={**rows[1].fields, "File_name": "000001_01_01_001.png"})
    rows[3] = replace(rows[3], nth=9)
    return rows


def prepared(rows: list[TableRow], plan: Plan, *, parts: int = 2) -> dict[str, Any]:
    """The manifest; the first `parts` parts are made, as when a run is killed after them."""
    plan = claim(plan)
    for number, part in list(enumerate(parts_of(rows)))[:parts]:
        assert prepare_part({"part": number, "rows": part}, plan)["error"] == ""
    return write_manifest(plan, len(rows), 2) if parts == 2 else {}


def bytes_of(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_masks_made_in_two_runs_are_those_of_one(rows: list[TableRow], tmp_path: Path) -> None:
    plan = Plan(source=SAMPLE, out=tmp_path / "a")
    first = prepared(rows, plan)
    second = prepared(rows, replace(plan, masks=("ellipse", "recist")))
    prepared(rows, Plan(source=SAMPLE, out=tmp_path / "b", masks=("snakes", "ellipse", "recist")))
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")
    assert second["masks"] == ["snakes", "ellipse", "recist"]
    assert second["fingerprint"] != first["fingerprint"]
    assert (second["accepted"], second["human_masks"]) == (33, 32)


def test_the_source_is_not_needed_again(rows: list[TableRow], tmp_path: Path) -> None:
    plan = Plan(source=SAMPLE, out=tmp_path)
    prepared(rows, plan)
    more = replace(plan, source=tmp_path / "nowhere", masks=("ellipse",))
    for number, part in enumerate(parts_of(rows)):
        prepare_part({"part": number, "rows": part}, more)
        assert masks_in(part_path(tmp_path, number)) == ["human", "snakes", "ellipse"]
    assert write_manifest(plan, len(rows), 2)["accepted"] == 33


def test_a_kill_leaves_the_set_as_it_was(rows: list[TableRow], tmp_path: Path) -> None:
    """One part has the further mask, the other not yet: nobody sees it before all have."""
    plan = Plan(source=SAMPLE, out=tmp_path, masks=("ellipse",))
    before = prepared(rows, plan)
    prepared(rows, replace(plan, masks=("recist",)), parts=1)
    lesions = PreparedSet(tmp_path)
    assert lesions.manifest == before
    assert {name for lesion in lesions for name in lesion.masks} == {"human", "ellipse"}
    after = prepared(rows, replace(plan, masks=("recist",)))
    assert after["masks"] == ["ellipse", "recist"]
    assert all({"ellipse", "recist"} <= set(lesion.masks) for lesion in PreparedSet(tmp_path))


def test_a_set_that_is_open_stays_readable(rows: list[TableRow], tmp_path: Path) -> None:
    plan = Plan(source=SAMPLE, out=tmp_path, masks=("ellipse",))
    prepared(rows, plan)
    opened = PreparedSet(tmp_path)
    ellipse = opened[0].mask("ellipse")
    prepared(rows, replace(plan, masks=("recist",)))
    np.testing.assert_array_equal(opened[0].mask("ellipse"), ellipse)
    assert set(opened[5].masks) == {"human", "ellipse"}
    assert set(PreparedSet(tmp_path)[0].masks) == {"human", "ellipse", "recist"}


def test_a_mask_that_fails_sets_its_row_aside(rows: list[TableRow], tmp_path: Path) -> None:
    plan = Plan(source=SAMPLE, out=tmp_path)
    prepared(rows, plan)
    manifest = prepared(rows, replace(plan, masks=("magic",)))
    assert manifest["accepted"] == 0
    assert manifest["reasons"] == {"ValueError": 33, "the slice is absent": 1}


@pytest.mark.parametrize("other", [{"keep_noisy": True}, {"table": "of other lesions"}])
def test_another_set_is_refused(other: dict[str, Any], tmp_path: Path) -> None:
    claim(Plan(source=SAMPLE, out=tmp_path))
    held = json.loads((tmp_path / "plan.json").read_text())
    (tmp_path / "plan.json").write_text(json.dumps(held | other))
    with pytest.raises(InputError, match="prepared otherwise"):
        claim(Plan(source=SAMPLE, out=tmp_path))


def test_a_part_in_the_way_is_told(rows: list[TableRow], tmp_path: Path) -> None:
    part_path(tmp_path, 0).mkdir(parents=True)
    outcome = prepare_part(
        {"part": 0, "rows": parts_of(rows)[0]}, Plan(source=SAMPLE, out=tmp_path)
    )
    assert outcome["error"]
