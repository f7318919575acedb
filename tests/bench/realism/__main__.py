"""Made lesions beside real ones of the same scans: contrast, edges, noise, and what tells them.

python -m tests.bench.realism [SETS …]      # deeplesion lidc sts_ct; all three without

Needs ../shared/data. Every figure is of lesions on slices, with how many patients they are of.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from lesions.phantom.backgrounds import HOSTS
from lesions.phantom.measured import quantiles
from tests.bench.realism.measures import BAND_NAMES
from tests.bench.realism.pairs import Real, Seen, deeplesion, masked, pairs
from tests.bench.realism.telling import VIEWS, by_network, by_numbers, told

ENDINGS = {"lidc": "_mask_consensus", "sts_ct": "_gtv"}
FEWEST = 5  # pairs of a set and a host that a row is written of
Pair = tuple[Seen, Seen]

LOOKS: dict[str, Callable[[Seen], float]] = {
    "long axis, mm": lambda one: one.long_mm,
    "contrast, HU": lambda one: one.look.contrast,
    "size of contrast, HU": lambda one: abs(one.look.contrast),
    "size of contrast by noise": lambda one: abs(one.look.contrast) / one.look.noise,
    "deviation inside by noise": lambda one: one.look.uneven / one.look.noise,
    "edge, σ mm": lambda one: one.look.edge_mm,
}


def main(*sets: str) -> None:
    """Measure and print."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        reals = chain(*(_reals(one, Path(folder)) for one in sets or ("deeplesion", *ENDINGS)))
        every = list(pairs(reals))
    found = [(real, made) for real, made in every if made is not None]
    whole = [real for real, _ in every]
    print(f"{len(whole)} slices of real lesions of {_patients(whole)} patients,")
    print(f"{len(found)} of them with a made one of the same size, host and scan")
    for host in HOSTS:
        for source in dict.fromkeys(real.source for real, _ in every):
            some = [one for one in found if (one[0].source, one[0].host) == (source, host)]
            if len(some) >= FEWEST:
                there = [one for one in whole if (one.source, one.host) == (source, host)]
                _print_looks(f"{host}, {source}", there, some)
    _print_told([one for pair in found for one in pair])


def _reals(source: str, folder: Path) -> Iterator[Real]:
    return masked(source, ENDINGS[source]) if source in ENDINGS else deeplesion(folder)


def _patients(lesions: Sequence[Seen]) -> int:
    return len({one.patient for one in lesions})


def _print_looks(title: str, whole: Sequence[Seen], some: Sequence[Pair]) -> None:
    print(f"\n{title}: {len(whole)} real ({_patients(whole)} patients), {len(some)} pairs "
          f"({_patients([real for real, _ in some])} patients)\n  5, 25, 50, 75, 95 %")  # fmt: skip
    groups = {"real": list(whole), "paired": [one for one, _ in some], "made": [m for _, m in some]}
    for name, of in LOOKS.items():
        row = [
            f"{group} {_five([of(one) for one in lesions])}" for group, lesions in groups.items()
        ]
        print(f"  {name:26}" + " | ".join(row) + f" | {_difference(some, of)}")
    for band, name in enumerate(BAND_NAMES):
        row = [f"{group} {_five(ratios(lesions, band))}" for group, lesions in groups.items()]
        row.append(f"made by its place before {_five(ratios(groups['made'], band, 'before'))}")
        print(f"  power inside, {name:6} by its host's: " + " | ".join(row))


def _difference(some: Sequence[Pair], of: Callable[[Seen], float]) -> str:
    """Median of made less real of a pair, and its 95 % over patients."""
    rows: dict[str, list[float]] = {}
    for real, made in some:
        rows.setdefault(real.patient, []).append(of(made) - of(real))
    random, patients = np.random.default_rng(0), list(rows.values())
    drawn = [np.nanmedian(np.concatenate([patients[i] for i in one]))
             for one in random.integers(len(patients), size=(1000, len(patients)))]  # fmt: skip
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return f"made - real {np.nanmedian(np.concatenate(patients)):.2f} [{low:.2f}, {high:.2f}]"


def ratios(lesions: Sequence[Seen], band: int, to: str = "beyond") -> list[float]:
    """Power inside by that of the host beyond, or of the same place before."""
    powers = [(one.inside, getattr(one, to)) for one in lesions]
    return [float(one[band] / other[band]) for one, other in powers
            if one is not None and other is not None]  # fmt: skip


def _five(values: Sequence[float]) -> str:
    there = np.array([one for one in values if np.isfinite(one)])
    if not len(there):
        return "none"
    return " ".join(f"{one:.2f}" for one in quantiles(there)) + f" (n {len(there)})"


def _print_told(lesions: Sequence[Seen]) -> None:
    made = np.array([one.made for one in lesions])
    patients = np.array([one.patient for one in lesions])
    source = np.array([one.source for one in lesions])

    def show(name: str, scores: NDArray[np.float64]) -> None:
        print(f"  {name:28}{told(scores, made, patients)}")
        for one in dict.fromkeys(source):
            of = source == one
            if len(set(patients[of])) >= FEWEST:
                print(f"    {one:26}{told(scores[:, of], made[of], patients[of])}", flush=True)

    print(
        f"\nAUC of made against real, {len(lesions) // 2} pairs, patients left out [95 % of them]"
    )
    show("intensities, regression", by_numbers(lesions))
    for name, view in VIEWS.items():
        show(name, by_network(lesions, view))


if __name__ == "__main__":
    main(*sys.argv[1:])
