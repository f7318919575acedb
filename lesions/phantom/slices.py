"""A made patient of key slices alone: each slice has its lesions, and nothing lies beside it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lesions.errors import InputError
from lesions.phantom.backgrounds import read_background, read_scan
from lesions.phantom.inserting import Canvas
from lesions.phantom.marks import draw_readers
from lesions.phantom.plan import PhantomPlan
from lesions.phantom.rows import row_of, write_mask, write_slice

PER_SLICE = (0.75, 0.2, 0.05)  # how often one, two, three lesions asked for
SLICES_PER_STUDY = 3
SLICE_TRIES = 40  # that had no room, one after the other


def make_slices(patient: int, count: int, plan: PhantomPlan) -> list[dict[str, Any]]:
    """Make a patient's slices and masks; the rows of its lesions.

    Raises:
        InputError: its scan has no room for lesions.
    """
    random = plan.random(patient)
    scan = plan.scans[int(random.integers(len(plan.scans)))]
    own, *others = [*draw_readers(1, random), *draw_readers(plan.readers, plan.random(0, 1))]
    rows: list[dict[str, Any]] = []
    for number, at in enumerate(_slices(scan, random)):
        series = (patient, 1 + number // SLICES_PER_STUDY, 1)
        canvas = Canvas(read_background(scan, at))
        wanted = draw_wanted(random)
        made = [canvas.add(random) for _ in range(min(wanted, count - len(rows)))]
        asked = [one for one in made if one is not None]
        if not asked:
            if number > SLICE_TRIES + len(rows):
                raise no_room(scan)
            continue
        unasked = [canvas.add(random, like=asked[i % len(asked)]) for i in range(plan.distractors)]
        placed = sum(one is not None for one in unasked)
        for nth, one in enumerate(asked, 1):
            row = row_of(one, canvas.background, series, at, (at, at), [own, *others], random)
            row["facts"]["distractors"] = placed
            rows.append(row)
            write_mask(plan.out, series, at, nth, one.mask)
        write_slice(plan.out, series, at, canvas.hu)
        if len(rows) == count:
            break
    return rows


def draw_wanted(random: np.random.Generator) -> int:
    """How many lesions asked for a key slice has."""
    return 1 + int(random.choice(len(PER_SLICE), p=PER_SLICE))


def no_room(scan: Path) -> InputError:
    """What to say of a scan that takes no lesion."""
    return InputError("no room for lesions in it", file=scan,
                      remedy="name --backgrounds of whole CT")  # fmt: skip


def _slices(scan: Path, random: np.random.Generator) -> Iterator[int]:
    """A scan's slices in random order, again and again; a study has none twice."""
    count = len(read_scan(scan).hu)
    while True:
        order = random.permutation(count)
        whole = max(1, count // SLICES_PER_STUDY) * SLICES_PER_STUDY
        yield from map(int, order[: min(count, whole)])
