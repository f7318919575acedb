"""Prepared sets damaged: the bytes of their files, values of their JSON, Parquet of other kinds."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lesions.prepared.facts import FACTS
from lesions.prepared.prepared_set import INDEX, MANIFEST, PreparedSet
from tests.lesions.prepared.small_set import change_manifest, change_part, part_of, small_set
from tests.lesions.readers.fuzz.mutations import FLOATS, INTEGERS, TEXTS, mutate
from tests.lesions.readers.fuzz.png import zeros
from tests.lesions.readers.fuzz.rows import check_lesion

_VALUES: tuple[Any, ...] = (
    *INTEGERS, *FLOATS, *TEXTS, None, True, -1, [], {}, [[]], ["a"], [None], {"a": 1}, "train",
    "../../x", [1, 2], [0.5] * 8, "x" * 300_000,
)  # fmt: skip
_CODECS = ("none", "snappy", "gzip", "zstd", "brotli", "lz4")


def write(chance: Random, folder: Path) -> None:
    small_set(folder)
    whole = _bytes(folder)
    while _bytes(folder) == whole:
        for _ in range(chance.choice((1, 1, 2))):
            chance.choice((_any_byte, _any_byte, _manifest, _index, _index, _typed, _bomb, _part))(
                chance, folder
            )


def _bytes(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in (folder / INDEX, folder / MANIFEST, part_of(folder))]


def _any_byte(chance: Random, folder: Path) -> None:
    path = chance.choice((folder / INDEX, folder / INDEX, folder / MANIFEST, part_of(folder)))
    whole = path.read_bytes()
    if chance.random() < 0.4 and len(whole) > 3000:  # footers are at the end
        mutated = whole[:-2000] + mutate(whole[-2000:], chance, front=2000)
    else:
        mutated = mutate(whole or b"\0", chance)
    path.write_bytes(mutated)


def _manifest(chance: Random, folder: Path) -> None:
    try:
        found = json.loads((folder / MANIFEST).read_bytes())
        name = chance.choice(sorted(found))
        if chance.random() < 0.1:
            del found[name]
        elif isinstance(found[name], dict) and chance.random() < 0.5:
            found[name] |= {chance.choice(TEXTS): chance.choice(_VALUES)}
        elif isinstance(found[name], list) and chance.random() < 0.5:
            found[name].append(chance.choice(_VALUES))
        else:
            found[name] = chance.choice(_VALUES)
    except (ValueError, IndexError, TypeError, KeyError):  # damaged before
        return
    (folder / MANIFEST).write_bytes(json.dumps(found).encode())


def _table(folder: Path) -> pa.Table | None:
    try:
        if pq.read_metadata(folder / INDEX).num_rows > 2:  # a bomb already
            return None
        return pq.read_table(folder / INDEX)
    except Exception:  # damaged before
        return None


def _index(chance: Random, folder: Path) -> None:
    """A value of a row, and a number in a list, is another."""
    if (table := _table(folder)) is None:
        return
    rows, name = table.to_pylist(), chance.choice(FACTS.names)
    row = chance.choice(rows or [{}])
    if isinstance(row.get(name), list) and chance.random() < 0.8:
        row[name][chance.randrange(len(row[name]))] = chance.choice((*FLOATS, 0, 1, -5, 4097, None))
    else:
        row[name] = chance.choice(_VALUES)
    if chance.random() < 0.2:
        rows += rows[:1] * chance.choice((1, 1000))
    _saved(lambda: pa.Table.from_pylist(rows, schema=FACTS), chance, folder)


def _typed(chance: Random, folder: Path) -> None:
    """A column is absent, or of another type."""
    if (table := _table(folder)) is None:
        return
    at = chance.randrange(table.num_columns or 1)
    name = table.column_names[at]
    kinds = (pa.large_string(), pa.string(), pa.binary(), pa.int64(), pa.int8(), pa.float32(),
             pa.list_(pa.float64()), pa.list_(pa.float64(), 8), pa.bool_())  # fmt: skip
    if chance.random() < 0.2:
        _saved(lambda: table.drop_columns([name]), chance, folder)
    else:
        kind = chance.choice(kinds)
        _saved(lambda: table.set_column(at, name, table[name].cast(kind)), chance, folder)


def _saved(made: Callable[[], pa.Table], chance: Random, folder: Path) -> None:
    try:
        table = made()
        pq.write_table(
            table, folder / INDEX, compression=chance.choice(_CODECS[:2] * 4 + _CODECS),
            use_dictionary=chance.random() < 0.7, store_schema=chance.random() < 0.8,
            data_page_version=chance.choice(("1.0", "1.0", "1.0", "2.0")),
            row_group_size=chance.choice((1, 2, 1000)),
        )  # fmt: skip
    except (pa.ArrowException, ValueError, OverflowError, TypeError, UnicodeEncodeError):
        return  # what pyarrow cannot write at all is no input


def _bomb(chance: Random, folder: Path) -> None:
    """One long text, or list, for many rows."""
    if (table := _table(folder)) is None or not len(table):
        return
    count, text = chance.choice((1000, 20_000)), "x" * chance.choice((1000, 300_000))
    rows = pa.concat_tables([table.slice(0, 1)] * count).combine_chunks()
    name = chance.choice(("file", "patient", "study", "digest"))
    at = rows.column_names.index(name)
    packed = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), [text])
    options = {"store_schema": False} if chance.random() < 0.5 else {}
    pq.write_table(rows.set_column(at, name, packed), folder / INDEX, **options)
    with suppress(ValueError, TypeError):  # it may be damaged already
        change_manifest(folder, accepted=count)


def _part(chance: Random, folder: Path) -> None:
    """The pixels, or what the footer says, are other."""
    name = chance.choice(("slice", "mask_human", "mask_ellipse"))

    def pixels(rows: list[dict[str, Any]]) -> None:
        row = chance.choice(rows)
        row[name] = chance.choice((None, b"", zeros(1 << 24), mutate(row[name] or b"\0", chance)))

    def said(words: dict[Any, Any]) -> None:
        words[chance.choice(sorted(words))] = chance.choice(_VALUES)

    how = {"compression": chance.choice(_CODECS), "use_dictionary": chance.random() < 0.5,
           "row_group_size": chance.choice((1, 1, 1, 2))}  # fmt: skip
    try:
        if chance.random() < 0.7:
            change_part(folder, pixels, **how)
        else:
            change_part(folder, said=said, **how)
    except (pa.ArrowException, ValueError, OSError, UnicodeEncodeError):
        return


def read(folder: Path) -> tuple[int, list[str]]:
    lesions = PreparedSet(folder)[:]
    for lesion in lesions:
        check_lesion(lesion)
        assert all(lesion.mask(name).shape == lesion.shape for name in lesion.masks)
    return len(lesions), []
