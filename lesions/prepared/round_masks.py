"""Masks made anew between phases of a training: what takes the place of prepared ones, or joins.

plan.json                     what they are made from; masks of another plan are made anew
chunks/chunk-000000.parquet   file, row, name, mask (PNG), scores: of 32 lesions in the set's order,
                              one or several masks each
manifest.json                 the scores' means; written last, so it marks a whole round
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lesions.errors import InputError, shown
from lesions.files import replace_with, write_text
from lesions.lesion import Lesion
from lesions.metrics.summary import summary
from lesions.prepared.parquet import read_table
from lesions.readers.bounded import read_json
from lesions.readers.png import read_header

PLAN, CHUNKS, MANIFEST = "plan.json", "chunks", "manifest.json"
LESIONS_PER_CHUNK = 32
FORMAT = 2  # of the chunks; 1 had one mask a lesion, without its name
_AGAIN = "it is damaged: remove the folder, and resume the training"
# Against the human mask, where there is one: the mask trained on before, what the model's
# prediction became, and what both agree on; the last without its uncertain pixels, whose share is
# `uncertain`.
SCORES = ("dice_before", "dice_refined", "dice", "uncertain")
_SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("row", pa.int32()),
        ("name", pa.string()),
        ("mask", pa.binary()),
        ("reason", pa.string()),
    ]
    + [(name, pa.float64()) for name in SCORES]
)


def chunks_of(lesions: int) -> list[range]:
    """The places of each chunk's lesions: of the set alone, whoever makes them."""
    starts = range(0, lesions, LESIONS_PER_CHUNK)
    return [range(at, min(at + LESIONS_PER_CHUNK, lesions)) for at in starts]


def claim(root: Path, plan: Mapping[str, Any]) -> bool:
    """Whether the round of this plan is whole at `root`; what is there of another plan is removed.

    A plan names the model, the data and the masks before by their digests.
    """
    path, told = root / PLAN, {**plan, "format": FORMAT}
    if _read_plan(path) != told:
        shutil.rmtree(root, ignore_errors=True)
        write_text(path, json.dumps(told, indent=1))
    return (root / MANIFEST).exists()


def _read_plan(path: Path) -> dict[str, Any] | None:
    """The plan there; None where there is none, or a damaged one."""
    try:
        return read_json(path, dict)
    except (FileNotFoundError, InputError):
        return None


def chunk_path(root: Path, number: int) -> Path:
    """The file of the `number`-th chunk."""
    return root / CHUNKS / f"chunk-{number:06d}.parquet"


def write_chunk(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a chunk's rows, whole or not at all.

    A lesion has one row or several, one after the other, in the set's order. A row has `file`,
    `row`, `name` (of the mask that it replaces, or joins), `mask` (None keeps what is there, and
    then `reason` says why) and those of `SCORES` that are known.
    """
    with replace_with(path) as file:
        pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=_SCHEMA), file)


def read_masks(root: Path) -> list[dict[str, Any]]:
    """Every row of every chunk, in order; InputError where a chunk is damaged."""
    rows: list[dict[str, Any]] = []
    for path in sorted((root / CHUNKS).glob("chunk-*.parquet")):
        table = read_table(path, _SCHEMA)
        if any(table[column].null_count for column in ("file", "row", "name")):
            raise InputError("a mask has no lesion or no name", file=path, remedy=_AGAIN)
        rows += table.to_pylist()
    return rows


def _by_lesion(rows: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The rows of each lesion, in order."""
    return [list(of) for _, of in groupby(rows, key=lambda row: (row["file"], row["row"]))]


def finish(root: Path) -> dict[str, float]:
    """Write the manifest of a round whose chunks are all there; its figures.

    Returns:
        `lesions`; `kept`, how many got no new mask at all; `human`, how many have a human mask; and
        the means of `SCORES` over the masks that have them.
    """
    rows = read_masks(root)
    lesions = _by_lesion(rows)
    figures = {
        "lesions": float(len(lesions)),
        "kept": float(sum(all(row["mask"] is None for row in of) for of in lesions)),
        "human": float(sum(any(row["dice"] is not None for row in of) for of in lesions)),
    }
    for name in SCORES:
        found = [{name: row[name]} for row in rows if row[name] is not None]
        if found:
            figures[name] = summary(found)[name]
    write_text(root / MANIFEST, json.dumps(figures, indent=1))
    return figures


def read_figures(root: Path) -> dict[str, float]:
    """The manifest, see `finish`; InputError where it is damaged."""
    figures = read_json(root / MANIFEST, dict)
    known = all(type(figure) in (int, float) for figure in figures.values())
    if not known or not {"lesions", "kept", "human"} <= figures.keys():
        raise InputError("its figures are no numbers", file=root / MANIFEST, remedy=_AGAIN)
    return figures


class RoundLesions(Sequence[Lesion]):
    """Lesions of which some masks are a training round's.

    Args:
        lesions: as prepared.
        root: a whole round's masks.

    Raises:
        InputError: no whole round there, or one of other lesions.
    """

    def __init__(self, lesions: Sequence[Lesion], root: Path) -> None:
        self.lesions, self.root = lesions, root
        if not (root / MANIFEST).exists():
            raise InputError("no whole round of masks", file=root)
        self.rows = _by_lesion(read_masks(root))
        if len(self.rows) != len(lesions):
            raise InputError(
                f"holds masks of {len(self.rows)} lesions, not of {len(lesions)}", file=root
            )

    def __len__(self) -> int:
        """How many lesions."""
        return len(self.lesions)

    def __getitem__(self, at: Any) -> Any:
        """The lesion at an index, or those of a slice."""
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        lesion: Lesion = self.lesions[at]
        rows = self.rows[at]
        if (rows[0]["file"], rows[0]["row"]) != (lesion.file, lesion.row):
            raise InputError(f"holds no mask of {shown(lesion.file)}", file=self.root,
                             remedy=_AGAIN)  # fmt: skip
        new = {row["name"]: row["mask"] for row in rows if row["mask"] is not None}
        if any(read_header(mask).shape != lesion.shape for mask in new.values()):
            raise InputError(f"the mask of {shown(lesion.file)} has another size than its slice",
                             file=self.root, remedy=_AGAIN)  # fmt: skip
        return replace(lesion, masks={**lesion.masks, **new}) if new else lesion
