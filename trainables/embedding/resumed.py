"""An embedder's training on disk, after each of its epochs; a kill between its files loses one.

epoch-000012.safetensors   the weights after that epoch
training.pt                which epoch that is, what all of it is of, Adam's moments, the loss scale
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from lesions import InputError
from lesions.files import replace_with
from trainables.checkpoint import check_keys
from trainables.embedding.network import Embedder
from trainables.optimisers import MOMENTS
from trainables.resuming import check_moments, take_moments
from trainables.stored import check_shapes, read_state_dict, read_torch, said

STATE = "training.pt"
_HOLDS = {"of": str, "epoch": int, "optimizer": dict, "scaler": dict}


def save_state(
    folder: Path, of: str, epoch: int, model: Embedder,
    optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler,
) -> None:  # fmt: skip
    """Keep an epoch; what was kept before goes.

    Args:
        folder: of the training.
        of: what tells it from trainings of other settings or lesions.
        epoch: epochs done.
        model, optimizer, scaler: after it.
    """
    with replace_with(_weights(folder, epoch)) as file:
        file.write(safetensors.torch.save(dict(model.state_dict())))
    state = {"of": of, "epoch": epoch, "optimizer": optimizer.state_dict()["state"],
             "scaler": scaler.state_dict()}  # fmt: skip
    with replace_with(folder / STATE) as file:
        torch.save(state, file)
    for old in folder.glob("epoch-*.safetensors"):
        if old != _weights(folder, epoch):
            old.unlink(missing_ok=True)


def restore(
    folder: Path, of: str, model: Embedder,
    optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler,
) -> int:  # fmt: skip
    """Put back what was kept of the same training; how many of its epochs are done.

    A training of other settings or lesions counts as none.

    Raises:
        InputError: it is damaged.
    """
    path = folder / STATE
    if not path.exists():
        return 0
    try:
        state: dict[str, Any] = read_torch(path)
        check_keys(state, _HOLDS)
        if state["of"] != of:
            return 0
        weights = read_state_dict(_weights(folder, state["epoch"]))
        check_shapes(weights, model.state_dict())
        if state["optimizer"].keys() != set(range(len(list(model.parameters())))):
            raise InputError("its optimizer has other parameters than the network")
        check_moments({"state": state["optimizer"]}, optimizer, MOMENTS["adam"])
        take_moments(optimizer, state["optimizer"])
        with suppress(RuntimeError):  # of a run without a scaler: it starts afresh
            scaler.load_state_dict(state["scaler"])
    except Exception as error:  # each format fails in its own way
        raise InputError(f"cannot be gone on with: {said(error)}", file=path,
                         remedy=f"remove {folder}, and start again") from None  # fmt: skip
    model.load_state_dict(weights)
    epoch: int = state["epoch"]
    return epoch


def _weights(folder: Path, epoch: int) -> Path:
    return folder / f"epoch-{epoch:06d}.safetensors"
