"""One part of a prepared set: the lesions of 32 rows of a table, or of one pair of files.

A Parquet file with a row group for each lesion, its slice and masks as PNG bytes. What else is
known of the lesions, and the rows rejected beside them, stand in the file's metadata: gathering the
index of a thousand parts takes no page of theirs.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lesions.files import replace_with
from lesions.lesion import Lesion
from lesions.recist import Recist

PARTS = "parts"
_MASK = "mask_"
# Of a lesion, beside its pixels; and where these are.
FACTS = pa.schema(
    [
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
        ("human", pa.bool_()),
        ("digest", pa.string()),
        ("part", pa.int32()),
        ("group", pa.int32()),
    ]
)


def part_path(root: Path, index: int) -> Path:
    """The file of the `index`-th part."""
    return root / PARTS / f"part-{index:06d}.parquet"


def pixel_columns(masks: Iterable[str]) -> list[str]:
    """The columns of the slice and of these masks."""
    return ["slice", *(_MASK + name for name in masks)]


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
    facts = [_facts(*both) for both in zip(lesions, pixels, strict=True)]
    schema = pa.schema([(name, pa.binary()) for name in pixel_columns(masks)])
    # The pixels are PNG already, each its own: compression, dictionaries and the least and
    # greatest of them cost time and save nothing.
    plain = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    with (
        replace_with(path) as file,
        pq.ParquetWriter(file, schema, store_schema=False, **plain) as writer,
    ):
        writer.write_table(pa.Table.from_pylist(pixels, schema=schema), row_group_size=1)
        writer.add_key_value_metadata(
            {"lesions": json.dumps(facts), "rejected": json.dumps(list(rejected))}
        )


def masks_in(part: Path) -> list[str] | None:
    """The masks that a part has columns for; None when there is no part, or none that reads."""
    try:
        schema = pq.read_schema(part)
    except (FileNotFoundError, pa.ArrowInvalid):
        return None
    if b"lesions" not in (schema.metadata or {}):  # of an earlier version
        return None
    return [name.removeprefix(_MASK) for name in schema.names if name.startswith(_MASK)]


def read_part(part: Path) -> tuple[list[Lesion], list[dict[str, Any]]]:
    """The lesions of a part with all their masks, and the rejected rows beside them."""
    table = pq.read_table(part, use_threads=False)
    facts = json.loads(table.schema.metadata[b"lesions"])
    lesions = [lesion_of(*both) for both in zip(facts, table.to_pylist(), strict=True)]
    return lesions, json.loads(table.schema.metadata[b"rejected"])


def read_index(part: Path, number: int) -> tuple[pa.Table, list[dict[str, Any]]]:
    """What a part says beside its pixels.

    Returns:
        A row for each lesion, with the part's number and the lesion's row group; and the rejected
        rows.
    """
    metadata = pq.read_schema(part).metadata
    facts = json.loads(metadata[b"lesions"])
    placed = [row | {"part": number, "group": group} for group, row in enumerate(facts)]
    return pa.Table.from_pylist(placed, schema=FACTS), json.loads(metadata[b"rejected"])


def lesion_of(facts: Mapping[str, Any], pixels: Mapping[str, bytes | None]) -> Lesion:
    """The lesion of a row of the index and of what its row group holds."""
    masks = {name.removeprefix(_MASK): png for name, png in pixels.items()
             if name.startswith(_MASK) and png is not None}  # fmt: skip
    encoded = pixels["slice"]
    assert encoded is not None
    height, width = facts["shape"]
    return Lesion(
        file=facts["file"],
        row=facts["row"],
        recist=Recist(np.reshape(facts["recist"], (4, 2))),
        spacing=tuple(facts["spacing"]),
        window=tuple(facts["window"]),
        shape=(height, width),
        encoded=encoded,
        masks=masks,
        patient=facts["patient"],
        study=facts["study"],
        series=facts["series"],
        lesion_type=facts["lesion_type"],
        split=facts["split"],
        noisy=facts["noisy"],
    )


def _pixels(lesion: Lesion, masks: Iterable[str]) -> dict[str, bytes | None]:
    return {"slice": lesion.slice_png} | {_MASK + name: lesion.masks.get(name) for name in masks}


def _facts(lesion: Lesion, pixels: Mapping[str, bytes | None]) -> dict[str, Any]:
    facts = {
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
        "human": "human" in lesion.masks,
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name, content in sorted(pixels.items()):
        digest.update(name.encode() + hashlib.sha256(content or b"").digest())
    return facts | {"digest": digest.hexdigest()}
