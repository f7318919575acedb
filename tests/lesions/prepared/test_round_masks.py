"""Masks made anew: written in chunks, tied to their plan, one or several a lesion."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from lesions.errors import InputError
from lesions.prepared.round_masks import (
    SCORES,
    RoundLesions,
    chunk_path,
    chunks_of,
    claim,
    finish,
    read_figures,
    write_chunk,
)
from lesions.readers.png import encode_labels
from tests.trainables.runs import ellipses

PLAN = {"model": "a", "data": "b", "mask": "snakes"}
NEW: NDArray[np.uint8] = np.zeros((100, 100), np.uint8)
NEW[2:5, 3] = (1, 255, 1)


def rows_of(count: int) -> list[dict[str, object]]:
    return [
        {"file": lesion.file, "row": lesion.row, "name": "snakes", "mask": encode_labels(NEW),
         "reason": "", "uncertain": 0.25, "dice": 0.5 + 0.25 * place, "dice_refined": 0.5,
         "dice_before": 0.25}
        for place, lesion in enumerate(ellipses(count))
    ]  # fmt: skip


def whole(root: Path, rows: list[dict[str, object]]) -> Path:
    assert not claim(root, PLAN)
    for number, places in enumerate(chunks_of(len(rows))):
        write_chunk(chunk_path(root, number), [rows[place] for place in places])
    finish(root)
    return root


@pytest.mark.parametrize(("lesions", "sizes"), [(0, []), (1, [1]), (32, [32]), (65, [32, 32, 1])])
def test_chunks_hold_every_lesion_once(lesions: int, sizes: list[int]) -> None:
    chunks = chunks_of(lesions)
    assert [len(chunk) for chunk in chunks] == sizes
    assert [place for chunk in chunks for place in chunk] == list(range(lesions))


def test_one_mask_is_replaced_and_all_else_stays(tmp_path: Path) -> None:
    prepared = ellipses(34)
    rows = rows_of(34)
    rows[33] |= {"mask": None, "reason": "ValueError: no"}
    found = RoundLesions(prepared, whole(tmp_path / "round", rows))
    assert len(found) == 34
    for lesion in (found[0], found[32], found[5:6][0]):
        assert np.array_equal(lesion.mask("snakes"), NEW)
    for ours, theirs in zip(found, prepared, strict=True):
        assert (ours.file, ours.row, ours.encoded) == (theirs.file, theirs.row, theirs.encoded)
        others = ours.masks.keys() - {"snakes"}
        assert ours.masks.keys() == theirs.masks.keys()
        assert all(ours.masks[name] == theirs.masks[name] for name in others)
    assert found[33].masks == prepared[33].masks, "it keeps the mask of before"


def test_the_figures_are_means_over_the_lesions_that_have_them(tmp_path: Path) -> None:
    rows = rows_of(3)
    rows[1] |= dict.fromkeys(("dice", "dice_refined", "dice_before"))
    rows[2] |= {"mask": None, "reason": "why", "uncertain": None, "dice": None,
                "dice_refined": None, "dice_before": None}  # fmt: skip
    root = whole(tmp_path / "round", rows)
    figures = read_figures(root)
    assert figures == {"lesions": 3, "kept": 1, "human": 1, "dice": 0.5, "dice_refined": 0.5,
                       "dice_before": 0.25, "uncertain": 0.25}  # fmt: skip


def test_several_masks_a_lesion_replace_and_join(tmp_path: Path) -> None:
    """Three lesions: one mask and two new; the first fails, one new; all kept."""
    prepared = ellipses(3)
    other = encode_labels(np.ones((100, 100), np.uint8))
    first, second, third = rows_of(3)
    none = {"mask": None, "reason": "why", **dict.fromkeys(SCORES)}
    rows = [
        first, first | {"name": "above", "mask": other, "dice": None},
        first | {"name": "below", "mask": other, "dice": 0.0},
        second | none, second | {"name": "above", "mask": other},
        third | none | {"name": ""},
    ]  # fmt: skip
    root = tmp_path / "round"
    assert not claim(root, PLAN)
    write_chunk(chunk_path(root, 0), rows)
    figures = finish(root)
    assert (figures["lesions"], figures["kept"], figures["human"]) == (3, 1, 2)
    # Over masks: 0.5, 0 of the first lesion, 0.75 of the second.
    assert figures["dice"] == pytest.approx(1.25 / 3)
    found = RoundLesions(prepared, root)
    assert len(found) == 3
    assert np.array_equal(found[0].mask("snakes"), NEW)
    assert {name for name in found[0].masks if found[0].masks[name] == other} == {"above", "below"}
    assert found[1].masks == {**prepared[1].masks, "above": other}
    assert found[2].masks == prepared[2].masks


def test_masks_of_a_version_before_are_made_anew(tmp_path: Path) -> None:
    """They had no names: neither the plan nor the chunks are taken for ours."""
    root = whole(tmp_path / "round", rows_of(2))
    (root / "plan.json").write_text(json.dumps(PLAN))
    chunk = chunk_path(root, 0)
    pq.write_table(pq.read_table(chunk).drop_columns(["name"]), chunk)
    with pytest.raises(InputError, match=r"chunk-000000\.parquet: its columns are not"):
        RoundLesions(ellipses(2), root)
    assert not claim(root, PLAN)
    assert not chunk.exists()


def test_a_mask_without_a_name_is_damage(tmp_path: Path) -> None:
    rows = rows_of(2)
    rows[1]["name"] = None
    with pytest.raises(InputError, match="a mask has no lesion or no name"):
        whole(tmp_path / "round", rows)


def test_masks_of_another_model_are_never_taken(tmp_path: Path) -> None:
    root = whole(tmp_path / "round", rows_of(2))
    assert claim(root, PLAN), "whole, and of this plan"
    assert not claim(root, PLAN | {"model": "another"})
    assert not chunk_path(root, 0).exists()
    with pytest.raises(InputError, match="no whole round of masks"):
        RoundLesions(ellipses(2), root)


def test_chunks_of_the_same_plan_stay_when_it_is_claimed_again(tmp_path: Path) -> None:
    root = tmp_path / "round"
    assert not claim(root, PLAN)
    write_chunk(chunk_path(root, 0), rows_of(1))
    before = chunk_path(root, 0).stat().st_mtime_ns
    assert not claim(root, PLAN)
    assert chunk_path(root, 0).stat().st_mtime_ns == before


def test_masks_of_other_lesions_are_refused(tmp_path: Path) -> None:
    root = whole(tmp_path / "round", rows_of(2))
    with pytest.raises(InputError, match="holds masks of 2 lesions, not of 3"):
        RoundLesions(ellipses(3), root)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff"])
def test_a_damaged_plan_is_another_plan(tmp_path: Path, content: bytes) -> None:
    root = whole(tmp_path / "round", rows_of(1))
    (root / "plan.json").write_bytes(content)
    assert not claim(root, PLAN)
    assert not chunk_path(root, 0).exists()


@pytest.mark.parametrize(
    "content", [b"{", b"{}", b"[]", b'{"lesions": "1", "kept": 0, "human": 0}']
)
def test_damaged_figures_are_named(tmp_path: Path, content: bytes) -> None:
    root = whole(tmp_path / "round", rows_of(1))
    (root / "manifest.json").write_bytes(content)
    with pytest.raises(InputError, match=r"manifest\.json: "):
        read_figures(root)


def test_damaged_chunks_are_named(tmp_path: Path) -> None:
    root = whole(tmp_path / "round", rows_of(2))
    chunk = chunk_path(root, 0)
    (chunk.parent / ".0123.partial").write_bytes(b"of a writer that was killed")
    assert len(RoundLesions(ellipses(2), root)) == 2
    sound = chunk.read_bytes()
    for content in (sound[:-9], b"", sound[:40] + bytes(40) + sound[80:]):
        chunk.write_bytes(content)
        with pytest.raises(InputError, match=r"chunk-000000\.parquet: "):
            RoundLesions(ellipses(2), root)


def test_masks_of_another_lesion_or_size_are_named(tmp_path: Path) -> None:
    rows = rows_of(2)
    rows[0] |= {"file": "another"}
    rows[1] |= {"mask": encode_labels(np.zeros((3, 3), np.uint8))}
    found = RoundLesions(ellipses(2), whole(tmp_path / "round", rows))
    with pytest.raises(InputError, match="holds no mask of"):
        found[0]
    with pytest.raises(InputError, match="another size than its slice"):
        found[1]
