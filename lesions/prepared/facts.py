"""What a prepared set says of a lesion beside its pixels, and whether that can be."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lesions.errors import InputError, shown
from lesions.lesion import SPLITS, Lesion
from lesions.readers.png import LARGEST_SIDE, read_header
from lesions.recist import Recist

MASK = "mask_"  # before a mask's name, in the name of its column
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
_CATEGORY = re.compile("[a-z0-9_]{1,50}")


def facts_of(lesion: Lesion, pixels: Mapping[str, bytes | None]) -> dict[str, Any]:
    """A row of `FACTS` but for its place; the digest covers the pixels too."""
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


def lesion_of(facts: Mapping[str, Any], pixels: Mapping[str, bytes | None]) -> Lesion:
    """The lesion of a row of `FACTS`, checked, and of what its row group holds.

    Raises:
        InputError: no slice, or PNG of another size than the row says.
    """
    height, width = facts["shape"]
    for name, png in pixels.items():
        if png is not None and read_header(png).shape != (height, width):
            raise InputError(f"the {name} of {shown(facts['file'])} is not {width} × {height}")
    encoded = pixels["slice"]
    if encoded is None:
        raise InputError(f"{shown(facts['file'])} has no slice")
    return Lesion(
        file=facts["file"],
        row=facts["row"],
        recist=Recist(np.reshape(facts["recist"], (4, 2))),
        spacing=tuple(facts["spacing"]),
        window=tuple(facts["window"]),
        shape=(height, width),
        encoded=encoded,
        masks={name.removeprefix(MASK): png for name, png in pixels.items()
               if name.startswith(MASK) and png is not None},
        patient=facts["patient"],
        study=facts["study"],
        series=facts["series"],
        lesion_type=facts["lesion_type"],
        split=facts["split"],
        noisy=facts["noisy"],
    )  # fmt: skip


def check_facts(table: pa.Table) -> None:
    """InputError for rows of `FACTS` that no lesion can have; it names the first."""
    for name in table.column_names:
        if table[name].null_count:
            raise InputError(f"a lesion has no {name}")
    shape, spacing, window = (_numbers(table, name) for name in ("shape", "spacing", "window"))
    with np.errstate(over="ignore", invalid="ignore"):
        axes = np.diff(_numbers(table, "recist").reshape(-1, 2, 2, 2), axis=2)
        mm = np.linalg.norm(axes * spacing[:, None, None, :2], axis=-1)
        width = np.diff(window, axis=1)
    places = np.stack([table[name].to_numpy() for name in ("row", "part", "group")], axis=1)
    wrong = {
        "shape": (shape < 1) | (shape > LARGEST_SIDE),
        "spacing": ~((spacing > 0) & np.isfinite(spacing)),
        "window": ~((width > 0) & np.isfinite(width)),
        "RECIST": ~((mm > 0) & np.isfinite(mm)),
        "row, part or row group": places < 0,
        "split": ~_each(table, "split", SPLITS.__contains__),
        "category": ~_each(table, "lesion_type", lambda one: bool(_CATEGORY.fullmatch(one))),
    }
    for what, where in wrong.items():
        if where.any():
            row = int(np.argwhere(where)[0][0])
            file = shown(table["file"][row].as_py())
            raise InputError(f"a {what} that no lesion has, of {file}")


def _numbers(table: pa.Table, name: str) -> NDArray[Any]:
    """(N, length of the lists)."""
    lists = table[name].combine_chunks()
    width = table.schema.field(name).type.list_size
    if lists.flatten().null_count:
        raise InputError(f"a {name} has no number")
    return np.reshape(lists.flatten().to_numpy(zero_copy_only=False), (len(table), width))


def _each(table: pa.Table, name: str, known: Any) -> NDArray[np.bool_]:
    texts: Sequence[str] = table[name].to_pylist()
    good = {text for text in set(texts) if known(text)}
    return np.array([text in good for text in texts], bool)


def lesion_type(category: str, table: Path | None = None, row: int | None = None) -> str:
    """A category as `Lesion.lesion_type`: "Lymph node" is lymph_node.

    Raises:
        InputError: other characters than letters, digits, spaces, - and _; `table` and `row` say
            where it stands.
    """
    kind = re.sub(r"[\s-]+", "_", category.strip().lower())
    if not _CATEGORY.fullmatch(kind):
        raise InputError(
            f"{shown(category)!r} is no category", file=table, row=row,
            remedy="use letters, digits and _, as in lymph_node",
        )  # fmt: skip
    return kind


def pixel_columns(masks: Iterable[str]) -> list[str]:
    """The columns of the slice and of these masks."""
    return ["slice", *(MASK + name for name in masks)]
