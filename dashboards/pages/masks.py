"""The table of pseudo masks as one HTML file, with pictures of a few lesions by every method."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dashboards.pages.report import data_uri, fill, versions, write_page
from dashboards.plots.overlays import crop_of, overlay
from dashboards.tables.masks import MaskTable, dice_cells, difference_cells, notes
from dashboards.tables.papers import masks_table, title_of
from lesions.judging.measuring import METRICS, Key, Measured
from lesions.lesion import Lesion
from lesions.writers.csv_rows import write_csv

ROWS = ("file", "row", "patient", "lesion_type", "tissue", "method", *METRICS, "uncertain", "ms",
        "reason")  # fmt: skip
LISTED = 200  # lesions set aside, and failures, that the page names


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One lesion by one method; `data` is None where the method made no mask."""

    method: str
    dice: float | None
    data: str | None


def draw(lesion: Lesion, methods: Sequence[str]) -> dict[str, bytes]:
    """The lesion with the human outline and each method's, all of one crop: PNG bytes by method."""
    masks = {method: lesion.mask(method) for method in methods if method in lesion.masks}
    union = np.any([mask == 1 for mask in masks.values()], axis=0) if masks else None
    crop, human = crop_of(lesion, union), lesion.mask("human")
    return {
        method: overlay(lesion, human, mask, lesion.recist, None, crop=crop)
        for method, mask in masks.items()
    }


def write_mask_report(
    table: MaskTable, pictures: Mapping[Key, Mapping[str, bytes]], path: Path
) -> None:
    """Write the page, whole or not at all.

    Args:
        table: what was measured.
        pictures: of `draw`, for the lesions of `table.shown()`.
        path: the file.

    Raises:
        InputError: it cannot be written.
    """
    write_page(path, render_masks(table, pictures))


def write_rows(table: MaskTable, path: Path) -> None:
    """Write every score as CSV, and every reason for which there is none."""
    write_csv(path, ROWS, ([row.get(name, "") for name in ROWS] for row in records(table)))


def records(table: MaskTable) -> Iterator[dict[str, Any]]:
    """One row a lesion and method, and one a lesion set aside: what the CSV file holds."""
    for lesion in table.lesions:
        about = {
            "file": lesion.file,
            "row": lesion.row,
            "patient": lesion.patient,
            "lesion_type": lesion.lesion_type,
            "tissue": table.tissues.get(lesion.key, ""),
        }
        for method in table.methods:
            scores = lesion.scores.get(method, {})
            yield {**about, "method": method, **scores, "reason": lesion.failed.get(method, "")}
    for one in table.aside:
        yield {"file": one.file, "row": one.row, "reason": one.reason}


def render_masks(table: MaskTable, pictures: Mapping[Key, Mapping[str, bytes]]) -> str:
    """The page's HTML."""
    failures = [
        (lesion.file, lesion.row, f"{method}: {lesion.failed[method]}")
        for method, lesion in table.failures()
    ]
    aside = [(one.file, one.row, one.reason) for one in table.aside]
    paper, number = masks_table()
    return fill(
        "masks.html.j2",
        table=table,
        paper=title_of(paper),
        number=number,
        facts=_facts(table),
        lines=table.lines(),
        columns=table.columns(),
        notes=list(notes(table)),
        by_kind=dice_cells(table, table.kind),
        differences=None if table.against is None else difference_cells(table),
        by_patient=dice_cells(table, "patient"),
        shown=[(lesion, _pictures(table, lesion, pictures)) for lesion in table.shown()],
        reasons=table.reasons(),
        unmeasured=[*failures, *aside][:LISTED],
        unlisted=max(0, len(failures) + len(aside) - LISTED),
        provenance=[*sorted(table.tags.items()), ("page written with", ", ".join(versions()))],
    )


def _facts(table: MaskTable) -> list[tuple[str, str]]:
    dice = {line.values["dice"][0]: line.method for line in table.lines()
            if line.source == "ours" and "dice" in line.values}  # fmt: skip
    patients = len({lesion.patient for lesion in table.lesions})
    return [
        *((f"{best:.3f}", f"highest mean Dice: {dice[best]}") for best in sorted(dice)[-1:]),
        (str(len(table.lesions)), "lesions"),
        (str(patients), "patient" if patients == 1 else "patients"),
        (str(len(table.methods)), "methods"),
    ]


def _pictures(
    table: MaskTable, lesion: Measured, pictures: Mapping[Key, Mapping[str, bytes]]
) -> list[Picture]:
    drawn = pictures.get(lesion.key, {})
    return [
        Picture(
            method=method,
            dice=lesion.scores[method]["dice"] if method in lesion.scores else None,
            data=data_uri(drawn[method]) if method in drawn else None,
        )
        for method in table.methods
    ]
