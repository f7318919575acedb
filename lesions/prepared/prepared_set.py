"""A prepared set on disk: lesions with their pseudo masks, checked and ready to train on.

    parts/part-000000.parquet   the lesions of 32 consecutive rows of the source's table, or of one
                                pair of a volume and its mask
    index.parquet               every column but the pixels, one row a lesion
    rejected.parquet            file, row, reason
    manifest.json               counts, masks, fingerprint, versions; written last, so it marks a
                                whole set

Each lesion is a row group of its own: any one is read without its neighbours, so memory stays
small whatever the set's size.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lesions.errors import InputError
from lesions.lesion import Lesion
from lesions.prepared.part import lesion_of, part_path, pixel_columns

MANIFEST, INDEX, REJECTED = "manifest.json", "index.parquet", "rejected.parquet"


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
        # Of a set that is being given further masks, some parts hold more than the manifest says.
        self._pixels = pixel_columns(["human", *self.manifest["masks"]])
        self._groups = Counter(row["part"] for row in index)

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
        part = _open(part_path(self.root, row["part"]), self.fingerprint)
        if part.num_row_groups != self._groups[row["part"]]:
            raise InputError(
                "a part was made anew after the index", file=self.root,
                remedy="run platform.prepare again, with the masks it was last given",
            )  # fmt: skip
        pixels = part.read_row_group(row["group"], self._pixels, use_threads=False)
        return lesion_of(row, pixels.to_pylist()[0])

    def __iter__(self) -> Iterator[Lesion]:
        """Each lesion in turn."""
        return (self[i] for i in range(len(self)))


@lru_cache(maxsize=64)
def _open(part: Path, fingerprint: str) -> pq.ParquetFile:
    """A part, mapped; another file once the set has another fingerprint."""
    return pq.ParquetFile(part, memory_map=True)
