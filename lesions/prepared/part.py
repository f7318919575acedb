"""One part of a prepared set: the lesions of 32 rows of a table, or of one pair of files.

A Parquet file with a row group for each lesion, its slice and masks as PNG bytes. What else is
known of the lesions, and the rows rejected beside them, stand in the file's metadata: gathering the
index of a thousand parts takes no page of theirs.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lesions.errors import InputError
from lesions.files import replace_with
from lesions.lesion import Lesion
from lesions.of_mask import OfMask
from lesions.prepared.facts import FACTS, MASK, check_facts, facts_of, lesion_of, pixel_columns
from lesions.prepared.parquet import DamagedError, Parquet, named, one_row
from lesions.readers.bounded import parse_json

PARTS = "parts"
OF_MASKS = "of_masks"
ASIDE = pa.schema([("file", pa.string()), ("row", pa.int32()), ("reason", pa.string())])


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
        rejected: `file`, `row`, `reason` of each.
    """
    pixels = [_pixels(lesion, masks) for lesion in lesions]
    facts = [facts_of(*both) for both in zip(lesions, pixels, strict=True)]
    schema = pa.schema([(name, pa.binary()) for name in pixel_columns(masks)])
    # The pixels are PNG already, each its own: compression, dictionaries and the least and
    # greatest of them cost time and save nothing.
    plain = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    with (
        replace_with(path) as file,
        pq.ParquetWriter(file, schema, store_schema=False, **plain) as writer,
    ):
        writer.write_table(pa.Table.from_pylist(pixels, schema=schema), row_group_size=1)
        writer.add_key_value_metadata({
            "lesions": json.dumps(facts), "rejected": json.dumps(list(rejected)),
            OF_MASKS: json.dumps([lesion.of_mask and asdict(lesion.of_mask) for lesion in lesions]),
        })  # fmt: skip


def open_part(path: Path) -> Parquet:
    """A part; errors as `Parquet`."""
    return Parquet(path, _is_part)


def masks_in(part: Path) -> list[str] | None:
    """The masks that a part has columns for; None when there is no part, or none that reads.

    Raises:
        InputError, OSError: something else has the part's name, or it may not be read.
    """
    try:
        opened = open_part(part)
        opened.said("lesions")  # an earlier version's says it elsewhere
    except (FileNotFoundError, DamagedError):
        return None
    names = opened.file.schema_arrow.names
    return [name.removeprefix(MASK) for name in names if name.startswith(MASK)]


def read_part(part: Path) -> tuple[list[Lesion], list[dict[str, Any]]]:
    """The lesions of a part with all their masks, and the rejected rows beside them."""
    opened = open_part(part)
    index, rejected = _said(opened, 0)
    with named(part):
        lesions = [
            replace(lesion_of(row, one_row(opened, row["group"])), of_mask=of_mask)
            for row, of_mask in zip(index.to_pylist(), _of_masks(opened), strict=True)
        ]
    return lesions, rejected


def read_index(part: Path, number: int) -> tuple[pa.Table, list[dict[str, Any]]]:
    """What a part says beside its pixels.

    Returns:
        A row for each lesion, with the part's number and the lesion's row group; and the rejected
        rows.
    """
    return _said(open_part(part), number)


def read_of_masks(part: Path) -> list[OfMask | None]:
    """What a part says of its lesions' 3D masks, in order; None of a lesion without one."""
    return _of_masks(open_part(part))


def _of_masks(part: Parquet) -> list[OfMask | None]:
    """See `read_of_masks`; a part that an earlier version wrote says nothing of any."""
    if not part.says(OF_MASKS):
        return [None] * part.groups
    said = parse_json(part.said(OF_MASKS), list, part.path)
    with named(part.path):
        return [None if one is None else OfMask.read(one) for one in said]


def _said(part: Parquet, number: int) -> tuple[pa.Table, list[dict[str, Any]]]:
    """See `read_index`."""
    facts, aside = (
        parse_json(part.said(word), list, part.path) for word in ("lesions", "rejected")
    )
    with named(part.path):
        placed = [row | {"part": number, "group": group} for group, row in enumerate(facts)]
        index = pa.Table.from_pylist(placed, schema=FACTS)
        check_facts(index)
        rejected = pa.Table.from_pylist(aside, schema=ASIDE)
        if len(index) != part.file.metadata.num_rows or any(
            rejected[name].null_count for name in ASIDE.names
        ):
            raise InputError("its footer does not say what it holds")
        return index, rejected.to_pylist()


def _is_part(schema: pa.Schema) -> bool:
    """The slice and masks, as bytes."""
    first, *others = schema.names or [""]
    known = first == "slice" and all(name.startswith(MASK) for name in others)
    return known and len(set(others)) == len(others) and set(schema.types) == {pa.binary()}


def _pixels(lesion: Lesion, masks: Iterable[str]) -> dict[str, bytes | None]:
    return {"slice": lesion.slice_png} | {MASK + name: lesion.masks.get(name) for name in masks}
