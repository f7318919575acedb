"""Vectors in the making: a file for some lesions of a set, in its order; a kill loses one.

plan.json                            what they are made by, and of; those of another plan go
chunks/chunk-000000.safetensors      `vectors`, (256, D) float32
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from lesions import InputError
from lesions.files import replace_with, write_text
from lesions.prepared.embeddings import FILE, MOST_DIMENSION
from lesions.readers.bounded import read_bytes, read_json
from trainables.embedding.saved import MODEL

PLAN, CHUNKS = "plan.json", "chunks"
LESIONS_PER_CHUNK = 256
_MOST_PLAN = 1 << 20  # bytes
_MOST_CHUNK = 2 * 4 * LESIONS_PER_CHUNK * MOST_DIMENSION  # bytes


def chunks_of(lesions: int) -> list[range]:
    """The places of each chunk's lesions."""
    starts = range(0, lesions, LESIONS_PER_CHUNK)
    return [range(at, min(at + LESIONS_PER_CHUNK, lesions)) for at in starts]


def claimed(root: Path, plan: Mapping[str, Any]) -> bool:
    """Whether what is at `root`, if anything, is of this plan.

    Args:
        root: the folder of embeddings.
        plan: what makes them and of which lesions, by digests, as JSON.
    """
    return _read_plan(root / PLAN) == plan


def claim(root: Path, plan: Mapping[str, Any]) -> None:
    """Let `root` be of this plan; the vectors of another, and the embedder that made them, go."""
    if claimed(root, plan):
        return
    (root / FILE).unlink(missing_ok=True)
    for folder in (CHUNKS, MODEL):
        shutil.rmtree(root / folder, ignore_errors=True)
    write_text(root / PLAN, json.dumps(dict(plan), indent=1))


def _read_plan(path: Path) -> dict[str, Any] | None:
    try:
        return read_json(path, dict, _MOST_PLAN)
    except (FileNotFoundError, InputError):
        return None


def chunk_path(root: Path, number: int) -> Path:
    """The file of the `number`-th chunk."""
    return root / CHUNKS / f"chunk-{number:06d}.safetensors"


def write_chunk(root: Path, number: int, vectors: NDArray[np.float32]) -> None:
    """Write a chunk's vectors, whole or not at all."""
    with replace_with(chunk_path(root, number)) as file:
        file.write(safetensors.numpy.save({"vectors": np.ascontiguousarray(vectors)}))


def gathered(root: Path, lesions: int) -> NDArray[np.float32]:
    """The vectors (N, D) of all chunks; each is finite, and not zero.

    Raises:
        InputError: a chunk is damaged, or has a vector that says nothing.
    """
    return np.concatenate([
        _read(chunk_path(root, number), len(places))
        for number, places in enumerate(chunks_of(lesions))
    ])  # fmt: skip


def _read(path: Path, count: int) -> NDArray[np.float32]:
    try:
        found = safetensors.numpy.load(read_bytes(path, _MOST_CHUNK))["vectors"]
    except Exception as error:  # safetensors has kinds of its own
        raise InputError(f"is no chunk of vectors: {type(error).__name__}", file=path,
                         remedy="remove it, and run the same command again") from None  # fmt: skip
    if found.dtype != np.float32 or found.ndim != 2 or len(found) != count:
        raise InputError(f"is no chunk of {count} vectors", file=path,
                         remedy="remove it, and run the same command again")  # fmt: skip
    lengths = np.linalg.norm(found, axis=1)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise InputError("a vector is zero or not finite: the network says nothing of a lesion",
                         file=path, remedy="take another network")  # fmt: skip
    return np.asarray(found)
