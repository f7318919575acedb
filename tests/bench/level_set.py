"""What the level set does to masks, beside the plain result grown to the same area.

python -m tests.bench.level_set STORAGE/reproductions/NAME PREPARED [PLAIN] [WITH …]

takes the trainings of `reproduce` (each variant, each seed) and the test lesions of a prepared set.
λ2 above λ1 makes outlines grow whatever the image says: only what is better than the plain mask,
grown or shrunk evenly to the same area, comes from the image.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

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


def masks_of(folder: Path, lesions: Sequence[Lesion]) -> list[Mask]:
    """What a training's best model segments of each lesion, from its box."""
    parts = load_parts([newest_checkpoint(folder)], torch.device("cpu"))
    return [found.mask for _, found in measured(parts, lesions) if found.mask is not None]


def seeds_of(folder: Path, variant: str) -> dict[int, Path]:
    """The trainings of a variant by their place among the seeds, the config's own first."""
    found = [folder / variant, *sorted(folder.glob(f"{variant}-seed*"))]
    return dict(enumerate(each for each in found if each.is_dir()))


def scores(lesions: Sequence[Lesion], masks: Sequence[Mask]) -> dict[Which, float]:
    """Dice by lesion."""
    return {
        Which(lesion.patient, lesion.file, str(lesion.row)): segmentation(
            mask, lesion.mask(truth_name(lesion, MASK))
        )["dice"]
        for lesion, mask in zip(lesions, masks, strict=True)
    }


def compared(folder: Path, lesions: Sequence[Lesion], plain: str, other: str) -> Iterator[Any]:
    """Words and the paired difference of Dice: other less plain, less the plain one resized."""
    direct: dict[int, dict[Which, float]] = {}
    grown: dict[int, dict[Which, float]] = {}
    its_own: dict[int, dict[Which, float]] = {}
    ratios = []
    for seed, place in seeds_of(folder, plain).items():
        first = masks_of(place, lesions)
        second = masks_of(seeds_of(folder, other)[seed], lesions)
        same_area = [resized(a, int(b.sum())) for a, b in zip(first, second, strict=True)]
        direct[seed], its_own[seed] = scores(lesions, first), scores(lesions, second)
        grown[seed] = scores(lesions, same_area)
        ratios += [b.sum() / a.sum() for a, b in zip(first, second, strict=True) if a.any()]
    yield f"{other} less {plain}", paired(its_own, direct)
    yield f"{plain} resized less {plain}", paired(grown, direct)
    yield f"{other} less {plain} resized", paired(its_own, grown)
    yield f"area, {other} ÷ {plain}: median {np.median(ratios):.3f}", None


def in_words(found: Paired) -> str:
    low, high = found.interval or (np.nan, np.nan)
    seeds = " ".join(f"{each:+.4f}" for each in found.by_seed)
    return f"{found.difference:+.4f} [{low:+.4f}, {high:+.4f}]  seeds {seeds}"


def main(folder: Path, data: Path, plain: str, others: Sequence[str]) -> None:
    """Print every comparison."""
    lesions = list(PreparedSet(data, "test"))
    print(f"{len(lesions)} test lesions of {len({one.patient for one in lesions})} patients")
    for other in others:
        for words, found in compared(folder, lesions, plain, other):
            print(f"{words:<64} {in_words(found) if found else ''}".rstrip())


if __name__ == "__main__":
    given = sys.argv[3:]
    main(Path(sys.argv[1]), Path(sys.argv[2]), given[0] if given else PLAIN, given[1:] or WITH)
