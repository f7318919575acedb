"""From a plan to a phantom data set in DeepLesion's layout: what a Ray worker runs.

A patient is a part: who it is depends on the plan alone, so the bytes are the same with any number
of workers. Its files come first and its rows last, so a patient is whole or not there.

    DL_info.csv                    as DeepLesion's, with a last column that says phantom
    Images_png/, Masks_png/        as the shipped sample's
    Volumes/                       with --volumes: each series as CT and mask, NIfTI
    readers.csv                    the same lesions as other people mark them
    phantom.csv                    what each lesion is: tissue, host, volume, background
    followup.csv                   with --timepoints: every lesion at every time, vanished ones too
    phantom.json                   what the set was made from; written last
    parts/                         the rows of each patient
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
from threadpoolctl import threadpool_limits

from lesions.errors import InputError
from lesions.files import write_text
from lesions.phantom.plan import FACTS, PhantomPlan
from lesions.phantom.series import make_series
from lesions.phantom.slices import make_slices
from lesions.readers.bounded import read_json
from lesions.readers.deeplesion import PHANTOM, TABLE
from lesions.writers.csv_rows import write_csv
from lesions.writers.deeplesion import HEADER, write_readings

PLAN, MANIFEST, FOLLOWUP = "plan.json", "phantom.json", "followup.csv"


def claim(plan: PhantomPlan) -> None:
    """Mark `out` as this plan's; InputError where it holds another set."""
    path, ours = plan.out / PLAN, plan.identity()
    theirs = read_json(path, dict) if path.exists() else None
    if theirs not in (None, ours) or (theirs is None and (plan.out / TABLE).exists()):
        raise InputError("holds another data set", file=plan.out,
                         remedy="choose another --out, or remove it")  # fmt: skip
    write_text(path, json.dumps(ours, indent=1))


def make_patients(items: Sequence[dict[str, int]], plan: PhantomPlan) -> list[dict[str, Any]]:
    """Make some patients: `patient` (1 = the first) and `lesions`, how many.

    Returns:
        Of each `rows`, how many lesions it has, and `error`: empty, or why it was not written.
    """
    cv2.setNumThreads(0)  # there is a worker for each core already
    with threadpool_limits(1):  # sums shared out among threads end in other bits
        return [{"rows": item["lesions"], "error": _tried(item, plan)} for item in items]


def _tried(item: dict[str, int], plan: PhantomPlan) -> str:
    """Make a patient that is not made yet; why it was not, else nothing."""
    try:
        if not _part(plan, item["patient"]).exists():
            _make_patient(item["patient"], item["lesions"], plan)
    except OSError as error:
        return error.strerror or str(error)
    except InputError as error:
        return str(error)
    return ""


def _make_patient(patient: int, count: int, plan: PhantomPlan) -> None:
    rows = (make_series if plan.solid else make_slices)(patient, count, plan)
    for row in rows:
        if row["table"]:
            row["table"]["Train_Val_Test"] = plan.split(patient)
    write_text(_part(plan, patient), json.dumps(rows))


def _part(plan: PhantomPlan, patient: int) -> Path:
    return plan.out / "parts" / f"{patient:06d}.json"


def gather(plan: PhantomPlan, patients: int) -> dict[str, Any]:
    """Write the tables of patients that are all made, and the manifest, which is returned.

    No more than one patient's rows and one table's text are held at a time.
    """
    marked = partial(_marked, plan, patients)
    columns = list(next(row for _, _, row in marked())["facts"])
    write_csv(plan.out / FACTS, ["File_name", "row", *columns],
              ([name, at, *row["facts"].values()] for at, name, row in marked()))  # fmt: skip
    write_readings(plan.out, ((name, at, reader, points) for at, name, row in marked()
                              for reader, points in enumerate(row["readings"], 1)))  # fmt: skip
    if plan.timepoints > 1:
        _write_followup(plan, patients)
    text = io.StringIO()
    writer = csv.DictWriter(text, [*HEADER, PHANTOM], lineterminator="\n")
    writer.writeheader()
    rows = 0
    for rows, _, row in marked():  # noqa: B007 - the last number is how many
        writer.writerow(row["table"] | {PHANTOM: 1})
    write_text(plan.out / TABLE, text.getvalue())
    manifest = plan.identity() | {"phantom": True, "patients": patients}
    if plan.timepoints > 1:
        manifest["rows"] = rows
    write_text(plan.out / MANIFEST, json.dumps(manifest, indent=1))
    return manifest


def _rows(plan: PhantomPlan, patients: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """What was made, and its row in the table: 1 = the first, 0 for what is not in it."""
    at = 0
    for patient in range(1, patients + 1):
        for row in read_json(_part(plan, patient), list):
            at += bool(row["table"])
            yield at if row["table"] else 0, row


def _marked(plan: PhantomPlan, patients: int) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """The rows of the table: number, File_name and all that is known."""
    for at, row in _rows(plan, patients):
        if at:
            yield at, row["table"]["File_name"], row


def _write_followup(plan: PhantomPlan, patients: int) -> None:
    first = next(row for _, row in _rows(plan, patients))
    write_csv(
        plan.out / FOLLOWUP, ["File_name", "row", *first["followup"]],
        ([row["table"]["File_name"] if at else "", at or "", *row["followup"].values()]
         for at, row in _rows(plan, patients)),
    )  # fmt: skip
