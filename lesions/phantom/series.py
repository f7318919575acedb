"""A made patient whose lesions lie on every slice that they reach, at one time or at several.

Without time points a series is a study of its own; with them a study is a time, and has all the
series of the patient, each with its own lesions.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lesions.phantom.backgrounds import read_scan
from lesions.phantom.courses import NEW, draw_course, draw_trend
from lesions.phantom.marks import draw_readers, marked_slice
from lesions.phantom.plan import PhantomPlan
from lesions.phantom.scenes import Patient, There, lesion_name, show
from lesions.phantom.slabs import Implant, Slab
from lesions.phantom.slices import SLICES_PER_STUDY, draw_wanted, no_room
from lesions.phantom.visits import SHIFT_MM, draw_visits

SLAB_MM = 30.0  # from a series' middle slice to those that are marked first
SERIES_TRIES = 8  # that had no room, one after the other


def make_series(patient: int, count: int, plan: PhantomPlan) -> list[dict[str, Any]]:
    """Make a patient's slices, masks and volumes; the rows of its lesions, time by time.

    A lesion that is not to be marked at a time has a row without `table` then.

    Raises:
        InputError: its scan has no room for lesions.
    """
    who = _draw_patient(patient, plan)
    rows: list[dict[str, Any]] = []
    numbers = failed = group = begun = 0
    while begun < count:
        implants = _fill(who, count - begun, numbers, plan)
        asked = [one for one in implants if one.number]
        if not asked:
            failed += 1
            if failed > SERIES_TRIES:
                raise no_room(who.scan)
            continue
        failed, group = 0, group + 1
        numbers += len(asked)
        begun += sum(one.course.first == 0 for one in asked)
        rows += _over_time(who, group, implants, plan)
    return sorted(rows, key=lambda row: int(row["followup"]["time"]))


def _draw_patient(number: int, plan: PhantomPlan) -> Patient:
    random = plan.random(number)
    scan = plan.scans[int(random.integers(len(plan.scans)))]
    readers = [*draw_readers(1, random), *draw_readers(plan.readers, plan.random(0, 1))]
    visits = draw_visits(plan.timepoints, read_scan(scan).spacing, random)
    return Patient(number=number, scan=scan, visits=visits, trend=draw_trend(random),
                   readers=readers, random=random)  # fmt: skip


def _fill(who: Patient, most: int, numbers: int, plan: PhantomPlan) -> list[Implant]:
    """Place the lesions of a series.

    Args:
        who: the patient.
        most: lesions asked for that are there at the first time.
        numbers: of lesions that the patient has already.
        plan: of the phantom.
    """
    random, times = who.random, plan.timepoints
    spacing = read_scan(who.scan).spacing
    # Moved by part of a pixel, a lesion may touch one more.
    margin = int(np.ceil(SHIFT_MM / min(spacing[:2]))) + 1 if times > 1 else 0
    slab = Slab(who.scan, margin)
    near = _near(who)
    made: list[Implant] = []
    keys = begun = 0

    def add(at: int, first: int = 0, like: Implant | None = None) -> Implant | None:
        nonlocal numbers
        course = draw_course(times, who.trend, random, first, lasting=like is not None)
        one = slab.add(at, 0 if like else numbers + 1, course, random, like)
        if one is not None:
            made.append(one)
            numbers += one.number > 0
        return one

    for at in near:
        asked = [add(at) for _ in range(min(draw_wanted(random), most - begun))]
        there = [one for one in asked if one is not None]
        if not there:
            continue
        begun, keys = begun + len(there), keys + 1
        for i in range(plan.distractors):
            add(at, like=there[i % len(there)])
        if keys == SLICES_PER_STUDY or begun == most:
            break
    for time in range(1, times):
        for _ in range(int(random.poisson(NEW * begun))):
            add(int(random.choice(near)), first=time)
    return made


def _near(who: Patient) -> list[int]:
    """The slices that a series' lesions may be marked on at first, in random order."""
    scan = read_scan(who.scan)
    middle = int(who.random.integers(len(scan.hu)))
    within = [at for at in range(len(scan.hu)) if abs(at - middle) * scan.spacing[2] <= SLAB_MM]
    return [int(at) for at in who.random.permutation(within)]


def _over_time(
    who: Patient, group: int, implants: Sequence[Implant], plan: PhantomPlan
) -> Iterator[dict[str, Any]]:
    spacing = read_scan(who.scan).spacing
    gone: set[Implant] = set()
    for time, visit in enumerate(who.visits):
        there: list[There] = []
        for one in implants:
            found = None if one in gone else one.at(time, visit.shift, spacing)
            if found is None:
                if time >= one.course.first:
                    gone.add(one)  # what is too small to be marked once does not come back
                continue
            whole, core = found
            at = int(whole.first[2]) + marked_slice(whole.mask.sum(axis=(1, 2)), who.random)
            there.append(There(implant=one, whole=whole, core=core, at=at))
        series = (who.number, time + 1, group) if len(who.visits) > 1 else (who.number, group, 1)
        marked = show(who, series, time, implants, there, plan)
        unmarked: dict[str, Any] = {"table": None, "facts": {}, "readings": []}
        for one in implants:
            if one.number:
                row = marked.get(one, unmarked)
                factor = one.course.factors[time] if one in marked else 0.0
                followup = {
                    "lesion": lesion_name(who, one), "time": time + 1,
                    "status": one.course.status(time, there=one in marked),
                    "volume_factor": round(factor, 6),
                    "volume_mm3": row["facts"].get("volume_mm3", 0.0),
                    "shift_x_mm": round(visit.shift[0] * spacing[0], 3),
                    "shift_y_mm": round(visit.shift[1] * spacing[1], 3),
                    "shift_slices": visit.raised - who.visits[0].raised,
                }  # fmt: skip
                yield row | {"followup": followup}
