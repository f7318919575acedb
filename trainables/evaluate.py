"""How well a system does on lesions: the papers' metrics in the slices' own pixels and mm."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from lesions import Lesion, metrics
from trainables.system import Prediction, System

REPORTED = ("precision", "recall", "dice", "vs", "long_axis_error", "short_axis_error")


def measure(
    system: System, config: Any, model: nn.Module, lesions: Sequence[Lesion], device: torch.device
) -> list[dict[str, Any]]:
    """One row a lesion: its names, and the metrics of the system's prediction of it."""
    predictions = system.predict(config, model, lesions, device)
    return [
        measure_one(lesion, prediction, config.pseudo_mask)
        for lesion, prediction in zip(lesions, predictions, strict=True)
    ]


def measure_one(lesion: Lesion, prediction: Prediction, pseudo_mask: str) -> dict[str, Any]:
    """The row of one lesion: mask against the human one, or the pseudo mask where there is none."""
    truth = truth_name(lesion, pseudo_mask)
    long, short = lesion.recist.diameters_mm(lesion.spacing)
    row: dict[str, Any] = {
        "file": lesion.file,
        "row": lesion.row,
        "patient": lesion.patient,
        "lesion_type": lesion.lesion_type,
        "truth": truth,
        "long_axis_mm": long,
        "short_axis_mm": short,
    }
    row |= metrics.segmentation(prediction.mask, lesion.mask(truth))
    if prediction.recist is None:  # endpoints that coincide measure nothing: all of it is error
        return row | {"long_axis_error": long, "short_axis_error": short}
    return row | metrics.diameters(prediction.recist, lesion.recist, lesion.spacing)


def truth_name(lesion: Lesion, pseudo_mask: str) -> str:
    """Which mask a lesion is judged by."""
    return "human" if "human" in lesion.masks else pseudo_mask


def summarise(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Mean and standard deviation of each reported metric, and `n`; empty for no rows."""
    if not rows:
        return {}
    return metrics.summary([{name: row[name] for name in REPORTED} for row in rows])
