"""What a phantom is made from: the same plan, the same bytes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FACTS = "phantom.csv"  # of a made set: what each lesion is
PER_PATIENT, MOST_PER_PATIENT = 7.4, 30  # lesions; 32,735 of 4,427 patients
SPLITS = ((1, 0.7), (2, 0.85), (3, 1.0))  # the table's codes, and up to which share
MOST_TIMES = 24  # a mask of 8 bits has a label for every lesion of a patient then
GENERATOR = 2  # one more wherever the same plan gives other bytes
GOLDEN = 0.6180339887498949


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
        volumes: whether each series is written as a volume with its mask too.
        timepoints: how many studies each patient has, from one time to the next.
    """

    out: Path
    scans: tuple[Path, ...]
    lesions: int
    seed: int = 0
    readers: int = 4
    distractors: int = 0
    volumes: bool = False
    timepoints: int = 1

    @property
    def solid(self) -> bool:
        """Whether lesions are made on every slice that they reach, and not on one alone."""
        return self.volumes or self.timepoints > 1

    def identity(self) -> dict[str, Any]:
        """The plan as JSON; the scans by name and size."""
        scans = [[path.name, path.stat().st_size] for path in self.scans]
        whole = {"volumes": self.volumes, "timepoints": self.timepoints} if self.solid else {}
        return {
            "generator": GENERATOR, "lesions": self.lesions, "seed": self.seed,
            "readers": self.readers, "distractors": self.distractors, "backgrounds": scans, **whole,
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

    def split(self, patient: int) -> int:
        """The table's code; spread evenly, so that few patients have every split too."""
        share = (patient * GOLDEN + float(self.random(0, 2).uniform())) % 1
        return next(code for code, up_to in SPLITS if share < up_to)
