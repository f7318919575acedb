"""Make a phantom: lesions of known shape in real CT, as many as wanted, in DeepLesion's layout."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboards.tables.terminal import say
from lesions import InputError
from lesions.phantom.backgrounds import SCANS, find_scans
from lesions.phantom.making import FOLLOWUP, claim, gather, make_patients
from lesions.phantom.plan import MOST_TIMES, PhantomPlan
from lesions.phantom.scenes import VOLUMES
from platform.command_line.options import SAME_AGAIN, Outputs, check_positive, parse, run
from platform.running.parts import make_parts
from platform.running.storage import writable


@dataclass(frozen=True, kw_only=True)
class PhantomOptions(Outputs):
    """Make lesions of known shape in real CT; `platform.prepare --source` reads what is written.

    Attributes:
        lesions: how many.
        out: where the data set goes; run again after a kill, it goes on where it was.
        backgrounds: a folder of CT volumes, NIfTI, MetaImage or NRRD; masks beside them are left
            out; without it the two shipped ones.
        seed: another one makes other lesions; the same one the same bytes.
        readers: how many people mark each lesion in readers.csv, beside DL_info.csv's own.
        distractors: lesions of the same kind in each slice that are not asked for.
        volumes: write each series as a NIfTI volume and its mask too, in Volumes/; lesions are
            then made on every slice that they reach.
        timepoints: studies of each patient, one after the other: lesions grow, shrink, come and
            go by known amounts (followup.csv); --lesions counts those of the first.
    """

    lesions: int
    out: Path
    backgrounds: Path | None = None
    seed: int = 0
    readers: int = 4
    distractors: int = 0
    volumes: bool = False
    timepoints: int = 1

    def plan(self) -> PhantomPlan:
        """The plan, with absolute paths; InputError for options that cannot be."""
        check_positive(self, "lesions")
        for name in ("seed", "readers", "distractors"):
            if (value := getattr(self, name)) < 0:
                raise InputError(f"--{name} is {value}; it must be 0 or more")
        if not 1 <= self.timepoints <= MOST_TIMES:
            raise InputError(f"--timepoints is {self.timepoints}; it must be 1 to {MOST_TIMES}")
        if self.backgrounds is None:
            say("no --backgrounds: taking the shipped CT (CC BY, see lesions/phantom/scans)")
        folder = (self.backgrounds or SCANS).expanduser().absolute()
        return PhantomPlan(
            scans=find_scans(folder), out=writable(self.out),
            lesions=self.lesions, seed=self.seed, readers=self.readers,
            distractors=self.distractors, volumes=self.volumes, timepoints=self.timepoints,
        )  # fmt: skip


def make_phantom(plan: PhantomPlan) -> dict[str, Any]:
    """Make the data set of a plan; its manifest.

    Raises:
        InputError: `out` holds something else or cannot be written, or a CT has no room.
    """
    claim(plan)
    counts = plan.patients()
    items = [{"patient": number, "lesions": count} for number, count in enumerate(counts, 1)]
    make_parts("making", make_patients, items, plan, plan.lesions)
    return gather(plan, len(counts))


def main() -> None:
    """Parse the command line and make a phantom."""
    plan = parse(PhantomOptions, prog="python -m platform.phantom").plan()
    manifest = make_phantom(plan)
    say(f"{manifest['lesions']} phantom lesions of {manifest['patients']} made patients "
        f"in {plan.out}")  # fmt: skip
    if plan.timepoints > 1:
        say(f"{manifest['rows']} marks at {plan.timepoints} times; what became of every lesion: "
            f"{plan.out / FOLLOWUP}")  # fmt: skip
    say(f"next: python -m platform.prepare --source {plan.out} --out DIR")
    if plan.volumes:
        volumes = plan.out / VOLUMES
        say(f"volumes: python -m platform.prepare --images '{volumes}/*_ct.nii.gz' "
            f"--human-masks '{volumes}/*_mask.nii.gz' --out DIR")  # fmt: skip


if __name__ == "__main__":
    run(main, again=SAME_AGAIN)
