"""What makes the parts a set: the claim on its folder first, index and manifest last."""

import hashlib
import importlib.metadata
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lesions.errors import InputError
from lesions.files import replace_with, write_text
from lesions.prepared.prepared_set import (
    INDEX,
    MANIFEST,
    REJECTED,
    part_path,
    read_index,
    read_rejected,
)
from lesions.prepared.preparing import Plan
from lesions.readers.deeplesion import TABLE

PLAN = "plan.json"
VERSIONED = ("numpy", "opencv-python-headless", "pyarrow", "scikit-image", "scipy")


def table_digest(source: Path) -> str:
    """What tells one data set's table from another's, wherever it lies."""
    return hashlib.sha256((source / TABLE).read_bytes()).hexdigest()


def claim(plan: Plan) -> None:
    """Mark `out` as this plan's; refuse a folder that holds another plan's set."""
    ours = {"table": table_digest(plan.source), "masks": list(plan.masks),
            "keep_noisy": plan.keep_noisy}  # fmt: skip
    path = plan.out / PLAN
    try:
        theirs = json.loads(path.read_text())
    except FileNotFoundError:
        write_text(path, json.dumps(ours, indent=1))
    else:
        if theirs != ours:
            raise InputError(
                "holds a set that was prepared otherwise", file=plan.out,
                remedy="choose another --out, or remove it",
            )  # fmt: skip


def write_manifest(plan: Plan, read: int, parts: int) -> dict[str, Any]:
    """Gather the finished parts into the index, the rejected rows and the manifest."""
    paths = [part_path(plan.out, number) for number in range(parts)]
    index = pa.concat_tables([read_index(path, n) for n, path in enumerate(paths)])
    rejected = [row for path in paths for row in read_rejected(path)]
    digests = hashlib.sha256("\n".join(index["digest"].to_pylist()).encode())
    human = sum(_has_human(path) for path in paths)
    reasons = Counter(row["reason"].partition(":")[0] for row in rejected)
    manifest: dict[str, Any] = {
        "read": read,
        "accepted": len(index),
        "rejected": len(rejected),
        "reasons": dict(reasons.most_common()),
        "splits": dict(Counter(index["split"].to_pylist())),
        "human_masks": human,
        "masks": list(plan.masks),
        "source": str(plan.source),
        "table": table_digest(plan.source),
        "fingerprint": digests.hexdigest(),
        "versions": {name: importlib.metadata.version(name) for name in VERSIONED},
    }
    assert manifest["accepted"] + manifest["rejected"] == read
    schema = pa.schema([("file", pa.string()), ("row", pa.int32()), ("reason", pa.string())])
    with replace_with(plan.out / REJECTED) as partial:
        pq.write_table(pa.Table.from_pylist(rejected, schema=schema), partial)
    with replace_with(plan.out / INDEX) as partial:
        pq.write_table(index, partial)
    write_text(plan.out / MANIFEST, json.dumps(manifest, indent=1))
    return manifest


def _has_human(part: Path) -> int:
    column = pq.read_table(part, columns=["mask_human"])["mask_human"]
    return len(column) - int(column.null_count)
