"""Prepared sets: what goes in comes out, whole or not at all, the same bytes however made."""

import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lesions import InputError
from lesions.files import replace_with
from lesions.masks import pseudo_mask
from lesions.prepared.part import part_path, read_part, write_part
from lesions.prepared.prepared_set import PreparedSet
from lesions.prepared.preparing import Plan, parts_of, prepare_part, rows_of
from lesions.readers.deeplesion import read_deeplesion, read_table
from lesions.readers.readings import with_readings
from lesions.sample import ROOT as SAMPLE


def test_a_prepared_lesion_is_the_sources(prepared_sample: Path) -> None:
    sources, _ = with_readings(read_deeplesion(SAMPLE)[0], SAMPLE)
    prepared = PreparedSet(prepared_sample)
    assert any(one.readings for one in sources)
    assert len(prepared) == len(sources)
    for source, lesion in list(zip(sources, prepared, strict=True))[::13]:
        np.testing.assert_array_equal(lesion.slice_hu, source.slice_hu)
        np.testing.assert_array_equal(lesion.mask("human"), source.mask("human"))
        for name in ("snakes", "ellipse"):
            made = pseudo_mask(name, source.slice_hu, source.recist, source.window)
            np.testing.assert_array_equal(lesion.mask(name), made)
        assert lesion.recist == source.recist
        left, right = (
            {k: v for k, v in vars(x).items() if k not in ("recist", "encoded", "masks")}
            for x in (lesion, source)
        )
        assert left == right


def test_splits_share_out_the_set(prepared_sample: Path) -> None:
    whole = PreparedSet(prepared_sample)
    parts = [PreparedSet(prepared_sample, split) for split in ("train", "validation", "test")]
    assert sum(map(len, parts)) == len(whole) == whole.manifest["accepted"]
    assert {lesion.split for lesion in parts[2][:5]} == {"test"}


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    part = {"part": 0, "rows": parts_of(read_table(SAMPLE)[:4])[0]}
    plans = [Plan(source=SAMPLE, out=tmp_path / name) for name in "ab"]
    for plan in plans:
        prepare_part(part, plan)
    first, second = (part_path(plan.out, 0).read_bytes() for plan in plans)
    assert first == second


def test_a_part_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    plan = Plan(source=SAMPLE, out=tmp_path)
    part = {"part": 0, "rows": parts_of(read_table(SAMPLE)[:2])[0]}
    prepare_part(part, plan)
    made = part_path(tmp_path, 0).stat()
    prepare_part(part, plan)
    assert part_path(tmp_path, 0).stat() == made


def test_a_part_that_does_not_read_is_made_again(tmp_path: Path) -> None:
    plan = Plan(source=SAMPLE, out=tmp_path)
    part = {"part": 0, "rows": parts_of(read_table(SAMPLE)[:2])[0]}
    prepare_part(part, plan)
    sound = part_path(tmp_path, 0).read_bytes()
    part_path(tmp_path, 0).write_bytes(sound[:-9])
    prepare_part(part, plan)
    assert part_path(tmp_path, 0).read_bytes() == sound


def test_rejected_rows_travel_with_their_part(tmp_path: Path) -> None:
    rows = read_table(SAMPLE)[:3]
    rows[1] = replace(rows[1], fields={**rows[1].fields, "Spacing_mm_px_": "0, 0, 0"})
    plan = Plan(source=SAMPLE, out=tmp_path)
    prepare_part({"part": 0, "rows": parts_of(rows)[0]}, plan)
    (rejected,) = read_part(part_path(tmp_path, 0))[1]
    assert rejected["row"] == 2
    assert "not positive" in rejected["reason"]


def test_an_unforeseen_error_sets_one_row_aside(tmp_path: Path) -> None:
    """A folder where the slice should be: no error of ours, and yet only that row's."""
    rows = read_table(SAMPLE)[:2]
    name = rows[0].fields["File_name"]
    (tmp_path / "Images_png" / name[:12] / name[13:]).mkdir(parents=True)
    plan = Plan(source=tmp_path, out=tmp_path / "out")
    prepare_part({"part": 0, "rows": parts_of(rows)[0]}, plan)
    first, second = read_part(part_path(plan.out, 0))[1]
    assert "not a regular file" in first["reason"]
    assert "absent" in second["reason"]


def test_a_full_disk_is_told_and_leaves_no_half_part(tmp_path: Path) -> None:
    """The kernel lets no file grow beyond 4 kB."""
    item = {"part": 0, "rows": parts_of(read_table(SAMPLE)[:2])[0]}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        outcome = prepare_part(item, Plan(source=SAMPLE, out=tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "File too large" in outcome["error"]
    assert list(part_path(tmp_path, 0).parent.iterdir()) == []


def test_a_lesion_without_a_mask_has_none(tmp_path: Path) -> None:
    lesion = replace(read_deeplesion(SAMPLE)[0][0], masks={})
    write_part(part_path(tmp_path, 0), [lesion], ("human",), [])
    import pyarrow.parquet as pq

    assert pq.read_table(part_path(tmp_path, 0))["mask_human"].null_count == 1


def test_no_prepared_set_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"python -m platform\.prepare"):
        PreparedSet(tmp_path)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(TypeError), replace_with(path) as file:
        file.write("no bytes")  # type: ignore[arg-type]
    assert path.read_text() == "old"
    with replace_with(path) as file:
        file.write(b"new")
    assert path.read_text() == "new"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_rows_survive_the_journey_to_a_worker() -> None:
    rows = read_table(SAMPLE)
    assert [row for part in parts_of(rows) for row in rows_of(part)] == rows
