"""Vectors in the making: those of another plan go, damaged ones are named, order is the set's."""

from pathlib import Path

import numpy as np
import pytest

from lesions import InputError
from lesions.files import write_text
from lesions.prepared.embeddings import FILE
from trainables.embedding.chunks import (
    LESIONS_PER_CHUNK,
    PLAN,
    chunk_path,
    chunks_of,
    claim,
    claimed,
    gathered,
    write_chunk,
)
from trainables.embedding.saved import CONFIG, MODEL

COUNT = LESIONS_PER_CHUNK + 3


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two chunks of vectors that count the lesions."""
    claim(tmp_path, {"lesions": "a"})
    for number, places in enumerate(chunks_of(COUNT)):
        vectors = np.array([[place + 1, 1] for place in places], np.float32)
        write_chunk(tmp_path, number, vectors)
    return tmp_path


def made(root: Path) -> list[Path]:
    return [chunk_path(root, 0), root / FILE, root / MODEL]


def test_chunks_are_gathered_in_order(root: Path) -> None:
    assert [len(places) for places in chunks_of(COUNT)] == [LESIONS_PER_CHUNK, 3]
    assert gathered(root, COUNT)[:, 0].tolist() == list(range(1, COUNT + 1))


def test_the_same_plan_goes_on_and_another_starts_afresh(root: Path) -> None:
    write_text(root / FILE, "")
    write_text(root / MODEL / CONFIG, "")
    claim(root, {"lesions": "a"})
    assert claimed(root, {"lesions": "a"})
    assert all(path.exists() for path in made(root))
    claim(root, {"lesions": "b"})
    assert claimed(root, {"lesions": "b"})
    assert not any(path.exists() for path in made(root))


@pytest.mark.parametrize("damage", ["", "no JSON", "[]"])
def test_a_damaged_plan_is_another(root: Path, damage: str) -> None:
    (root / PLAN).write_text(damage)
    assert not claimed(root, {"lesions": "a"})
    claim(root, {"lesions": "a"})
    assert not chunk_path(root, 0).exists()


@pytest.mark.parametrize(
    "vectors",
    [np.ones((2, 2)), np.ones(3), np.zeros((3, 2)), np.full((3, 2), np.nan), np.ones((3, 2), int)],
)
def test_what_is_no_chunk_is_refused(root: Path, vectors: np.ndarray) -> None:
    kind = np.float32 if vectors.dtype == float else np.int64
    write_chunk(root, 1, vectors.astype(kind))
    with pytest.raises(InputError, match="chunk-000001"):
        gathered(root, COUNT)


def test_a_chunk_cut_off_is_refused(root: Path) -> None:
    path = chunk_path(root, 1)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(InputError, match=r"no chunk of vectors.*run the same command again"):
        gathered(root, COUNT)
