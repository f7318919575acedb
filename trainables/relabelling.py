"""Between two phases: the model so far makes the training masks anew, chunk by chunk."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lesions import InputError, Lesion
from lesions.metrics import UNCERTAIN, segmentation
from lesions.prepared.round_masks import (
    RoundLesions,
    chunk_path,
    chunks_of,
    claim,
    finish,
    write_chunk,
)
from lesions.prompts import case_of
from lesions.readers.png import encode_labels
from trainables.parts import Parts
from trainables.roles import NewMask, Relabels
from trainables.system import Prediction

Row = dict[str, Any]


def relabel(
    parts: Parts,
    lesions: Sequence[Lesion],
    root: Path,
    rank: int,
    world: int,
    barrier: Callable[[], None],
) -> Sequence[Lesion]:
    """The lesions with new masks, each worker's share of which is made here.

    What a killed run made by the same model is not made again.

    Args:
        parts: the model so far, alone.
        lesions: with the masks that it learned from.
        root: where the new ones are kept; every worker sees it.
        rank, world: this worker's place among all.
        barrier: waits for the others.

    Raises:
        InputError: the system makes no masks anew.
    """
    model = parts.trained[0].model
    if rank == 0:
        claim(root, {"model": digest(model.state_dict()), "lesions": len(lesions)})
    barrier()
    for number in range(rank, len(chunks_of(len(lesions))), world):
        make_chunk(parts, lesions, root, number)
    barrier()
    if rank == 0:
        finish(root)
    barrier()
    return relabelled(lesions, root)


def make_chunk(parts: Parts, lesions: Sequence[Lesion], root: Path, number: int) -> None:
    """Make the new masks of a chunk of the lesions, unless they are there."""
    path = chunk_path(root, number)
    if not path.exists():
        places = chunks_of(len(lesions))[number]
        write_chunk(path, mask_rows(parts, [lesions[place] for place in places]))


def relabelled(lesions: Sequence[Lesion], *roots: Path) -> Sequence[Lesion]:
    """The lesions with the masks of one round after another."""
    for root in roots:
        lesions = RoundLesions(lesions, root)
    return lesions


def mask_rows(parts: Parts, lesions: Sequence[Lesion]) -> list[Row]:
    """The rows of `write_chunk` for some lesions: one a new mask."""
    found = predictions(parts, lesions)
    return [
        row
        for lesion, prediction in zip(lesions, found, strict=True)
        for row in _rows_of(parts, lesion, prediction)
    ]


def predictions(parts: Parts, lesions: Sequence[Lesion]) -> list[Prediction | Exception]:
    """Each lesion's prediction; when one fails, each is predicted on its own."""
    try:
        telling = parts.telling
        return list(parts.predict([case_of(lesion, telling) for lesion in lesions]))
    except Exception as error:
        if len(lesions) == 1:
            return [error]
        return [predictions(parts, [one])[0] for one in lesions]


def _rows_of(parts: Parts, lesion: Lesion, predicted: Prediction | Exception) -> list[Row]:
    """A row each new mask; one that says why where there is none."""
    system, config = parts.system, parts.config
    if not isinstance(system, Relabels):
        raise InputError(f"{system.name} makes no masks anew", remedy="train it in one round")
    names: Row = {"file": lesion.file, "row": lesion.row, "name": config.pseudo_mask}
    try:
        if isinstance(predicted, Exception):
            raise predicted
        made = system.relabel(config, lesion, predicted)
    except Exception as error:  # one lesion must not end a round: it keeps its mask
        return [{**names, "mask": None, "reason": f"{type(error).__name__}: {error}"}]
    if not made:
        return [{**names, "mask": None, "reason": "no mask is made of it"}]
    return [
        {**names, "name": name, "mask": encode_labels(one.mask), "reason": "",
         "uncertain": _uncertain(one.mask), **_scores(lesion, one, name)}
        for name, one in made.items()
    ]  # fmt: skip


def _scores(lesion: Lesion, made: NewMask, name: str) -> dict[str, float]:
    """Dice against the human mask of the lesion's slice, where there is one."""
    if "human" not in lesion.masks or name not in lesion.masks:
        return {}
    human = lesion.mask("human")
    masks = {"dice_before": lesion.mask(name), "dice": made.mask}
    if made.refined is not None:
        masks["dice_refined"] = made.refined
    return {score: segmentation(mask, human)["dice"] for score, mask in masks.items()}


def _uncertain(mask: NDArray[np.uint8]) -> float:
    """The part of what is not background that is uncertain."""
    return int(np.count_nonzero(mask == UNCERTAIN)) / max(1, int(np.count_nonzero(mask)))


def digest(weights: Mapping[str, Tensor]) -> str:
    """What tells weights from others."""
    found = hashlib.sha256()
    for name, tensor in weights.items():
        found.update(name.encode())
        found.update(
            tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        )
    return found.hexdigest()
