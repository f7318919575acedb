"""Between two training rounds: the model of one makes the masks of the next, chunk by chunk."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lesions import Lesion
from lesions.metrics import UNCERTAIN, segmentation
from lesions.prepared.round_masks import chunk_path, chunks_of, training_lesions, write_chunk
from lesions.readers.png import encode_labels
from trainables.checkpoint import load_best
from trainables.system import Prediction, Refined, System
from trainables.workers import use_assigned_resources


@dataclass(frozen=True, kw_only=True)
class MaskPlan:
    """What a round's masks are made from, and where.

    Attributes:
        checkpoint: the last round's model.
        data: the prepared set.
        mask: the name of the mask that it learned from.
        before: the masks of its own round; None where they are as prepared.
        out: the folder of the new ones.
    """

    checkpoint: Path
    data: Path
    mask: str
    before: Path | None
    out: Path


class MaskMaker:
    """An actor with the model loaded: makes chunks of a round's masks."""

    def __init__(self, plan: MaskPlan) -> None:
        self.plan, self.device = plan, use_assigned_resources()
        self.system, self.config, self.model = load_best(plan.checkpoint, self.device)
        self.lesions = training_lesions(plan.data, plan.mask, plan.before)

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        """Make the chunk `item["chunk"]`, unless it is there; `error` says why it is not."""
        path, error = chunk_path(self.plan.out, item["chunk"]), ""
        try:
            if not path.exists():
                write_chunk(path, self._rows(chunks_of(len(self.lesions))[item["chunk"]]))
        except OSError as failure:
            error = str(failure)
        return {"chunk": item["chunk"], "error": error}

    def _rows(self, places: range) -> list[dict[str, Any]]:
        lesions = [self.lesions[place] for place in places]
        found = predictions(self.system, self.config, self.model, lesions, self.device)
        return [
            mask_row(self.system, lesion, prediction, self.plan.mask)
            for lesion, prediction in zip(lesions, found, strict=True)
        ]


def predictions(
    system: System, config: Any, model: nn.Module, lesions: Sequence[Lesion], device: torch.device
) -> list[Prediction | Exception]:
    """Each lesion's prediction; when one fails, each is predicted on its own."""
    try:
        return list(system.predict(config, model, lesions, device))
    except Exception as error:
        if len(lesions) == 1:
            return [error]
        return [predictions(system, config, model, [one], device)[0] for one in lesions]


def mask_row(
    system: System, lesion: Lesion, predicted: Prediction | Exception, name: str
) -> dict[str, Any]:
    """The row of `write_chunk` for a lesion, from what the model predicted."""
    row: dict[str, Any] = {"file": lesion.file, "row": lesion.row, "mask": None, "reason": ""}
    try:
        if isinstance(predicted, Exception):
            raise predicted
        made = system.next_mask(lesion, predicted.mask)
    except Exception as error:  # one lesion must not end a round: it keeps its mask
        return row | {"reason": f"{type(error).__name__}: {error}"}
    row |= {"mask": encode_labels(made.mask), "uncertain": _uncertain(made.mask)}
    if "human" not in lesion.masks:
        return row
    return row | _scores(lesion, made, name)


def _scores(lesion: Lesion, made: Refined, name: str) -> dict[str, float]:
    human = lesion.mask("human")
    masks = {"dice_before": lesion.mask(name), "dice_refined": made.refined, "dice": made.mask}
    return {score: segmentation(mask, human)["dice"] for score, mask in masks.items()}


def _uncertain(mask: NDArray[np.uint8]) -> float:
    """The part of what is not background that is uncertain."""
    return int(np.count_nonzero(mask == UNCERTAIN)) / max(1, int(np.count_nonzero(mask)))
