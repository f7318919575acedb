"""Checkpoints: what resumes a run exactly, and what a finished one leaves behind.

last.pt   model, optimizer, scaler, random state, epoch, history
best.pt   the model's weights at its best validation epoch
run.json  the system's name and its config, flat
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lesions import InputError
from lesions.files import replace_with, write_text
from trainables.configs import edited, flatten
from trainables.registry import find_system
from trainables.system import System

LAST, BEST, RUN = "last.pt", "best.pt", "run.json"


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        epoch: epochs done.
        best_epoch: the epoch (1 = the first) with the best validation Dice; 0 = none yet.
        best_dice: that Dice.
        best_model: the weights of that epoch.
        history: one dict of metrics an epoch.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_dice: float = -1.0
    best_model: dict[str, Tensor] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)


def save_checkpoint(
    directory: Path,
    system: System,
    config: Any,
    progress: Progress,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
) -> None:
    """Write all three files; each whole or not at all."""
    best = {"epoch": progress.best_epoch, "dice": progress.best_dice, "model": progress.best_model}
    last = {
        "epoch": progress.epoch,
        "history": progress.history,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scaler": scaler.state_dict(),
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    write_text(directory / RUN, json.dumps({"system": system.name, "config": flatten(config)}))
    for name, content in ((BEST, best), (LAST, last)):
        with replace_with(directory / name) as file:
            torch.save(content, file)


def restore_checkpoint(
    directory: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    device: torch.device,
) -> Progress:
    """Put a run back to where its checkpoint was; its progress.

    Raises:
        InputError: no checkpoint there, one that was cut off, or one of another network.
    """
    last, best = (_load(directory / name, device) for name in (LAST, BEST))
    _fill(model, last["model"], directory / LAST)
    optimizer.load_state_dict(last["optimizer"])
    scaler.load_state_dict(last["scaler"])
    torch.set_rng_state(last["random"].cpu())
    if last["random_cuda"] and torch.cuda.device_count() == len(last["random_cuda"]):
        torch.cuda.set_rng_state_all([state.cpu() for state in last["random_cuda"]])
    return Progress(
        epoch=last["epoch"],
        best_epoch=best["epoch"],
        best_dice=best["dice"],
        best_model=best["model"],
        history=last["history"],
    )


def load_best(directory: Path, device: torch.device) -> tuple[System, Any, nn.Module]:
    """The system, its config and its best model, ready to predict.

    Raises:
        InputError: no checkpoint there, one that was cut off, or one of another network.
    """
    system, config = read_run(directory)
    # The checkpoint has the weights: nothing is to be fetched from a hub for them.
    model = system.model(config, pretrained=False)
    model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    _fill(model, _load(directory / BEST, device)["model"], directory / BEST)
    return system, config, model.eval()


def read_run(directory: Path) -> tuple[System, Any]:
    """The system and its config; InputError where no checkpoint is."""
    try:
        run = json.loads((directory / RUN).read_text())
        name, values = run["system"], run["config"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"no checkpoint: {error}", file=directory) from None
    system = find_system(name)
    return system, edited(system.presets()["paper"](), values)


def model_digest(directory: Path) -> str:
    """What tells a checkpoint's best weights from others."""
    with (directory / BEST).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_score(directory: Path) -> tuple[int, float]:
    """The best model's epoch (1 = the first) and validation Dice; InputError for no checkpoint."""
    best = _load(directory / BEST, torch.device("cpu"))
    return int(best["epoch"]), float(best["dice"])


def read_history(directory: Path) -> list[dict[str, float]]:
    """The metrics of each epoch so far; InputError for no checkpoint."""
    history: list[dict[str, float]] = _load(directory / LAST, torch.device("cpu"))["history"]
    return history


def _load(path: Path, device: torch.device) -> dict[str, Any]:
    try:
        content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises many kinds on a damaged file
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise InputError(
            f"cannot be loaded: {reason}", file=path, remedy="take another checkpoint"
        ) from None
    return content


def _fill(model: nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    try:
        model.load_state_dict(weights)
    except RuntimeError:  # torch lists every one of hundreds of tensors
        raise InputError("holds other weights than the config's network has", file=path) from None
