"""The further readings of a set's lesions: `readings.parquet`, a row each, in the table's order.

Beside the parts and not in them: a set is the same whoever has marked its lesions since, and is
given readings without being made again.
"""

from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lesions.errors import InputError
from lesions.files import replace_with
from lesions.prepared.parquet import named, read_table
from lesions.readers.bounded import digest_of
from lesions.readers.readings import READERS, Which, read_readings
from lesions.recist import Recist

FILE = "readings.parquet"
SCHEMA = pa.schema(
    [("row", pa.int32()), ("reader", pa.string()), ("recist", pa.list_(pa.float64(), 8))]
)


def readings_digest(source: Path) -> str:
    """What tells a table's readings from others; "" where it has none."""
    try:
        return digest_of(source / READERS)
    except FileNotFoundError:
        return ""


def gather_readings(source: Path, out: Path, index: pa.Table, digest: str) -> dict[str, Any]:
    """Write the readings of a set's lesions; what its manifest says of them.

    Args:
        source: the folder with the table.
        out: the set's.
        index: `FACTS` of its lesions.
        digest: `readings_digest` of the source.

    Returns:
        `digest`; `readers`, how many lesions each has read; and `aside`, how many readings were
        set aside by their reason.

    Raises:
        InputError: `readers.csv` cannot be used.
    """
    facts = index.select(["row", "file", "shape"]).to_pylist()
    lesions = {one["row"]: Which(file=one["file"], shape=tuple(one["shape"])) for one in facts}
    found, aside = read_readings(source, lesions)
    rows = [
        {"row": row, "reader": reader, "recist": recist.points.ravel().tolist()}
        for row, mine in sorted(found.items()) for reader, recist in mine.items()
    ]  # fmt: skip
    with replace_with(out / FILE) as file:
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), file)
    reasons = Counter(one.reason.partition(":")[0] for one in aside)
    return {
        "digest": digest,
        "readers": dict(sorted(Counter(one["reader"] for one in rows).items())),
        "aside": dict(reasons.most_common()),
    }


class SetReadings:
    """The readings of a set on disk, by the row of a lesion; as arrays, a few bytes each.

    Raises:
        InputError: the file is damaged.
        OSError: it is absent, or may not be read.
    """

    def __init__(self, path: Path) -> None:
        table = read_table(path, SCHEMA)
        with named(path):
            if any(table[name].null_count for name in SCHEMA.names):
                raise InputError("a reading lacks its row, reader or endpoints")
            self._rows = table["row"].to_numpy()
            if (np.diff(self._rows) < 0).any():
                raise InputError("the readings are not in the order of the rows")
            flat = table["recist"].combine_chunks().flatten()
            self._points = flat.to_numpy(zero_copy_only=False).reshape(-1, 4, 2)
            axes = np.diff(self._points.reshape(-1, 2, 2, 2), axis=2)
            if not (np.isfinite(self._points).all() and np.abs(axes).sum(axis=-1).all()):
                raise InputError("a reading is no RECIST")
        self._readers = table["reader"].dictionary_encode()

    def of(self, row: int) -> dict[str, Recist]:
        """The readings of the lesion of a row, by the readers' names."""
        first, last = (int(np.searchsorted(self._rows, row, side)) for side in ("left", "right"))
        return {self._readers[at].as_py(): Recist(self._points[at]) for at in range(first, last)}


@lru_cache(maxsize=8)
def readings_in(path: Path, digest: str) -> SetReadings:
    """The readings at `path`, read once; others once the table's have another digest."""
    return SetReadings(path)
