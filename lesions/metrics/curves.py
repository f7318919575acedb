"""Curves over a threshold: of many lesions' Dice, and of a network's scores."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lesions.labels import UNCERTAIN, as_labels

Curve = NDArray[np.float64]


def dice_histogram(dices: ArrayLike, thresholds: ArrayLike | None = None) -> tuple[Curve, Curve]:
    """The cumulative Dice histogram: how many of the lesions reach each Dice (AHRNet, Fig. 4).

    Args:
        dices: (N,), one a lesion; a NaN is left out, as in `summary`.
        thresholds: (T,); 0, 0.01, … 1 without.

    Returns:
        The thresholds, and the fraction of lesions with Dice ≥ each of them.

    Raises:
        ValueError: no lesion has a Dice.
    """
    scores = np.asarray(dices, dtype=np.float64).ravel()
    scores = np.sort(scores[~np.isnan(scores)])
    if len(scores) == 0:
        raise ValueError("no lesion has a Dice")
    # Hundredths by division: multiples of 0.01 would miss a Dice of exactly 0.29.
    levels = np.arange(101) / 100 if thresholds is None else np.asarray(thresholds, np.float64)
    return levels, 1 - np.searchsorted(scores, levels, side="left") / len(scores)


@dataclass(frozen=True, kw_only=True, eq=False)
class PrecisionRecall:
    """A pixel precision-recall curve: a pixel is called lesion where its score ≥ a threshold.

    Attributes:
        thresholds: (T,), ascending.
        precision: (T,); 0 where no pixel reaches the threshold.
        recall: (T,).
    """

    thresholds: Curve
    precision: Curve
    recall: Curve

    @property
    def best_f(self) -> tuple[float, float]:
        """The highest F-measure 2PR / (P + R), and the lowest threshold that has it."""
        both = self.precision + self.recall
        f = 2 * self.precision * self.recall / np.where(both > 0, both, 1)
        best = int(f.argmax())
        return float(f[best]), float(self.thresholds[best])


def precision_recall(
    scores: Iterable[NDArray[Any]],
    truths: Iterable[NDArray[Any]],
    thresholds: ArrayLike | None = None,
) -> PrecisionRecall:
    """Precision and recall of all pixels of all lesions together (WSSS, Fig. 5).

    Images are looked at one at a time, so `scores` and `truths` may be generators. A pixel whose
    truth is uncertain (255) counts nowhere.

    Args:
        scores: one image or volume a lesion, higher is more likely lesion.
        truths: the label images, see `as_labels`, each of its score's shape.
        thresholds: (T,), where the curve is wanted, in any order; memory is then bounded. Without
            it the curve has every score that occurs, and memory grows with how many differ.

    Raises:
        ValueError: the shapes or the numbers of images differ, a score is NaN, a value is no
            label, or no pixel that counts is lesion.
    """
    levels = None if thresholds is None else np.unique(np.asarray(thresholds, np.float64))
    tallies = [_tally(*pair, levels) for pair in zip(scores, truths, strict=True)]
    parts = [np.concatenate(each) for each in zip(*tallies, strict=True)] or [np.empty(0)] * 3
    values, place = np.unique(parts[0], return_inverse=True)
    # How many lie at a value or above it; 0 above the highest.
    lesion, pixels = (
        np.append(np.cumsum(np.bincount(place, part)[::-1])[::-1], 0.0) for part in parts[1:]
    )
    if lesion[0] == 0:
        raise ValueError("no pixel of the truth is lesion: there is no recall")
    levels = values if levels is None else levels
    reach = np.searchsorted(values, levels)
    precision = lesion[reach] / np.maximum(pixels[reach], 1)
    return PrecisionRecall(thresholds=levels, precision=precision, recall=lesion[reach] / lesion[0])


def _tally(
    score: NDArray[Any], truth: NDArray[Any], levels: Curve | None
) -> tuple[Curve, NDArray[Any], NDArray[Any]]:
    """The scores of an image, each once, and how many pixels with it are lesion, and are at all.

    Where there are `levels`, a score counts as the highest of them that it reaches.
    """
    labels, given = as_labels(truth), np.asarray(score, dtype=np.float64)
    if labels.shape != given.shape:
        raise ValueError(f"a score and a truth of different shapes: {given.shape}, {labels.shape}")
    known = labels != UNCERTAIN
    found, lesion = given[known], labels[known] == 1
    if np.isnan(found).any():
        raise ValueError("a score is NaN")
    if levels is not None:
        found = np.append(-np.inf, levels)[np.searchsorted(levels, found, side="right")]
    values, place = np.unique(found, return_inverse=True)
    return values, np.bincount(place, lesion), np.bincount(place)
