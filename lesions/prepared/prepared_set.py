"""A prepared set on disk: lesions with their pseudo masks, checked and ready to train on.

    parts/part-000000.parquet   the lesions of 32 consecutive rows of the source's table
    index.parquet               every column but the pixels, one row a lesion
    rejected.parquet            file, row, reason
    manifest.json               counts, fingerprint, versions; written last, so it marks a whole set

Each lesion is a row group of its own: any one is read without its neighbours, so memory stays
small whatever the set's size.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lesions.errors import InputError
from lesions.files import replace_with
from lesions.lesion import Lesion
from lesions.recist import Recist

MANIFEST, INDEX, REJECTED, PARTS = "manifest.json", "index.parquet", "rejected.parquet", "parts"
_MASK = "mask_"
_FIELDS: list[tuple[str, pa.DataType]] = [
    ("row", pa.int32()),
    ("file", pa.string()),
    ("patient", pa.string()),
    ("study", pa.string()),
    ("series", pa.string()),
    ("lesion_type", pa.string()),
    ("split", pa.string()),
    ("noisy", pa.bool_()),
    ("shape", pa.list_(pa.int32(), 2)),
    ("spacing", pa.list_(pa.float64(), 3)),
    ("window", pa.list_(pa.float64(), 2)),
    ("recist", pa.list_(pa.float64(), 8)),
    ("digest", pa.string()),
]


def part_path(root: Path, index: int) -> Path:
    """The file of the `index`-th part."""
    return root / PARTS / f"part-{index:06d}.parquet"


def write_part(
    path: Path,
    lesions: Sequence[Lesion],
    masks: Sequence[str],
    rejected: Sequence[Mapping[str, Any]],
) -> None:
    """Write lesions, and the rows rejected beside them, as one part: whole or not at all.

    Args:
        path: the part.
        lesions: in the table's order.
        masks: the names of the mask columns; a lesion without one has null there.
        rejected: `file`, `row`, `reason` of each; kept in the file's metadata.
    """
    columns = [*_FIELDS, ("slice", pa.binary()), *((_MASK + name, pa.binary()) for name in masks)]
    schema = pa.schema(columns, metadata={"rejected": json.dumps(list(rejected))})
    table = pa.Table.from_pylist([_record(lesion, masks) for lesion in lesions], schema=schema)
    with replace_with(path) as partial:
        # The pixels are PNG already: a second compression costs time and saves nothing.
        pq.write_table(table, partial, row_group_size=1, compression="none")


def read_rejected(part: Path) -> list[dict[str, Any]]:
    """The rejected rows that a part carries."""
    metadata = pq.read_schema(part).metadata
    rejected: list[dict[str, Any]] = json.loads(metadata[b"rejected"])
    return rejected


def read_index(part: Path, number: int) -> pa.Table:
    """Every column of a part but the pixels, with the part's number and each row's group."""
    table = pq.read_table(part, columns=[name for name, _ in _FIELDS])
    table = table.append_column("part", pa.array([number] * len(table), pa.int32()))
    return table.append_column("group", pa.array(range(len(table)), pa.int32()))


def _record(lesion: Lesion, masks: Sequence[str]) -> dict[str, Any]:
    encoded = lesion.encoded.read_bytes() if isinstance(lesion.encoded, Path) else lesion.encoded
    record = {
        "row": lesion.row,
        "file": lesion.file,
        "patient": lesion.patient,
        "study": lesion.study,
        "series": lesion.series,
        "lesion_type": lesion.lesion_type,
        "split": lesion.split,
        "noisy": lesion.noisy,
        "shape": list(lesion.shape),
        "spacing": list(lesion.spacing),
        "window": list(lesion.window),
        "recist": lesion.recist.points.ravel().tolist(),
    }
    pixels = {"slice": encoded} | {_MASK + name: lesion.masks.get(name) for name in masks}
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    for name, content in sorted(pixels.items()):
        digest.update(name.encode() + hashlib.sha256(content or b"").digest())
    return record | {"digest": digest.hexdigest()} | pixels


class PreparedSet(Sequence[Lesion]):
    """The lesions of a prepared set, or of one split of it, read one at a time.

    Raises:
        InputError: there is no whole prepared set at `root`.
    """

    def __init__(self, root: str | Path, split: str | None = None) -> None:
        self.root, self.split = Path(root), split
        try:
            self.manifest: dict[str, Any] = json.loads((self.root / MANIFEST).read_text())
            index = pq.read_table(self.root / INDEX).to_pylist()
        except (OSError, ValueError, pa.ArrowInvalid) as error:
            raise InputError(
                f"no whole prepared set: {error}",
                file=self.root,
                remedy="make one with python -m platform.prepare --source DIR --out DIR",
            ) from None
        self.rows = [row for row in index if split in (None, row["split"])]

    @property
    def fingerprint(self) -> str:
        """The digest of every lesion, pixel and mask of the whole set."""
        fingerprint: str = self.manifest["fingerprint"]
        return fingerprint

    def __len__(self) -> int:
        """How many lesions."""
        return len(self.rows)

    def __getitem__(self, at: Any) -> Any:
        """The lesion at an index, or those of a slice."""
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        row = self.rows[at]
        record = (
            _open(part_path(self.root, row["part"])).read_row_group(row["group"]).to_pylist()[0]
        )
        return _lesion(record)

    def __iter__(self) -> Iterator[Lesion]:
        """Each lesion in turn."""
        return (self[i] for i in range(len(self)))


def _lesion(record: Mapping[str, Any]) -> Lesion:
    masks = {name.removeprefix(_MASK): png for name, png in record.items()
             if name.startswith(_MASK) and png is not None}  # fmt: skip
    height, width = record["shape"]
    return Lesion(
        file=record["file"],
        row=record["row"],
        recist=Recist(np.reshape(record["recist"], (4, 2))),
        spacing=tuple(record["spacing"]),
        window=tuple(record["window"]),
        shape=(height, width),
        encoded=record["slice"],
        masks=masks,
        patient=record["patient"],
        study=record["study"],
        series=record["series"],
        lesion_type=record["lesion_type"],
        split=record["split"],
        noisy=record["noisy"],
    )


@lru_cache(maxsize=64)
def _open(part: Path) -> pq.ParquetFile:
    return pq.ParquetFile(part, memory_map=True)
