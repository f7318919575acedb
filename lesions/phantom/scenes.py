"""A series at one time: slices with all that lies in them, as files and as rows of tables."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesions.phantom.backgrounds import read_background, read_scan, scan_neighbours
from lesions.phantom.inserting import Made, put
from lesions.phantom.marks import Reader
from lesions.phantom.plan import PhantomPlan
from lesions.phantom.rows import Series, folder_of, row_of, write_mask, write_slice
from lesions.phantom.shapes import Fractions
from lesions.phantom.slabs import Implant
from lesions.phantom.tissues import Surroundings
from lesions.phantom.visits import SHIFT_SLICES, Visit, seen
from lesions.readers.nifti import PHANTOM_NOTE
from lesions.writers.volumes import write_nifti

VOLUMES = "Volumes"  # the folder
CONTEXT_MM = 10.0  # of slices that no lesion reaches, at either end of a volume


@dataclass(frozen=True, kw_only=True)
class Patient:
    """Who is made.

    Attributes:
        number: 1 = the first.
        scan: the CT that all series show.
        visits: one a time.
        trend: of the lesions' sizes.
        readers: who mark the lesions; the first one's marks are the table's.
        random: the source of all that is drawn.
    """

    number: int
    scan: Path
    visits: Sequence[Visit]
    trend: float
    readers: Sequence[Reader]
    random: np.random.Generator


@dataclass(frozen=True, kw_only=True, eq=False)
class There:
    """A lesion as it is at one time.

    Attributes:
        implant: the lesion.
        whole: its shares of the scan's voxels.
        core: its core's; None without.
        at: the slice of the scan that is marked.
    """

    implant: Implant
    whole: Fractions
    core: Fractions | None
    at: int


def show(
    who: Patient,
    series: Series,
    time: int,
    implants: Sequence[Implant],
    there: Sequence[There],
    plan: PhantomPlan,
) -> dict[Implant, dict[str, Any]]:
    """Write a series at one time; of each lesion that is asked for and there its row.

    Args:
        who: the patient.
        series: its numbers.
        time: counted from 0.
        implants: all that lie in the series at any time.
        there: those that are there now.
        plan: of the phantom.
    """
    visit = who.visits[time]
    asked = [one for one in there if one.implant.number]
    slices = sorted({one.at for one in asked})
    if plan.volumes:
        slices = _range(who, visit, implants)
    if not slices:
        return {}
    hu = _with_lesions(who, visit, slices, there)
    if plan.volumes:
        _write_volumes(who, series, visit, slices, hu, asked, plan)
    ends = (slices[0] + visit.raised, slices[-1] + visit.raised) if plan.volumes else None
    rows, nth = {}, Counter[int]()
    for one in asked:
        number = one.at + visit.raised
        made, background = _made(one, hu.shape[1:]), read_background(who.scan, one.at)
        row = row_of(made, background, series, number, ends or (number, number), who.readers,
                     who.random)  # fmt: skip
        row["facts"] |= {
            "distractors": sum(not other.implant.number and bool(other.whole.on(one.at).any())
                               for other in there),
            "lesion": lesion_name(who, one.implant), "label": one.implant.number,
            "mask_volume_mm3": round(one.whole.mask_volume_mm3, 3),
            "volume_factor": round(one.implant.course.factors[time], 6),
        }  # fmt: skip
        rows[one.implant] = row
        nth[number] += 1
        write_mask(plan.out, series, number, nth[number], made.mask)
    for at in {one.at for one in asked}:
        write_slice(plan.out, series, at + visit.raised, hu[slices.index(at)])
    return rows


def lesion_name(who: Patient, one: Implant) -> str:
    """What a lesion is called at all times."""
    return f"{who.number:06d}_{one.number:02d}"


def _range(who: Patient, visit: Visit, implants: Sequence[Implant]) -> list[int]:
    """The slices of a volume: by their numbers the same at all times, where the scan has them."""
    scan = read_scan(who.scan)
    beside = max(SHIFT_SLICES, int(np.ceil(CONTEXT_MM / scan.spacing[2])))
    risen = visit.raised - who.visits[0].raised
    first = min(one.reach[0] for one in implants) - beside - risen
    last = max(one.reach[1] for one in implants) + beside - risen
    return list(range(max(0, first), min(len(scan.hu) - 1, last) + 1))


def _with_lesions(
    who: Patient, visit: Visit, slices: Sequence[int], there: Sequence[There]
) -> NDArray[np.int16]:
    scan = read_scan(who.scan)
    again = len(who.visits) > 1
    hu = seen(who.scan, slices, visit, who.random) if again else scan.hu[list(slices)]
    surroundings = Surroundings(
        slices=slices, spacing=scan.spacing, neighbours=scan_neighbours(who.scan),
        noises=[read_background(who.scan, at).noise for at in slices],
    )  # fmt: skip
    for one in there:
        put(hu, surroundings, one.whole, one.core, one.implant.tissue, who.random)
    return hu


def _made(one: There, shape: tuple[int, ...]) -> Made:
    areas = one.whole.mask.sum(axis=(1, 2))
    return Made(
        mask=one.whole.mask_on(one.at, shape), place=one.implant.place, tissue=one.implant.tissue,
        shape=one.implant.shape, volume_mm3=one.whole.volume_mm3, slices=int((areas > 0).sum()),
        largest=int(areas.max()),
    )  # fmt: skip


def _write_volumes(
    who: Patient,
    series: Series,
    visit: Visit,
    slices: Sequence[int],
    hu: NDArray[np.int16],
    asked: Sequence[There],
    plan: PhantomPlan,
) -> None:
    """CT and mask, where the scan lay; a lesion's label is its number."""
    labels = np.zeros(hu.shape, np.uint8)
    for one in asked:
        for at, on in zip(slices, labels, strict=True):
            on[one.whole.mask_on(at, on.shape)] = one.implant.number
    first = slices[0] + visit.raised - who.visits[0].raised
    affine = read_scan(who.scan).affine
    assert affine is not None
    placed = affine @ np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, first], [0, 0, 0, 1]])
    for kind, voxels in (("ct", hu), ("mask", labels)):
        path = plan.out / VOLUMES / f"{folder_of(series)}_{kind}.nii.gz"
        write_nifti(voxels, placed, path, PHANTOM_NOTE)
