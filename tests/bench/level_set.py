"""What the level set does to masks, beside the plain result grown to the same area.

python -m tests.bench.level_set STORAGE/reproductions/NAME PREPARED [PLAIN] [WITH …]

takes the trainings of `reproduce` (each variant, each seed) and the test lesions of a prepared set.
λ2 above λ1 makes outlines grow whatever the image says: only what is better than the plain mask,
grown or shrunk evenly to the same area, comes from the image.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from lesions import Lesion
from lesions.metrics import segmentation
from lesions.metrics.paired import Paired, Which, paired
from lesions.prepared import PreparedSet
from platform.running.training import newest_checkpoint
from trainables.evaluate import measured, truth_name
from trainables.parts import load_parts

Mask = NDArray[np.uint8]
PLAIN, WITH = "HRNet+DE+DA+SA", ("HRNet+DE+DA+SA+RLS", "HRNet+DE+DA+SA+RLS-shuffled")
MASK = "ellipse"  # judges where there is no human one


def resized(mask: Mask, area: int) -> Mask:
    """The mask grown or shrunk evenly, by the distance to its outline, to an area in pixels.

    >>> resized(np.array([[0, 0, 1, 0, 0]], np.uint8), 3).tolist()
    [[0, 1, 1, 1, 0]]
    """
    if not mask.any():
        return mask
    outside, inside = distance_transform_edt(mask == 0), distance_transform_edt(mask == 1)
    nearest = np.argsort((outside - inside).ravel(), kind="stable")[:area]
    grown = np.zeros(mask.size, np.uint8)
    grown[nearest] = 1
    return grown.reshape(mask.shape)


class Answers(NamedTuple):
    """What a training's best model says of each lesion, from its box."""

    masks: dict[Which, Mask]
    dice: dict[Which, float]


def answers_of(folder: Path, lesions: Mapping[Which, Lesion]) -> Answers:
    """Of a training's folder."""
    parts = load_parts([newest_checkpoint(folder)], torch.device("cpu"))
    found = Answers({}, {})
    for which, (row, prediction) in zip(lesions, measured(parts, lesions.values()), strict=True):
        assert prediction.mask is not None
        found.masks[which], found.dice[which] = prediction.mask, row["dice"]
    return found


def by_seed(folder: Path, variant: str, lesions: Mapping[Which, Lesion]) -> dict[int, Answers]:
    """Of the trainings of a variant, by their place among the seeds, the config's own first."""
    places = [folder / variant, *sorted(folder.glob(f"{variant}-seed*"))]
    found = [answers_of(place, lesions) for place in places if place.is_dir()]
    return dict(enumerate(found))


def resized_dice(
    plain: Answers, other: Answers, lesions: Mapping[Which, Lesion]
) -> dict[Which, float]:
    """Dice of the plain masks at the area of the others."""
    return {
        which: segmentation(
            resized(plain.masks[which], int(other.masks[which].sum())),
            lesion.mask(truth_name(lesion, MASK)),
        )["dice"]
        for which, lesion in lesions.items()
    }


def compared(
    names: tuple[str, str],
    plain: Mapping[int, Answers],
    other: Mapping[int, Answers],
    lesions: Mapping[Which, Lesion],
) -> Iterator[tuple[str, Paired | None]]:
    """Words and the paired difference of Dice: other less plain, less the plain one resized."""
    direct = {seed: one.dice for seed, one in plain.items()}
    its_own = {seed: one.dice for seed, one in other.items()}
    grown = {seed: resized_dice(one, other[seed], lesions) for seed, one in plain.items()}
    ratios = [
        other[seed].masks[which].sum() / mask.sum()
        for seed, one in plain.items() for which, mask in one.masks.items() if mask.any()
    ]  # fmt: skip
    yield f"{names[1]} less {names[0]}", paired(its_own, direct)
    yield f"{names[0]} resized less {names[0]}", paired(grown, direct)
    yield f"{names[1]} less {names[0]} resized", paired(its_own, grown)
    yield f"area, {names[1]} ÷ {names[0]}: median {np.median(ratios):.3f}", None


def in_words(found: Paired) -> str:
    low, high = found.interval or (np.nan, np.nan)
    seeds = " ".join(f"{each:+.4f}" for each in found.by_seed)
    return f"{found.difference:+.4f} [{low:+.4f}, {high:+.4f}]  seeds {seeds}"


def main(folder: Path, data: Path, plain: str, others: Sequence[str]) -> None:
    """Print every comparison."""
    lesions = {Which(one.patient, one.file, str(one.row)): one for one in PreparedSet(data, "test")}
    print(f"{len(lesions)} test lesions of {len({one.patient for one in lesions})} patients")
    first = by_seed(folder, plain, lesions)
    for other in others:
        second = by_seed(folder, other, lesions)
        for words, found in compared((plain, other), first, second, lesions):
            print(f"{words:<64} {in_words(found) if found else ''}".rstrip())


if __name__ == "__main__":
    given = sys.argv[3:]
    main(Path(sys.argv[1]), Path(sys.argv[2]), given[0] if given else PLAIN, given[1:] or WITH)
