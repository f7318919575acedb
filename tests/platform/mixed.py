"""A small set of many patients: enough to learn which lesions look alike."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lesions.prepared.manifest import claim, write_manifest
from lesions.prepared.preparing import Plan, parts_of, prepare_part
from lesions.readers.deeplesion import read_table
from tests.platform.conftest import sample_rows, write_source


def mixed_set(
    source: Path, out: Path, mask: str = "ellipse", chosen: Sequence[Any] | None = None
) -> Path:
    """Some 30 lesions of the sample, or the chosen rows, prepared in this process."""
    written = write_source(source, list(chosen or sample_rows()[::8]))
    plan = claim(Plan(source=written, out=out, masks=(mask,)))
    rows = read_table(written)
    for number, part in enumerate(parts_of(rows)):
        assert prepare_part({"part": number, "rows": part}, plan)["error"] == ""
    write_manifest(plan, len(rows), len(parts_of(rows)))
    return out
