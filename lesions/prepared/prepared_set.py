"""A prepared set on disk: lesions with their pseudo masks, checked and ready to train on.

    parts/part-000000.parquet   the lesions of 32 consecutive rows of the source's table, or of one
                                pair of a volume and its mask
    index.parquet               every column but the pixels, one row a lesion
    rejected.parquet            file, row, reason
    readings.parquet            further readings of the lesions, where the source has any
    embeddings/vectors.parquet  how they look, once platform.embed was run: see `embeddings`
    manifest.json               counts, masks, fingerprint, versions; written last, so it marks a
                                whole set

Each lesion is a row group of its own: any one is read without its neighbours, so memory stays
small whatever the set's size.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from lesions.errors import InputError
from lesions.lesion import Lesion
from lesions.names import check_name
from lesions.prepared.embeddings import Beside, SetEmbeddings
from lesions.prepared.facts import FACTS, check_facts, lesion_of, pixel_columns
from lesions.prepared.parquet import Parquet, named, one_row, read_table
from lesions.prepared.part import open_part, part_path
from lesions.prepared.readings import FILE as READINGS
from lesions.prepared.readings import readings_in
from lesions.readers.bounded import read_json
from lesions.readers.readings import MOST_READERS, reader_name
from lesions.recist import Recist

MANIFEST, INDEX, REJECTED = "manifest.json", "index.parquet", "rejected.parquet"
AGAIN = "it is damaged: prepare it again, into a new folder, with python -m platform.prepare"
_COUNTS = ("read", "accepted", "rejected", "human_masks")


class PreparedSet(Sequence[Lesion]):
    """The lesions of a prepared set, or of one split of it, read one at a time.

    Args:
        root: the set's folder.
        split: that is shown of it; None is all.
        embedded: give lesions their embeddings, where the set has any.

    Raises:
        InputError: there is no whole prepared set at `root`, or a damaged one.
    """

    def __init__(
        self, root: str | Path, split: str | None = None, *, embedded: bool = True
    ) -> None:
        self.root, self.split = Path(root), split
        try:
            self.manifest = read_manifest(self.root)
            index = read_table(self.root / INDEX, FACTS)
            with named(self.root / INDEX):
                check_facts(index)
                if len(index) != self.manifest["accepted"]:
                    raise InputError(f"holds {len(index)} lesions, {MANIFEST} says "
                                     f"{self.manifest['accepted']}")  # fmt: skip
        except OSError as error:
            raise InputError(
                f"no whole prepared set: {error}",
                file=self.root,
                remedy="make one with python -m platform.prepare --source DIR --out DIR",
            ) from None
        except InputError as error:
            raise InputError(error.reason, file=error.file, remedy=AGAIN) from None
        self._looks = Beside(self.root, index, split) if embedded else None
        rows = index.to_pylist()
        self.rows = [row for row in rows if split in (None, row["split"])]
        # Of a set that is being given further masks, some parts hold more than the manifest says.
        self._pixels = pixel_columns(["human", *self.manifest["masks"]])
        self._groups = Counter(row["part"] for row in rows)

    @property
    def fingerprint(self) -> str:
        """The digest of every lesion, pixel and mask of the whole set."""
        fingerprint: str = self.manifest["fingerprint"]
        return fingerprint

    @property
    def readers(self) -> list[str]:
        """Who has read lesions of the set, beside those who marked them."""
        return list(self.manifest["readings"]["readers"]) if "readings" in self.manifest else []

    def readings_of(self, row: int) -> dict[str, Recist]:
        """The further readings of the lesion of a row of the table, by the readers' names.

        Raises:
            InputError: the set's readings are gone or damaged.
        """
        if not self.readers:
            return {}
        path = self.root / READINGS
        try:
            return readings_in(path, self.manifest["readings"]["digest"]).of(row)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", file=path, remedy=AGAIN) from None

    @property
    def embeddings(self) -> SetEmbeddings | None:
        """Of the whole set's lesions, in the order of the index; None where there are none.

        Raises:
            InputError: they are damaged, or of other lesions.
        """
        return self._looks.read() if self._looks else None

    def __len__(self) -> int:
        """How many lesions."""
        return len(self.rows)

    def __getitem__(self, at: Any) -> Any:
        """The lesion at an index, or those of a slice."""
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        row = self.rows[at]
        path = part_path(self.root, row["part"])
        try:
            part = _open(path, self.fingerprint)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", file=path, remedy=AGAIN) from None
        whole = row["group"] < part.groups == self._groups[row["part"]]
        if not whole or not part.columns.issuperset(self._pixels):
            raise InputError(
                "a part was made anew after the index", file=self.root,
                remedy="run platform.prepare again, with the masks it was last given",
            )  # fmt: skip
        with named(path):
            lesion = lesion_of(row, one_row(part, row["group"], self._pixels))
        more: dict[str, Any] = (
            {"readings": found} if (found := self.readings_of(row["row"])) else {}
        )
        if self._looks and (vector := self._looks.of(at)) is not None:
            more["embedding"] = vector
        return replace(lesion, **more) if more else lesion

    def __iter__(self) -> Iterator[Lesion]:
        """Each lesion in turn."""
        return (self[i] for i in range(len(self)))


@lru_cache(maxsize=64)
def _open(part: Path, fingerprint: str) -> Parquet:
    """A part, mapped; another file once the set has another fingerprint."""
    return open_part(part)


def read_manifest(root: Path) -> dict[str, Any]:
    """The manifest of a prepared set.

    Raises:
        InputError: it is damaged.
        OSError: it is absent, or may not be read.
    """
    path = root / MANIFEST
    found = read_json(path, dict)
    counts = [found.get(name) for name in _COUNTS]
    # A table's set, and one of an earlier version, says nothing of masks.
    for name in ("splits", "reasons", *({"from_masks"} & found.keys())):
        counts += found[name].values() if isinstance(found.get(name), dict) else [None]
    if not all(type(count) is int and count >= 0 for count in counts):
        raise InputError("a count is no whole number", file=path)
    if not all(isinstance(found.get(name), str) for name in ("fingerprint", "source")):
        raise InputError("fingerprint or source is no text", file=path)
    found["masks"] = mask_names(found, path)
    if "readings" in found:
        _check_readings(found["readings"], path)
    return found


def _check_readings(said: Any, path: Path) -> None:
    """InputError where what a manifest says of readings is not what `gather_readings` says."""
    readers = said.get("readers") if isinstance(said, dict) else None
    if not isinstance(readers, dict) or not isinstance(said.get("digest"), str):
        raise InputError("readings is no object of readers and a digest", file=path)
    if len(readers) > MOST_READERS:
        raise InputError(f"has more than {MOST_READERS} readers", file=path)
    for name in readers:
        try:
            reader_name(name)
        except InputError as error:
            raise InputError(error.reason, file=path) from None


def mask_names(found: dict[str, Any], path: Path) -> list[str]:
    """The masks that the JSON object of a file names; InputError where they are no names."""
    names = found.get("masks")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError("masks is no list of names", file=path)
    try:
        return [check_name(name) for name in names]
    except InputError as error:
        raise InputError(error.reason, file=path) from None
