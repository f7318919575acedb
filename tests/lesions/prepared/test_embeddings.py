"""Embeddings beside a prepared set: each lesion's own vector, and refused when they are not its."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lesions import InputError
from lesions.prepared import PreparedSet
from lesions.prepared.embeddings import FILE, FOLDER, embeddings_in, lesions_digest, write_vectors
from lesions.prepared.facts import FACTS
from lesions.prepared.manifest import claim, write_manifest
from lesions.prepared.parquet import read_table
from lesions.prepared.prepared_set import INDEX
from lesions.prepared.preparing import Plan, parts_of, prepare_part
from lesions.readers.deeplesion import read_table as read_rows
from lesions.sample import ROOT as SAMPLE
from tests.lesions.prepared.small_set import change_index, small_set

VECTORS = np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 2.0]], np.float32)
PATH = Path(FOLDER, FILE)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A set of two lesions with embeddings."""
    root = small_set(tmp_path / "set")
    write(root)
    return root


def write(root: Path, vectors: np.ndarray = VECTORS) -> None:
    write_vectors(root / PATH, read_table(root / INDEX, FACTS), vectors, "a test")


def test_a_lesion_has_its_vector_of_unit_length(root: Path) -> None:
    first, second = PreparedSet(root)
    assert first.embedding is not None
    assert second.embedding is not None
    assert first.embedding.dtype == np.float32
    np.testing.assert_allclose(first.embedding, [0.6, 0.8, 0])
    np.testing.assert_allclose(second.embedding, [0, 0, 1])
    found = PreparedSet(root).embeddings
    assert found is not None
    assert (found.made_by, found.vectors.shape) == ("a test", (2, 3))
    assert found.rows.tolist() == [1, 3]


def test_a_split_has_its_own_vectors(root: Path) -> None:
    rows = iter(("validation", "test"))
    change_index(root, lambda row: row.update(split=next(rows)))
    write(root)
    (lesion,) = PreparedSet(root, "test")
    np.testing.assert_allclose(lesion.embedding, [0, 0, 1])
    assert list(PreparedSet(root, "train")) == []


def test_a_set_without_any_has_none(tmp_path: Path) -> None:
    lesions = PreparedSet(small_set(tmp_path))
    assert lesions.embeddings is None
    assert lesions[0].embedding is None


def test_they_are_read_once_and_again_when_written_anew(root: Path) -> None:
    embeddings_in.cache_clear()
    for lesion in [*PreparedSet(root), *PreparedSet(root)]:
        assert lesion.embedding is not None
    assert embeddings_in.cache_info().misses == 1
    write(root, VECTORS[::-1])
    np.testing.assert_allclose(PreparedSet(root)[0].embedding, [0, 0, 1])


def test_further_masks_leave_them_as_they_are(root: Path) -> None:
    before = PreparedSet(root)
    plan = claim(Plan(source=SAMPLE, out=root, masks=("ellipse", "snakes")))
    assert (
        prepare_part({"part": 0, "rows": parts_of(read_rows(SAMPLE)[:3])[0]}, plan)["error"] == ""
    )
    write_manifest(plan, 3, 1)
    after = PreparedSet(root)
    assert before.fingerprint != after.fingerprint
    np.testing.assert_allclose(after[0].embedding, [0.6, 0.8, 0])


@pytest.mark.parametrize(
    "change",
    [{"split": "validation"}, {"patient": "another"}, {"row": 7}, {"lesion_type": "liver"},
     {"recist": [1.0, 1, 9, 1, 5, 0, 5, 4]}, {"spacing": [0.5, 0.5, 1.0]}],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_those_of_other_lesions_are_refused(root: Path, change: dict[str, object]) -> None:
    before = lesions_digest(read_table(root / INDEX, FACTS))
    change_index(root, lambda row: row.update(change))
    assert lesions_digest(read_table(root / INDEX, FACTS)) != before
    with pytest.raises(InputError, match=r"of other lesions.*platform.embed --data"):
        PreparedSet(root)[0]
    assert PreparedSet(root, embedded=False)[0].embedding is None


def damaged(root: Path, **values: object) -> None:
    """The first row is another."""
    table = pq.read_table(root / PATH)
    rows = table.to_pylist()
    rows[0] |= values
    schema = table.schema.remove_metadata()
    with pq.ParquetWriter(root / PATH, schema, store_schema=False) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema=schema))
        writer.add_key_value_metadata(table.schema.metadata)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"vector": b"1234"}, "has not 3 numbers"),
        ({"vector": None}, "has not 3 numbers"),
        ({"vector": np.full(3, np.nan, "<f4").tobytes()}, "not of unit length"),
        ({"vector": np.zeros(3, "<f4").tobytes()}, "not of unit length"),
        ({"row": None}, "has no row"),
    ],
)
def test_damaged_vectors_are_refused(root: Path, values: dict[str, object], reason: str) -> None:
    damaged(root, **values)
    with pytest.raises(InputError, match=rf"{reason}.*platform.embed --data"):
        PreparedSet(root)[0]


def test_a_file_cut_off_is_refused(root: Path) -> None:
    whole = (root / PATH).read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        (root / PATH).write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"platform.embed --data"):
            PreparedSet(root)[0]


def test_what_the_footer_says_is_checked(root: Path) -> None:
    table = pq.read_table(root / PATH)
    pq.write_table(table.replace_schema_metadata({}), root / PATH, store_schema=False)
    with pytest.raises(InputError, match="does not say"):
        PreparedSet(root)[0]


def test_those_that_are_gone_are_said(root: Path) -> None:
    lesions = PreparedSet(root)
    (root / PATH).unlink()
    with pytest.raises(InputError, match="No such file"):
        lesions[0]
