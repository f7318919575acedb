"""How well a mask or a measurement agrees with another, and a disc to beat."""

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lesions.recist import Recist

UNCERTAIN = 255
# Disc radii are tried in steps of this part of the unit.
_STEP = 1e-3


def segmentation(pred: NDArray[Any], truth: NDArray[Any]) -> dict[str, float]:
    """Pixel-wise agreement of two label images: 1 or True is lesion.

    A pixel that is 255 (uncertain) in either image counts nowhere. Of the pixels that count:
    both images empty: everything is 1; one of them empty: everything is 0. When no pixel counts
    at all, everything is NaN.

    Args:
        pred: (H, W) or any shape.
        truth: the same shape.

    Returns:
        precision TP / (TP + FP), recall TP / (TP + FN), dice 2TP / (2TP + FP + FN), and vs, the
        volumetric similarity 1 − |FN − FP| / (2TP + FP + FN).

    Raises:
        ValueError: the shapes differ, or a value is no label (0, 1, 255).
    """
    pred, truth = _labels(pred), _labels(truth)
    if pred.shape != truth.shape:
        raise ValueError(f"masks of different shapes: {pred.shape} and {truth.shape}")
    counts = (pred != UNCERTAIN) & (truth != UNCERTAIN)
    if not counts.any():
        return dict.fromkeys(("precision", "recall", "dice", "vs"), float("nan"))
    found = int(np.count_nonzero((pred == 1) & counts))
    there = int(np.count_nonzero((truth == 1) & counts))
    both = int(np.count_nonzero((pred == 1) & (truth == 1)))
    if found == 0 or there == 0:
        return dict.fromkeys(("precision", "recall", "dice", "vs"), float(found == there))
    return {
        "precision": both / found,
        "recall": both / there,
        "dice": 2 * both / (found + there),
        "vs": 1 - abs(there - found) / (found + there),
    }


def _labels(image: NDArray[Any]) -> NDArray[Any]:
    labels = np.asarray(image)
    # Three comparisons cost a tenth of np.isin.
    strange = (labels != 0) & (labels != 1) & (labels != UNCERTAIN)
    if labels.dtype.kind not in "bui" or strange.any():
        raise ValueError("a label image holds 0, 1 and 255 (uncertain) only")
    return labels


def diameters(predicted: Recist, truth: Recist, spacing: ArrayLike) -> dict[str, float]:
    """Absolute differences of the lengths, mm.

    Args:
        predicted: (x, y) pixels.
        truth: likewise.
        spacing: (x, y, …) mm per pixel.

    Returns:
        long_axis_error and short_axis_error.
    """
    pairs = zip(predicted.diameters_mm(spacing), truth.diameters_mm(spacing), strict=True)
    long, short = (abs(ours - theirs) for ours, theirs in pairs)
    return {"long_axis_error": long, "short_axis_error": short}


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Mean and standard deviation (population) of every metric over the rows.

    A NaN, or a row that lacks the metric, is left out of that metric. Columns that hold anything
    but numbers (a file name, a lesion type) are no metrics.

    Returns:
        `<name>` the mean, `<name>_std`, and `n` the number of rows; `<name>_n` how many of them
        had the metric, only where some had not. Where none had, mean and deviation are NaN.
    """
    result = {"n": float(len(rows))}
    for name in dict.fromkeys(name for row in rows for name in row):
        column = [row[name] for row in rows if name in row]
        if not all(isinstance(value, Real) for value in column):
            continue
        values = np.array(column, dtype=np.float64)
        values = values[~np.isnan(values)]
        result[name] = float(values.mean()) if len(values) else float("nan")
        result[f"{name}_std"] = float(values.std()) if len(values) else float("nan")
        if len(values) < len(rows):
            result[f"{name}_n"] = float(len(values))
    return result


def summary_by(rows: Sequence[Mapping[str, Any]], key: str) -> dict[Any, dict[str, float]]:
    """`summary` of the rows that share a value of the column `key`, in order of first appearance.

    Raises:
        KeyError: a row lacks the column.
    """
    groups: dict[Any, list[Mapping[str, Any]]] = {}
    for row in rows:
        rest = {name: value for name, value in row.items() if name != key}
        groups.setdefault(row[key], []).append(rest)
    return {value: summary(group) for value, group in groups.items()}


def best_centred_disc(
    cases: Sequence[tuple[NDArray[np.bool_], tuple[float, float], float]],
) -> tuple[float, NDArray[np.float64]]:
    """The best that a disc can do which knows where each lesion is, but not how it looks.

    One factor for all cases, chosen on these very cases: radius = factor × unit.

    Args:
        cases: mask bool (H, W), the disc's centre (x, y) in its pixels, and the unit in pixels
            (the crop's side).

    Returns:
        The factor with the highest mean Dice, to a thousandth, and the Dice of each case with it.

    Raises:
        ValueError: there are no cases, or a unit is not positive.
    """
    if not cases or not all(unit > 0 for _, _, unit in cases):
        raise ValueError("a disc needs at least one case, each with a positive unit")
    radii = [_radii(*case) for case in cases]
    furthest = max(float(each.max()) for each, _ in radii)
    steps = max(int(np.ceil(furthest / _STEP)), 1)
    factors = np.linspace(_STEP, steps * _STEP, steps)
    scores = np.stack([_disc_dice(*each, factors) for each in radii])
    best = int(scores.mean(axis=0).argmax())
    return float(factors[best]), scores[:, best]


def _radii(
    mask: NDArray[np.bool_], centre: tuple[float, float], unit: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sorted distances from the centre, in units, of all pixels and of the lesion's."""
    lesion = np.asarray(mask) == 1
    y, x = np.arange(lesion.shape[0])[:, None] - centre[1], np.arange(lesion.shape[1]) - centre[0]
    distances = np.hypot(x, y) / unit
    return np.sort(distances, axis=None), np.sort(distances[lesion])


def _disc_dice(
    everywhere: NDArray[np.float64], lesion: NDArray[np.float64], factors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The disc's Dice at each factor; 1 where disc and lesion are both empty."""
    size = np.searchsorted(everywhere, factors, side="right") + len(lesion)
    both = np.searchsorted(lesion, factors, side="right")
    return np.where(size > 0, 2 * both / np.maximum(size, 1), 1.0)
