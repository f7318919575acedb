"""How a set's lesions look: `embeddings/vectors.parquet`, a unit vector each, in the index's order.

Beside the parts and not in them: masks that a set is given later change its fingerprint, and no
vector. What tells whose vectors they are is `lesions_digest`. Written last of what the folder
holds, the file marks it whole.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lesions.errors import InputError, shown
from lesions.files import replace_with
from lesions.prepared.parquet import Parquet, named
from lesions.readers.bounded import parse_json

FOLDER, FILE = "embeddings", "vectors.parquet"
MOST_DIMENSION = 4096
_MOST_FILE = 1 << 30  # bytes; 32,735 vectors of 2048 numbers take a quarter
_ROWS = 4096  # of a row group
_SCHEMA = pa.schema([("row", pa.int32()), ("file", pa.string()), ("vector", pa.binary())])
_ABOUT = "embeddings"  # the footer's word
_NOT_OF_A_LESION = ("human", "digest", "part", "group")  # of `FACTS`: masks change these
_NUMBERS = np.dtype("<f4")


@dataclass(frozen=True, kw_only=True, eq=False)
class SetEmbeddings:
    """The vectors of a whole set.

    Attributes:
        vectors: (N, D), of unit length, read-only, in the order of the set's index.
        rows: (N,), of the lesions in their table.
        made_by: what made them, in words.
    """

    vectors: NDArray[np.float32]
    rows: NDArray[np.int32]
    made_by: str

    @property
    def digest(self) -> str:
        """What tells these vectors from others."""
        return hashlib.sha256(self.vectors.astype(_NUMBERS).tobytes()).hexdigest()


def again(root: Path) -> str:
    """What to do where a set's embeddings are of no use."""
    return f"make them again with python -m platform.embed --data {root}"


def lesions_digest(index: pa.Table) -> str:
    """What tells a set's lesions from others, whatever masks they have.

    Args:
        index: `FACTS` of the whole set.
    """
    digest = hashlib.sha256()
    for name in index.column_names:
        if name in _NOT_OF_A_LESION:
            continue
        column = index[name].combine_chunks()
        kind = column.type
        digest.update(f"{name}:{kind}:{len(column)}:".encode())
        if pa.types.is_string(kind):
            digest.update(json.dumps(column.to_pylist()).encode())
            continue
        numbers = column.flatten() if pa.types.is_fixed_size_list(kind) else column
        digest.update(numbers.to_numpy(zero_copy_only=False).tobytes())
    return digest.hexdigest()


def write_vectors(path: Path, index: pa.Table, vectors: NDArray[np.float32], made_by: str) -> None:
    """Write a set's vectors, whole or not at all.

    Args:
        path: the file.
        index: `FACTS` of the whole set.
        vectors: (N, D), in the index's order, finite and not zero; they are given unit length.
        made_by: in words.
    """
    assert len(vectors) == len(index)
    assert 1 <= vectors.shape[1] <= MOST_DIMENSION
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    assert (np.isfinite(lengths) & (lengths > 0)).all()
    packed = [one.tobytes() for one in (vectors / lengths).astype(_NUMBERS)]
    about = {"lesions": lesions_digest(index), "count": len(index), "made_by": made_by}
    about |= {"dimension": vectors.shape[1]}
    table = pa.table({"row": index["row"], "file": index["file"], "vector": packed}, _SCHEMA)
    # Vectors do not repeat, and do not shrink.
    plain = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    with (
        replace_with(path) as file,
        pq.ParquetWriter(file, _SCHEMA, store_schema=False, **plain) as writer,
    ):
        writer.write_table(table, row_group_size=_ROWS)
        writer.add_key_value_metadata({_ABOUT: json.dumps(about)})


@lru_cache(maxsize=4)
def embeddings_in(root: Path, path: Path, lesions: str, written: int) -> SetEmbeddings:
    """The vectors at `path`, read once; others once it is written anew.

    Args:
        root: the set's folder, for the remedy.
        path: of the file.
        lesions: `lesions_digest` of the set's index.
        written: when the file was, in its own units.

    Raises:
        InputError: none there, damaged ones, or those of other lesions.
    """
    try:
        with named(path):
            return _checked(Parquet(path, _is_ours, _MOST_FILE), lesions)
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except InputError as error:
        reason = error.reason
    raise InputError(reason, file=path, remedy=again(root))


def _is_ours(schema: pa.Schema) -> bool:
    return bool(schema.equals(_SCHEMA))


def _checked(parquet: Parquet, lesions: str) -> SetEmbeddings:
    about = parse_json(parquet.said(_ABOUT), dict, parquet.path)
    made_by, dimension, count = about.get("made_by"), about.get("dimension"), about.get("count")
    if not isinstance(made_by, str) or type(dimension) is not int or type(count) is not int:
        raise InputError("does not say what made it, how many, or their dimension")
    if about.get("lesions") != lesions:
        raise InputError("holds the embeddings of other lesions than the set has now")
    if not 1 <= dimension <= MOST_DIMENSION or count != parquet.file.metadata.num_rows:
        raise InputError(f"says {count} vectors of {dimension} numbers, which it does not hold")
    rows, vectors = [], []
    for group in range(parquet.groups):
        for batch in parquet.batches(group):
            found = batch.to_pydict()
            rows += found["row"]
            vectors.append(_unpacked(found["vector"], dimension))
    whole = np.concatenate(vectors) if vectors else np.empty((0, dimension), np.float32)
    lengths = np.linalg.norm(whole, axis=1)
    if None in rows or not (np.abs(lengths - 1) < 1e-3).all():  # NaN is not below
        raise InputError("a vector has no row, or is not of unit length")
    whole.flags.writeable = False
    return SetEmbeddings(vectors=whole, rows=np.array(rows, np.int32), made_by=shown(made_by))


def _unpacked(packed: Sequence[bytes | None], dimension: int) -> NDArray[np.float32]:
    if any(one is None or len(one) != dimension * _NUMBERS.itemsize for one in packed):
        raise InputError(f"a vector has not {dimension} numbers")
    flat = np.frombuffer(b"".join(one for one in packed if one is not None), _NUMBERS)
    return flat.reshape(-1, dimension).astype(np.float32)


class Beside:
    """The embeddings beside a set, where there are any: read when first asked for.

    Args:
        root: the set's folder.
        index: `FACTS` of the whole set.
        split: that is shown of it; None is all.
    """

    def __init__(self, root: Path, index: pa.Table, split: str | None) -> None:
        self.root, self.path = root, root / FOLDER / FILE
        self.there = self.path.exists()
        if self.there:
            self._lesions = lesions_digest(index)
            splits = index["split"].to_pylist()
            self._places = [at for at, one in enumerate(splits) if split in (None, one)]

    def read(self) -> SetEmbeddings | None:
        """Of the whole set; InputError where they are gone, damaged, or of other lesions."""
        if not self.there:
            return None
        written = self.path.stat().st_mtime_ns if self.path.exists() else 0
        return embeddings_in(self.root, self.path, self._lesions, written)

    def of(self, at: int) -> NDArray[np.float32] | None:
        """The vector (D,) of the lesion at an index of the split; None of a set without any."""
        found = self.read()
        return None if found is None else found.vectors[self._places[at]]
