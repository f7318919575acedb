"""Prepared sets that somebody else made: sound, or refused by name, in little memory."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lesions import InputError
from lesions.prepared.facts import FACTS
from lesions.prepared.manifest import claim
from lesions.prepared.part import masks_in, read_index, read_part
from lesions.prepared.prepared_set import INDEX, MANIFEST, PreparedSet
from lesions.prepared.preparing import Plan, parts_of, prepare_part
from lesions.readers.deeplesion import read_table
from lesions.readers.png import encode_labels
from lesions.sample import ROOT as SAMPLE
from tests.lesions.limits import cost
from tests.lesions.prepared.small_set import (
    change_index,
    change_manifest,
    change_part,
    part_of,
    small_set,
)

OPEN = ("from lesions.prepared import PreparedSet", "[one.slice_hu for one in PreparedSet(path)]")
LONG = "x" * (1 << 20)


def test_the_small_set_is_sound(tmp_path: Path) -> None:
    lesions = PreparedSet(small_set(tmp_path))
    assert [lesion.row for lesion in lesions] == [1, 3]
    assert {name for lesion in lesions for name in lesion.masks} == {"human", "ellipse"}


def put(name: str, value: Any) -> Callable[[Path], object]:
    return lambda root: change_index(root, lambda row: row.update({name: value}))


def manifest(**values: Any) -> Callable[[Path], object]:
    return lambda root: change_manifest(root, **values)


def written(path: str, content: bytes) -> Callable[[Path], object]:
    return lambda root: (root / path).write_bytes(content)


def retyped(root: Path) -> None:
    table = pq.read_table(root / INDEX)
    at = table.column_names.index("file")
    pq.write_table(table.set_column(at, "file", table["file"].cast("large_binary")), root / INDEX)


def less(root: Path) -> None:
    pq.write_table(pq.read_table(root / INDEX).drop_columns(["digest"]), root / INDEX)


PART = "parts/part-000000.parquet"
DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "manifest: no JSON": (written(MANIFEST, b"{"), "manifest.json: is no JSON.*prepare it again"),
    "manifest: a list": (written(MANIFEST, b"[]"), "manifest.json: is no JSON of an object"),
    "manifest: bytes": (written(MANIFEST, b"\xff"), "manifest.json: is not UTF-8"),
    "manifest: deep": (written(MANIFEST, b"[" * 100_000), "manifest.json: is no JSON"),
    "masks: text": (manifest(masks="ellipse"), "masks is no list of names"),
    "masks: numbers": (manifest(masks=[1]), "masks is no list of names"),
    "masks: a path": (manifest(masks=["../a"]), "manifest.json: '../a' is no name"),
    "masks: unknown": (manifest(masks=["a"]), "a part was made anew after the index"),
    "fingerprint": (manifest(fingerprint=7), "fingerprint or source is no text"),
    "count: text": (manifest(accepted="2"), "a count is no whole number"),
    "count: negative": (manifest(read=-1), "a count is no whole number"),
    "count: another": (manifest(accepted=3), "holds 2 lesions, manifest.json says 3"),
    "splits": (manifest(splits={"train": None}), "a count is no whole number"),
    "index: empty": (written(INDEX, b""), "index.parquet: no readable Parquet"),
    "index: words": (written(INDEX, b"PAR1 no Parquet PAR1"), "index.parquet: "),
    "index: types": (retyped, "index.parquet: its columns are not those of a prepared set"),
    "index: columns": (less, "index.parquet: its columns are not those of a prepared set"),
    "index: zstd": (
        lambda root: change_index(root, lambda row: None, compression="zstd"),
        "index.parquet: a column is packed with ZSTD",
    ),
    "index: deltas": (
        lambda root: change_index(
            root, lambda row: None, use_dictionary=False,
            column_encoding={"file": "DELTA_BYTE_ARRAY"},
        ),
        "index.parquet: a page of kind 0 is encoded as 7",
    ),
    "index: a newer page": (
        lambda root: change_index(root, lambda row: None, data_page_version="2.0"),
        "index.parquet: a page of kind 3",
    ),
    "null": (put("patient", None), "index.parquet: a lesion has no patient"),
    "null in a list": (put("spacing", [1.0, None, 1.0]), "a spacing has no number"),
    "spacing: zero": (put("spacing", [0.0, 1.0, 1.0]), "a spacing that no lesion has"),
    "spacing: NaN": (put("spacing", [float("nan"), 1.0, 1.0]), "a spacing that no lesion has"),
    "window": (put("window", [50.0, 50.0]), "a window that no lesion has"),
    "shape: giant": (put("shape", [4097, 5]), "a shape that no lesion has"),
    "shape: another": (put("shape", [5, 5]), "part-000000.parquet: the slice of .* is not 5 × 5"),
    "RECIST: a point": (put("recist", [1.0] * 8), "a RECIST that no lesion has"),
    "RECIST: endless": (put("recist", [1e308, 0.0, -1e308, 0.0, 0.0, 1.0, 0.0, 2.0]), "a RECIST"),
    "split": (put("split", "all"), "a split that no lesion has"),
    "category": (put("lesion_type", "../a"), "a category that no lesion has"),
    "part: negative": (put("part", -1), "a row, part or row group that no lesion has"),
    "part: absent": (put("part", 7), "part-000007.parquet: cannot be read"),
    "group: negative": (put("group", -1), "a row, part or row group that no lesion has"),
    "group: absent": (put("group", 2), "a part was made anew after the index"),
    "part: words": (written(PART, b"PAR1 no Parquet PAR1"), "part-000000.parquet: "),
    "part: two rows a group": (
        lambda root: change_part(root, row_group_size=2), "a part was made anew after the index",
    ),
    "part: gzip": (
        lambda root: change_part(root, compression="gzip"), "parquet: a column is packed with GZIP",
    ),
    "part: no slice": (
        lambda root: change_part(root, lambda rows: rows[0].update(slice=None)), "has no slice",
    ),
    "part: no PNG": (
        lambda root: change_part(root, lambda rows: rows[0].update(slice=b"none")), "or no PNG",
    ),
    "part: another mask": (
        lambda root: change_part(
            root, lambda rows: rows[0].update(mask_ellipse=encode_labels(np.eye(3, dtype=np.uint8)))
        ),
        "the mask_ellipse of .* is not",
    ),
}  # fmt: skip


def used(root: Path) -> None:
    for lesion in PreparedSet(root):
        assert lesion.slice_hu.shape == lesion.shape
        assert all(lesion.mask(name).shape == lesion.shape for name in lesion.masks)


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_named(tmp_path: Path, case: str) -> None:
    damage, reason = DAMAGE[case]
    damage(small_set(tmp_path))
    with pytest.raises(InputError, match=reason):
        used(tmp_path)


@pytest.mark.parametrize("category", ["lymph_node", "t4", "unknown"])
def test_any_category_reads(tmp_path: Path, category: str) -> None:
    put("lesion_type", category)(small_set(tmp_path))
    assert {lesion.lesion_type for lesion in PreparedSet(tmp_path)} == {category}


def bombs(root: Path, case: str) -> None:
    rows = pq.read_table(root / INDEX).to_pylist() * 4000
    if case == "text":
        for row in rows:
            row["patient"] = LONG  # one in a dictionary
        table = pa.Table.from_pylist([row | {"patient": ""} for row in rows], schema=FACTS)
        text = pa.DictionaryArray.from_arrays(np.zeros(len(rows), np.int32), [LONG])
        at = table.column_names.index("patient")
        typed = FACTS.set(at, pa.field("patient", text.type))
        table = table.set_column(at, typed.field(at), text).cast(typed)
        with pq.ParquetWriter(root / INDEX, typed, store_schema=False) as writer:
            writer.write_table(table)
    else:
        count = 20 if case == "gzip" else 300  # its packing takes time, and it is refused unread
        pq.write_table(
            pa.Table.from_pylist([row | {"patient": LONG} for row in rows[:count]], schema=FACTS),
            root / INDEX, compression=case, use_dictionary=False,
        )  # fmt: skip
    change_manifest(root, accepted=len(rows))


@pytest.mark.parametrize("case", ["text", "gzip", "snappy"])
def test_a_bomb_is_refused_in_little_memory(tmp_path: Path, case: str) -> None:
    """8 GB of one text in a dictionary, in a file of a few kB; 300 MB of packed ones."""
    bombs(small_set(tmp_path), case)
    megabytes, said = cost(tmp_path, *OPEN)
    assert "index.parquet: " in said
    assert megabytes < 500


SPECIAL: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "100 GB": lambda path: (path.touch(), os.truncate(path, 100 << 30)),
}


@pytest.mark.parametrize("name", [MANIFEST, INDEX, PART])
@pytest.mark.parametrize("case", SPECIAL)
@pytest.mark.timeout(20)
def test_a_special_file_is_refused(tmp_path: Path, case: str, name: str) -> None:
    (small_set(tmp_path) / name).unlink()
    SPECIAL[case](tmp_path / name)
    with pytest.raises(InputError, match=r"not a regular file|bytes, more than") as error:
        used(tmp_path)
    assert error.value.file == tmp_path / name


SAID: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no JSON object": (lambda said: said.update({b"lesions": [1, 2]}), "no readable Parquet"),
    "no list": (lambda said: said.update({b"lesions": {}}), "is no JSON of a list"),
    "one too few": (lambda said: said[b"lesions"].pop(), "does not say what it holds"),
    "a text for a number": (lambda said: said[b"lesions"][0].update(row="1"), "no readable"),
    "a giant number": (lambda said: said[b"lesions"][0].update(row=1 << 40), "no readable"),
    "a lesion without a split": (lambda said: said[b"lesions"][0].pop("split"), "has no split"),
    "a rejected row without a reason": (
        lambda said: said[b"rejected"][0].pop("reason"), "does not say what it holds",
    ),
    "5 MB": (lambda said: said[b"rejected"][0].update(reason=LONG * 5), "its footer has 5"),
}  # fmt: skip


@pytest.mark.parametrize("case", SAID)
def test_what_a_part_says_is_checked(tmp_path: Path, case: str) -> None:
    change, reason = SAID[case]
    change_part(small_set(tmp_path), said=change)
    for read in (read_part, lambda path: read_index(path, 0)):
        with pytest.raises(InputError, match=f"part-000000.parquet: .*{reason}"):
            read(part_of(tmp_path))


def test_a_part_whose_pixels_are_damaged_is_made_again(tmp_path: Path) -> None:
    """Its footer is sound: that they are is seen when it is given a further mask."""
    item = {"part": 0, "rows": parts_of(read_table(SAMPLE)[:3])[0]}
    plan = Plan(source=SAMPLE, out=tmp_path, masks=("ellipse",))
    prepare_part(item, plan)
    sound = part_of(tmp_path).read_bytes()
    part_of(tmp_path).write_bytes(sound[:4] + bytes(90) + sound[94:])
    further = Plan(source=SAMPLE, out=tmp_path, masks=("ellipse", "recist"))
    assert prepare_part(item, further)["error"] == ""
    assert masks_in(part_of(tmp_path)) == ["human", "ellipse", "recist"]
    assert len(read_part(part_of(tmp_path))[0]) == 3


def test_a_special_file_in_a_parts_place_is_told(tmp_path: Path) -> None:
    part_of(tmp_path).parent.mkdir()
    os.mkfifo(part_of(tmp_path))
    item = {"part": 0, "rows": parts_of(read_table(SAMPLE)[:1])[0]}
    outcome = prepare_part(item, Plan(source=SAMPLE, out=tmp_path))
    assert "not a regular file" in outcome["error"]


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"masks": 3}', b'{"masks": ["../a"]}'])
def test_a_damaged_plan_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "plan.json").write_bytes(content)
    with pytest.raises(InputError, match=r"plan\.json: |prepared otherwise|is no name"):
        claim(Plan(source=SAMPLE, out=tmp_path))


def test_what_killed_writers_left_disturbs_nothing_and_goes(tmp_path: Path) -> None:
    small_set(tmp_path)
    old, new = (tmp_path / "parts" / f".{name}.partial" for name in ("0123", "4567"))
    for path in (old, new):
        path.write_bytes(b"half a part")
    os.utime(old, (0, time.time() - 90_000))
    used(tmp_path)
    claim(Plan(source=SAMPLE, out=tmp_path, masks=("ellipse",)))
    assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.parametrize("seed", range(5))
def test_any_byte_of_the_index_may_be_another(tmp_path: Path, seed: int) -> None:
    whole = (small_set(tmp_path) / INDEX).read_bytes()
    chance = np.random.default_rng(seed)
    for _ in range(40):
        damaged = bytearray(whole)
        damaged[chance.integers(len(whole))] ^= int(chance.integers(1, 256))
        (tmp_path / INDEX).write_bytes(damaged)
        try:
            used(tmp_path)
        except InputError as error:
            assert str(tmp_path) in str(error)  # noqa: PT017
    assert json.loads((tmp_path / MANIFEST).read_text())["accepted"] == 2
