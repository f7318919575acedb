"""What makes the parts a set: the claim on its folder first, index and manifest last."""

import hashlib
import importlib.metadata
import json
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lesions.errors import InputError
from lesions.files import replace_with, write_text
from lesions.of_mask import counted
from lesions.prepared.facts import FACTS
from lesions.prepared.from_masks import of_masks_in, write_from_masks
from lesions.prepared.parquet import read_table
from lesions.prepared.part import ASIDE, PARTS, part_path, read_index
from lesions.prepared.prepared_set import AGAIN, INDEX, MANIFEST, REJECTED, mask_names
from lesions.prepared.preparing import Plan, Table
from lesions.prepared.readings import gather_readings, readings_digest
from lesions.readers.bounded import read_json

PLAN = "plan.json"
PARTS_AT_ONCE = 128
LONG_AGO = 24 * 60 * 60.0  # seconds
VERSIONED = ("numpy", "opencv-python-headless", "pyarrow", "scipy")


def claim(plan: Plan) -> Plan:
    """Mark `out` as this plan's; refuse a folder that holds a set of other lesions.

    Returns:
        The plan with the masks that the set at `out` has, or was to have, before its own.
    """
    path = plan.out / PLAN
    ours = plan.lesions.identity() | plan.lesions.options()
    theirs = _read_plan(path) if path.exists() else None
    if theirs is not None and theirs | ours != theirs:
        raise InputError(
            "holds a set that was prepared otherwise", file=plan.out,
            remedy="choose another --out, or remove it",
        )  # fmt: skip
    had = theirs["masks"] if theirs else []
    masks = tuple(dict.fromkeys([*had, *plan.masks]))
    _sweep(plan.out)
    claimed = ours | {"masks": [*masks]}
    if claimed != theirs:
        write_text(path, json.dumps(claimed, indent=1))
    return replace(plan, masks=masks)


def _read_plan(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path, dict)
        return found | {"masks": mask_names(found, path)}
    except InputError as error:
        raise InputError(error.reason, file=path, remedy=AGAIN) from None


def _sweep(out: Path) -> None:
    """Remove what writers that were killed have left; others may be writing now."""
    for folder in (out, out / PARTS):
        for partial in folder.glob(".*.partial"):
            with suppress(FileNotFoundError):
                if time.time() - partial.lstat().st_mtime > LONG_AGO:
                    partial.unlink()


def write_manifest(plan: Plan, read: int, parts: int) -> dict[str, Any]:
    """Gather the finished parts into the index, the rejected rows and the manifest.

    Args:
        plan: of `claim`.
        read: how many items the source has; each gives lesions or is rejected.
        parts: how many.
    """
    lesions, rejected = _write_index(plan.out, parts)
    readings = _readings(plan) if lesions["accepted"] else {}
    of_masks = [] if plan.lesions.one_each else of_masks_in(plan.out, parts)
    if of_masks:
        write_from_masks(plan.out, of_masks)
    with replace_with(plan.out / REJECTED) as file:
        pq.write_table(pa.Table.from_pylist(rejected, schema=ASIDE), file)
    reasons = Counter(row["reason"].partition(":")[0] for row in rejected)
    manifest = {
        "read": read,
        **lesions,
        "rejected": len(rejected),
        "reasons": dict(reasons.most_common()),
        **({"from_masks": counted(one for _, _, one in of_masks)} if of_masks else {}),
        "masks": list(plan.masks),
        **({"readings": readings} if readings else {}),
        "source": str(plan.lesions.place),
        **plan.lesions.identity(),
        "versions": {name: importlib.metadata.version(name) for name in VERSIONED},
    }
    found = lesions["accepted"] + len(rejected)
    assert found == read if plan.lesions.one_each else found >= read
    write_text(plan.out / MANIFEST, json.dumps(manifest, indent=1))
    return manifest


def _readings(plan: Plan) -> dict[str, Any]:
    """Of a table's set that has lesions, see `gather_readings`; its index is there already."""
    if not isinstance(plan.lesions, Table):
        return {}
    place = plan.lesions.place
    if not (digest := readings_digest(place)):
        return {}
    return gather_readings(place, plan.out, read_table(plan.out / INDEX, FACTS), digest)


def _write_index(out: Path, parts: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Write the index; what the manifest says of the lesions, and the rejected rows."""
    rejected: list[dict[str, Any]] = []
    splits: Counter[str] = Counter()
    human, fingerprint = 0, hashlib.sha256()
    with replace_with(out / INDEX) as file, pq.ParquetWriter(file, FACTS) as writer:
        # A part is little for a row group, and all of them are much for the memory.
        for first in range(0, parts, PARTS_AT_ONCE):
            numbers = range(first, min(first + PARTS_AT_ONCE, parts))
            gathered = [read_index(part_path(out, number), number) for number in numbers]
            rejected += [row for _, aside in gathered for row in aside]
            index = pa.concat_tables([table for table, _ in gathered])
            splits.update(index["split"].to_pylist())
            human += sum(index["human"].to_pylist())
            fingerprint.update("".join(index["digest"].to_pylist()).encode())
            writer.write_table(index)
    lesions = {
        "accepted": splits.total(),
        "splits": dict(splits),
        "human_masks": human,
        "fingerprint": fingerprint.hexdigest(),
    }
    return lesions, rejected
