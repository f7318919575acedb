"""From a plan to a phantom data set in DeepLesion's layout: what a Ray worker runs.

A patient is a part: who it is depends on the plan alone, so the bytes are the same with any number
of workers. Its slices and masks come first and its rows last, so a patient is whole or not there.

    DL_info.csv                    as DeepLesion's, with a last column that says phantom
    Images_png/, Masks_png/        as the shipped sample's
    readers.csv                    the same lesions as other people mark them
    phantom.csv                    what each lesion is: tissue, host, volume, background
    phantom.json                   what the set was made from; written last
    parts/                         the rows of each patient
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lesions.errors import InputError
from lesions.files import replace_with, write_text
from lesions.phantom.backgrounds import Background, read_background, read_scan
from lesions.phantom.inserting import Canvas, Made
from lesions.phantom.marks import Reader, draw_mark, draw_readers
from lesions.readers.bounded import read_json
from lesions.readers.deeplesion import ORIGIN, PHANTOM, TABLE
from lesions.readers.from_mask import SOFT_TISSUE
from lesions.readers.png import encode_labels, encode_slice
from lesions.recist import Recist
from lesions.writers.csv_rows import write_csv
from lesions.writers.deeplesion import HEADER, table_row

PLAN, MANIFEST = "plan.json", "phantom.json"
LUNG = (-1500.0, 500.0)  # HU, the window of most lung lesions of DeepLesion
PER_PATIENT, MOST_PER_PATIENT = 7.4, 30  # lesions; 32,735 of 4,427 patients
PER_SLICE = (0.75, 0.2, 0.05)  # how often one, two, three lesions asked for
SLICES_PER_STUDY = 3
SPLITS = ((1, 0.7), (2, 0.85), (3, 1.0))  # the table's codes, and up to which share
GOLDEN = 0.6180339887498949
SLICE_TRIES = 40  # that had no room, one after the other
READINGS = ("x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4")


@dataclass(frozen=True, kw_only=True)
class PhantomPlan:
    """What is made: two runs with the same plan write the same files.

    Attributes:
        out: the data set's folder.
        scans: the CT volumes that serve as backgrounds.
        lesions: how many.
        seed: of everything drawn.
        readers: how many mark every lesion, beside each patient's own radiologist.
        distractors: lesions of the same kind in each slice that are not asked for.
    """

    out: Path
    scans: tuple[Path, ...]
    lesions: int
    seed: int = 0
    readers: int = 4
    distractors: int = 0

    def identity(self) -> dict[str, Any]:
        """The plan as JSON; the scans by name and size."""
        scans = [[path.name, path.stat().st_size] for path in self.scans]
        return {
            "lesions": self.lesions, "seed": self.seed, "readers": self.readers,
            "distractors": self.distractors, "backgrounds": scans,
        }  # fmt: skip

    def random(self, *of: int) -> np.random.Generator:
        """The source for one patient (1 and more), or for all (0)."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=of))

    def patients(self) -> list[int]:
        """How many lesions each patient has; a geometric distribution, as the real one about."""
        most = max(1, min(MOST_PER_PATIENT, self.lesions // 12))
        counts: list[int] = []
        left = self.lesions
        random = self.random(0, 0)
        while left > 0:
            counts.append(min(left, most, int(random.geometric(1 / PER_PATIENT))))
            left -= counts[-1]
        return counts


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
    outcomes = []
    for item in items:
        outcome = {"rows": item["lesions"], "error": ""}
        try:
            if not _part(plan, item["patient"]).exists():
                _make_patient(item["patient"], item["lesions"], plan)
        except OSError as error:
            outcome["error"] = error.strerror or str(error)
        except InputError as error:
            outcome["error"] = str(error)
        outcomes.append(outcome)
    return outcomes


def _part(plan: PhantomPlan, patient: int) -> Path:
    return plan.out / "parts" / f"{patient:06d}.json"


def _make_patient(patient: int, count: int, plan: PhantomPlan) -> None:
    random = plan.random(patient)
    scan = plan.scans[int(random.integers(len(plan.scans)))]
    own, *others = [*draw_readers(1, random), *draw_readers(plan.readers, plan.random(0, 1))]
    rows: list[dict[str, Any]] = []
    for number, at in enumerate(_slices(scan, random)):
        series = (patient, 1 + number // SLICES_PER_STUDY, 1)
        canvas = Canvas(read_background(scan, at))
        wanted = 1 + int(random.choice(len(PER_SLICE), p=PER_SLICE))
        made = [canvas.add(random) for _ in range(min(wanted, count - len(rows)))]
        asked = [one for one in made if one is not None]
        if not asked:
            if number > SLICE_TRIES + len(rows):
                raise InputError("no room for lesions in it", file=scan,
                                 remedy="name --backgrounds of whole CT")  # fmt: skip
            continue
        unasked = [canvas.add(random, like=asked[i % len(asked)]) for i in range(plan.distractors)]
        placed = sum(one is not None for one in unasked)
        for nth, one in enumerate(asked, 1):
            row = _row(one, canvas.background, series, at, own, others, random)
            row["facts"]["distractors"] = placed
            rows.append(row)
            _write_mask(plan.out, series, at, nth, one)
        _write(plan.out / "Images_png" / _folder(series) / f"{at:03d}.png",
               encode_slice(canvas.hu, effort=1))  # fmt: skip
        if len(rows) == count:
            break
    for row in rows:
        row["table"]["Train_Val_Test"] = _split(patient, plan)
    write_text(_part(plan, patient), json.dumps(rows))


def _slices(scan: Path, random: np.random.Generator) -> Iterator[int]:
    """A scan's slices in random order, again and again; a study has none twice."""
    count = len(read_scan(scan).hu)
    while True:
        order = random.permutation(count)
        whole = max(1, count // SLICES_PER_STUDY) * SLICES_PER_STUDY
        yield from map(int, order[: min(count, whole)])


def _split(patient: int, plan: PhantomPlan) -> int:
    """The table's code; spread evenly, so that few patients have every split too."""
    share = (patient * GOLDEN + float(plan.random(0, 2).uniform())) % 1
    return next(code for code, up_to in SPLITS if share < up_to)


def _row(
    made: Made,
    background: Background,
    series: tuple[int, int, int],
    at: int,
    own: Reader,
    others: list[Reader],
    random: np.random.Generator,
) -> dict[str, Any]:
    shape = made.mask.shape[0], made.mask.shape[1]
    truth = Recist.from_mask(made.mask.astype(np.uint8), background.spacing)
    marks = [draw_mark(truth, reader, shape, random) for reader in (own, *others)]
    lung, host = made.place.host == "lung", made.place.host
    in_fat = 3 if background.hosts["lung"].any() else 2
    long, short = truth.diameters_mm(background.spacing)
    table = table_row(
        marks[0], series=series, key=at, slices=(at, at), spacing=background.spacing,
        shape=shape, window=LUNG if lung else SOFT_TISSUE, split=1,
        lesion_type={"lung": 5, "parenchyma": 4, "muscle": 7}.get(host, in_fat),
    )  # fmt: skip
    facts = {
        "tissue": made.tissue.kind, "host": host, "near_wall": int(made.place.near),
        "long_axis_mm": round(long, 3), "short_axis_mm": round(short, 3),
        "slices": made.slices, "volume_mm3": round(made.volume_mm3, 3),
        "area_by_largest": round(int(made.mask.sum()) / made.largest, 4),
        "outer_hu": round(made.tissue.outer, 1), "background": background.name,
    }  # fmt: skip
    readings = [(mark.points + ORIGIN).round(3).ravel().tolist() for mark in marks[1:]]
    return {"table": table, "facts": facts, "readings": readings}


def _folder(series: tuple[int, int, int]) -> str:
    return f"{series[0]:06d}_{series[1]:02d}_{series[2]:02d}"


def _write_mask(out: Path, series: tuple[int, int, int], at: int, nth: int, made: Made) -> None:
    path = out / "Masks_png" / _folder(series) / f"{at:03d}_{nth}.png"
    _write(path, encode_labels(made.mask.astype(np.uint8)))


def _write(path: Path, content: bytes) -> None:
    with replace_with(path) as file:
        file.write(content)


def gather(plan: PhantomPlan, patients: int) -> dict[str, Any]:
    """Write the tables of patients that are all made, and the manifest, which is returned."""
    rows = [row for number in range(patients) for row in read_json(_part(plan, number + 1), list)]
    named = [(at, row["table"]["File_name"], row) for at, row in enumerate(rows, 1)]
    facts = list(rows[0]["facts"])
    write_csv(plan.out / "phantom.csv", ["File_name", "row", *facts],
              [[name, at, *row["facts"].values()] for at, name, row in named])  # fmt: skip
    write_csv(plan.out / "readers.csv", ["File_name", "row", "reader", *READINGS],
              [[name, at, reader, *points] for at, name, row in named
               for reader, points in enumerate(row["readings"], 1)])  # fmt: skip
    text = io.StringIO()
    writer = csv.DictWriter(text, [*HEADER, PHANTOM], lineterminator="\n")
    writer.writeheader()
    writer.writerows(row["table"] | {PHANTOM: 1} for row in rows)
    write_text(plan.out / TABLE, text.getvalue())
    manifest = plan.identity() | {"phantom": True, "lesions": len(rows), "patients": patients}
    write_text(plan.out / MANIFEST, json.dumps(manifest, indent=1))
    return manifest
