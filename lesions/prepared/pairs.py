"""CT volumes with 3D human masks as a source of a prepared set: one part a pair."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lesions.errors import InputError, shown
from lesions.judging.pairs import Pair, are_phantom
from lesions.lesion import Lesion
from lesions.prepared.facts import lesion_type
from lesions.readers.csv_rows import read_csv
from lesions.readers.deeplesion import EXACT_MASKS, Rejected, Remark

CATEGORY_COLUMNS = ("name", "category")
_NAMED = 3  # pairs that an error names
_HEADERS, _VOXELS = (".mhd", ".nhdr"), (".raw", ".zraw", ".raw.gz")


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Pairs of a CT volume and its mask as a `preparing.Source`.

    Every connected part of a mask is a lesion; how many there are only reading tells. A pair that
    cannot be read is set aside whole, as row 0.

    Attributes:
        place: the folder of the images.
        pairs: all of them, in order.
        digest: of what they are; see `pairs_digest`.
        phantom: whether the lesions are made ones.
    """

    place: Path
    pairs: tuple[Pair, ...]
    digest: str
    phantom: bool = False
    item = "pair"
    one_each = False

    def identity(self) -> dict[str, str]:
        """See `Source`."""
        made = {"phantom": EXACT_MASKS} if self.phantom else {}
        return {"pairs": self.digest, **made}

    def options(self) -> dict[str, Any]:
        """None: the digest covers each pair's."""
        return {}

    def parts(self) -> tuple[list[Any], int]:
        """See `Source`."""
        return list(self.pairs), len(self.pairs)

    def size(self, part: Pair) -> int:
        """One pair."""
        return 1

    def read(self, part: Pair) -> Iterator[Lesion | Rejected | Remark]:
        """See `Source`."""
        yield from part.read()


def source_of(place: Path, pairs: Sequence[Pair]) -> Pairs:
    """The source of these pairs, as their files are now.

    Raises:
        InputError: made lesions and real ones together.
    """
    return Pairs(place=place, pairs=tuple(pairs), digest=pairs_digest(pairs),
                 phantom=are_phantom(pairs))  # fmt: skip


def pairs_digest(pairs: Sequence[Pair]) -> str:
    """Changes with each pair's name, window, label, type, split, taking and each of its files.

    A file is known by its name, size and time of modification: reading whole volumes to know them
    by their content would take minutes before every run. Folders above the pair do not count.
    """
    digest = hashlib.sha256()
    for pair in pairs:
        said: list[Any] = [pair.name, pair.window, pair.label, pair.lesion_type, pair.split]
        said += [asdict(pair.taking)]
        said += ["values are HU"] if pair.values_are_hu else []
        files = [_known_by(path) for path in (pair.image, pair.mask)]
        digest.update(json.dumps([said, files]).encode())
    return digest.hexdigest()


def _known_by(path: Path) -> list[tuple[str, int, int]]:
    """(name, size, modified in ns) of a file, or of every file below a folder.

    Of a header also of its voxels, where they lie beside it under its name, as nearly all do.
    """
    if not path.is_dir():
        beside = [path.with_suffix(one) for one in _VOXELS if path.suffix in _HEADERS]
        files = [path, *(one for one in beside if one.exists())]
        return [(file.name, *_changing(file)) for file in files]
    walk = os.walk(path)
    files = sorted(
        Path(folder, name) for folder, _, names in walk for name in names
        if not (name.startswith(".") and name.endswith(".partial"))  # of a writer that was killed
    )  # fmt: skip
    return [(str(file.relative_to(path)), *_changing(file)) for file in files]


def _changing(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except OSError:  # the pair's own reading says what is wrong with it
        return -1, -1
    return found.st_size, found.st_mtime_ns


def with_category(pairs: Sequence[Pair], category: str) -> list[Pair]:
    """The pairs, their lesions all of one category."""
    return [replace(pair, lesion_type=lesion_type(category)) for pair in pairs]


def with_categories(pairs: Sequence[Pair], table: Path) -> list[Pair]:
    """The pairs with the categories that a CSV table says.

    Args:
        pairs: in any order.
        table: with the columns name, which is a pair's, and category; other rows are no matter.

    Raises:
        InputError: no such table, a column absent, a name with two categories or with none.
    """
    categories = _read_categories(table)
    absent = [pair.name for pair in pairs if pair.name not in categories]
    if absent:
        more = f" and {len(absent) - _NAMED} more" if len(absent) > _NAMED else ""
        raise InputError(f"no category for {', '.join(absent[:_NAMED])}{more}", file=table)
    return [replace(pair, lesion_type=categories[pair.name]) for pair in pairs]


def _read_categories(table: Path) -> Mapping[str, str]:
    found: dict[str, str] = {}
    columns, records = read_csv(table)
    absent = [name for name in CATEGORY_COLUMNS if name not in columns]
    if absent:
        raise InputError(f"the table lacks the column {absent[0]}", file=table)
    for record in records:
        if record.damage:  # whose category it says cannot be told
            raise InputError(record.damage, file=table, row=record.number)
        row = dict(zip(columns, record.cells, strict=False))
        name, category = (row.get(column, "").strip() for column in CATEGORY_COLUMNS)
        kind = lesion_type(category, table, record.number)
        if found.setdefault(name, kind) != kind:
            raise InputError(
                f"{shown(name)} is {kind} here and {found[name]} above", file=table,
                row=record.number,
            )  # fmt: skip
    return found
