"""How good `best` is on patients that had no say in its parameters: leave one patient out.

python -m tests.bench.best_mask      # a few minutes on one core

For every patient of the sample (and of ../shared/data/deeplesion/medsam2_npz, where it is there)
the parameters are chosen on the others, from the same draws, and measured on that one: with the
RECIST measured from the human mask, and with marks as people set them, drawn in by 8 % and
displaced by 4 % of their axis. The choice is by the mean gain over the ellipse by patient, that of
displaced marks counting half. What all patients together would choose is printed last; what is
shipped was chosen with made lesions besides (docs/masks.md).
"""

import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from lesions import Recist, read_deeplesion
from lesions.ellipse import ellipse
from lesions.masks.best import BELIEF, Belief, best
from lesions.metrics import segmentation
from lesions.sample import ROOT

MEDSAM2 = Path(__file__).resolve().parents[3] / "shared/data/deeplesion/medsam2_npz"
DRAWS, EVERY = 100, 2
SHRUNK, DISPLACED = 0.92, 0.04
MARKS = ("measured", "displaced")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A slice with one kind of marks."""

    patient: str
    lesion_type: str
    marks: str
    slice_hu: NDArray[Any]
    recist: Recist
    window: tuple[float, float]
    truth: NDArray[np.uint8]

    def gain(self, belief: Belief) -> float:
        """Dice of `best` less that of the ellipse."""
        ours = best(self.slice_hu, self.recist, self.window, belief)
        plain = ellipse(self.recist, self.truth.shape)
        return segmentation(ours, self.truth)["dice"] - segmentation(plain, self.truth)["dice"]


def cases() -> Iterator[Case]:
    rng = np.random.default_rng(0)
    for patient, lesion_type, slice_hu, recist, window, truth in slices():
        for marks in MARKS:
            yield Case(
                patient=patient, lesion_type=lesion_type, marks=marks, slice_hu=slice_hu,
                recist=displaced(recist, rng) if marks == "displaced" else recist,
                window=window, truth=truth,
            )  # fmt: skip


def displaced(recist: Recist, rng: np.random.Generator) -> Recist:
    """The marks drawn in towards their intersection and moved at random."""
    lengths = np.repeat(recist.diameters_mm((1, 1)), 2)[:, None]
    points = recist.centre + SHRUNK * (recist.points - recist.centre)
    return Recist(points + rng.normal(0, DISPLACED, (4, 2)) * lengths)


def slices() -> Iterator[tuple[Any, ...]]:
    found, _ = read_deeplesion(ROOT)
    for lesion in found[::EVERY]:
        yield (lesion.patient, lesion.lesion_type, lesion.slice_hu, lesion.recist, lesion.window,
               lesion.mask("human"))  # fmt: skip
    for path in sorted(MEDSAM2.glob("*.npz")):
        data = np.load(path)
        areas = (data["gts"] > 0).sum(axis=(1, 2))
        for k in np.flatnonzero(areas >= areas.max() / 4)[::EVERY]:
            truth = (data["gts"][k].T > 0).astype(np.uint8)
            # The images are in their window already: it is 0 to 255.
            recist = Recist.from_mask(truth, data["spacing"])
            yield path.stem, "medsam2", data["imgs"][k].T, recist, (0.0, 255.0), truth


def drawn(count: int) -> list[Belief]:
    """Parameters at random: none that was chosen with a say of the patient left out."""
    rng = np.random.default_rng(0)

    def of(*values: Any) -> Any:
        return values[rng.integers(len(values))]

    return [
        Belief(
            evidence=round(float(2 * 10 ** rng.uniform(0, 1)), 1), overlap=of(1.0, 1.5, 2.0),
            most=of(1.0, 2.0, 3.0), core=of(0.7, 0.8), ring=of((1.1, 1.4), (1.15, 1.6), (1.2, 1.8)),
            again=of((1.0, 1.4), (1.1, 1.5), (1.1, 1.6)), rare=of(1e-3, 1e-2),
            dip=of(0.03, 0.05, 0.07), slack=of(0.07, 0.1, 0.14),
            slack_at_ends=of(0.01, 0.02, 0.04), smooth=of(0.05, 0.08),
        )
        for _ in range(count)
    ]  # fmt: skip


def gains(of: Sequence[Case], belief: Belief) -> dict[tuple[str, str], float]:
    """Mean gain of every patient with every kind of marks."""
    found = defaultdict(list)
    for case in of:
        found[case.patient, case.marks].append(case.gain(belief))
    return {key: float(np.mean(values)) for key, values in found.items()}


def main(draws: int = DRAWS) -> None:
    beliefs, of = drawn(draws), list(cases())
    types = {case.patient: case.lesion_type for case in of}
    patients = list(types)
    table = [gains(of, belief) for belief in track(beliefs, "parameters")]
    # (parameters, marks, patients)
    all_gains = np.array([[[row[p, m] for p in patients] for m in MARKS] for row in table])
    worth = all_gains[:, 0] + all_gains[:, 1] / 2
    left_out = np.array([
        all_gains[np.delete(worth, at, axis=1).mean(axis=1).argmax(), :, at]
        for at in range(len(patients))
    ])  # fmt: skip
    print(f"gain in Dice over the ellipse, {len(patients)} patients, each left out of the choice")
    for name in ("all", *dict.fromkeys(types.values())):
        rows = left_out[[name in ("all", types[p]) for p in patients]]
        print(f"  {name:12} n {len(rows):2}  " + "  ".join(
            f"{marks} marks {mean:+.4f} (worst patient {worst:+.3f})"
            for marks, mean, worst in zip(MARKS, rows.mean(axis=0), rows.min(axis=0), strict=True)
        ))  # fmt: skip
    chosen = int(worth.mean(axis=1).argmax())
    print(f"chosen by all: {asdict(beliefs[chosen])}")
    print(f"  gains {all_gains[chosen].mean(axis=1).round(4)}")
    print(f"shipped: {'the same' if beliefs[chosen] == BELIEF else asdict(BELIEF)}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
