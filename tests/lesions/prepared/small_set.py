"""A prepared set of two lesions and one rejected row, to be damaged."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lesions.prepared.facts import FACTS
from lesions.prepared.manifest import claim, write_manifest
from lesions.prepared.prepared_set import INDEX, MANIFEST
from lesions.prepared.preparing import Plan, parts_of, prepare_part
from lesions.readers.deeplesion import read_table
from lesions.sample import ROOT as SAMPLE


@cache
def _made() -> Path:
    rows = read_table(SAMPLE)[:3]
    rows[1] = replace(rows[1], fields={**rows[1].fields, "Spacing_mm_px_": "0, 0, 0"})
    plan = claim(Plan(source=SAMPLE, out=Path(mkdtemp(prefix="prepared")), masks=("ellipse",)))
    for number, part in enumerate(parts_of(rows)):
        assert prepare_part({"part": number, "rows": part}, plan)["error"] == ""
    write_manifest(plan, len(rows), 1)
    return plan.out


def small_set(root: Path) -> Path:
    shutil.copytree(_made(), root, dirs_exist_ok=True)
    return root


def part_of(root: Path) -> Path:
    return root / "parts" / "part-000000.parquet"


def change_index(root: Path, change: Callable[[dict[str, Any]], object], **how: Any) -> None:
    """Change each row, and write the index anew."""
    rows = pq.read_table(root / INDEX).to_pylist()
    for row in rows:
        change(row)
    pq.write_table(pa.Table.from_pylist(rows, schema=FACTS), root / INDEX, **how)


def change_manifest(root: Path, **values: Any) -> None:
    found = json.loads((root / MANIFEST).read_text())
    (root / MANIFEST).write_text(json.dumps(found | values))


def change_part(
    root: Path,
    pixels: Callable[[list[dict[str, Any]]], object] = lambda rows: None,
    said: Callable[[dict[str, Any]], object] = lambda said: None,
    **how: Any,
) -> None:
    """Change a part's pixels and what its footer says, and write it anew."""
    table = pq.read_table(part_of(root))
    rows, words = table.to_pylist(), {k: json.loads(v) for k, v in table.schema.metadata.items()}
    pixels(rows)
    said(words)
    options = {"compression": "none", "use_dictionary": False, "row_group_size": 1} | how
    size = options.pop("row_group_size")
    schema = table.schema.remove_metadata()
    with pq.ParquetWriter(part_of(root), schema, store_schema=False, **options) as writer:
        writer.write_table(pa.Table.from_pylist(rows, schema=schema), row_group_size=size)
        writer.add_key_value_metadata({k: json.dumps(v) for k, v in words.items()})
