"""Checkpoints: what resumes a run exactly, and what a finished one leaves behind.

last.pt   model, optimizer, scaler, random state, epoch, history
best.pt   the model's weights at its best validation epoch
run.json  the system's name and its config, flat
"""

import hashlib
import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from lesions import InputError
from lesions.files import replace_with, write_text
from lesions.readers.bounded import open_regular, read_json
from trainables.configs import blaming, edited, flatten
from trainables.registry import find_system
from trainables.stored import (
    MOST_BYTES,
    check_shapes,
    check_tensor,
    check_tensors,
    read_torch,
    said,
)
from trainables.system import System

LAST, BEST, RUN = "last.pt", "best.pt", "run.json"
_MOST_RUN = 1 << 20  # bytes of run.json; real ones have 2 kB
_OTHER = "holds other weights than the config's network has"
# Times the parameters that were stored, and more: timm makes heads and drops them, VGG's largest.
_MADE, _MORE = 16, 1 << 24
_MOMENTS = {"step", "exp_avg", "exp_avg_sq"}  # Adam's, of a parameter


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

    Everything is checked before anything is put back.

    Raises:
        InputError: no checkpoint there, one that is damaged, or one of another network.
    """
    last, best = _last(directory), _best(directory)
    with blaming(directory / LAST):
        _check_fit(last["model"], model)
        _check_moments(last["optimizer"], optimizer)
        _check_scaler(last["scaler"], scaler)
        _check_random(last["random"], last["random_cuda"])
    with blaming(directory / BEST):
        _check_fit(best["model"] or model.state_dict(), model)
    model.load_state_dict(last["model"])
    # The settings are the config's own; copies, as what was loaded only maps the file.
    moments = {
        index: {name: tensor.clone() for name, tensor in of.items()}
        for index, of in last["optimizer"]["state"].items()
    }
    optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})
    scaler.load_state_dict(last["scaler"])
    torch.set_rng_state(last["random"])
    if last["random_cuda"] and torch.cuda.device_count() == len(last["random_cuda"]):
        torch.cuda.set_rng_state_all(last["random_cuda"])
    return Progress(
        epoch=last["epoch"],
        best_epoch=best["epoch"],
        best_dice=best["dice"],
        best_model={name: tensor.clone().to(device) for name, tensor in best["model"].items()},
        history=last["history"],
    )


def load_best(directory: Path, device: torch.device) -> tuple[System, Any, nn.Module]:
    """The system, its config and its best model, ready to predict.

    Raises:
        InputError: no checkpoint there, one that is damaged, or one of another network.
    """
    system, config = read_run(directory)
    weights = _best(directory)["model"]
    with _no_more_parameters(sum(tensor.numel() for tensor in weights.values()), directory):
        try:
            # The checkpoint has the weights: nothing is to be fetched from a hub for them.
            model = system.model(config, pretrained=False)
        except InputError:
            raise
        except Exception as error:  # timm raises many kinds for names that have no such features
            raise InputError(
                f"its config makes no network: {said(error)}", file=directory / RUN
            ) from None
    model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    with blaming(directory / BEST):
        _check_fit(weights, model)
    model.load_state_dict(weights)
    return system, config, model.eval()


@contextmanager
def _no_more_parameters(stored: int, directory: Path) -> Iterator[None]:
    """Stop making a network that has far more parameters than were stored, before it has them all.

    A few words of a config can ask for gigabytes.
    """
    left, here = _MADE * stored + _MORE, threading.get_ident()

    def count(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal left
        left -= 0 if parameter is None or threading.get_ident() != here else parameter.numel()
        if left < 0:
            raise InputError(_OTHER, file=directory / BEST)

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


def read_run(directory: Path) -> tuple[System, Any]:
    """The system and its config; InputError where no checkpoint is, or a damaged one."""
    path = directory / RUN
    try:
        run = read_json(path, dict, _MOST_RUN)
    except OSError as error:
        raise InputError(f"no checkpoint: {error}", file=directory) from None
    with blaming(path):
        _check_keys(run, {"system": str, "config": dict})
        system = find_system(run["system"])
        return system, edited(system.presets()["paper"](), run["config"])


def model_digest(directory: Path) -> str:
    """What tells a checkpoint's best weights from others."""
    with open_regular(directory / BEST, MOST_BYTES) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def read_score(directory: Path) -> tuple[int, float]:
    """The best model's epoch (1 = the first) and validation Dice; InputError for no checkpoint."""
    best = _best(directory)
    return best["epoch"], best["dice"]


def read_history(directory: Path) -> list[dict[str, float]]:
    """The metrics of each epoch so far, one at least; InputError for no checkpoint."""
    history: list[dict[str, float]] = _last(directory)["history"]
    return history


def _best(directory: Path) -> dict[str, Any]:
    path = directory / BEST
    best: dict[str, Any] = _load(path)
    with blaming(path):
        _check_keys(best, {"epoch": int, "dice": float, "model": dict})
        if best["epoch"] < 0 or not math.isfinite(best["dice"]):
            raise InputError("its epoch or its Dice is no such number")
        if best["epoch"] or best["model"]:  # no epoch was the best where none had a Dice
            check_tensors(best["model"], path.stat().st_size)
    return best


def _last(directory: Path) -> dict[str, Any]:
    path = directory / LAST
    last: dict[str, Any] = _load(path)
    with blaming(path):
        _check_keys(
            last,
            {
                "epoch": int, "history": list, "model": dict, "optimizer": dict, "scaler": dict,
                "random": Tensor, "random_cuda": list,
            },
        )  # fmt: skip
        history = last["history"]
        if not history or last["epoch"] != len(history) or not all(map(_is_metrics, history)):
            raise InputError("its history is not one object of numbers an epoch")
        check_tensors(last["model"], path.stat().st_size)
    return last


def _load(path: Path) -> Any:
    try:
        return read_torch(path)
    except Exception as error:  # torch raises many kinds on a damaged file
        raise InputError(
            f"cannot be loaded: {said(error)}", file=path, remedy="take another checkpoint"
        ) from None


def _check_keys(found: Any, wanted: dict[str, type]) -> None:
    """InputError unless `found` is an object of these names and types, and no others."""
    if not isinstance(found, dict) or found.keys() != wanted.keys():
        raise InputError(f"is not an object of {', '.join(wanted)}")
    for name, kind in wanted.items():
        if not isinstance(found[name], kind) or isinstance(found[name], bool):
            raise InputError(f"its {name} is not of type {kind.__name__}")


def _is_metrics(found: Any) -> bool:
    return isinstance(found, dict) and all(
        isinstance(name, str) and type(value) in (int, float) for name, value in found.items()
    )


def _check_fit(weights: dict[str, Tensor], model: nn.Module) -> None:
    try:
        check_shapes(weights, model.state_dict())
    except InputError as error:
        raise InputError(f"{_OTHER}: {error.reason}") from None


def _check_moments(found: dict[str, Any], optimizer: torch.optim.Optimizer) -> None:
    """InputError unless these are Adam's moments of the optimizer's own parameters."""
    parameters = [one for group in optimizer.param_groups for one in group["params"]]
    state = found.get("state")
    if not isinstance(state, dict):
        raise InputError("its optimizer has no state")
    for index, of in state.items():
        if type(index) is not int or not 0 <= index < len(parameters):
            raise InputError("its optimizer has other parameters than the network")
        if not isinstance(of, dict) or of.keys() != _MOMENTS:
            raise InputError(f"its optimizer's parameter {index} has not {sorted(_MOMENTS)}")
        own = parameters[index]
        for name, tensor in of.items():
            shape = torch.Size() if name == "step" else own.shape
            if not isinstance(tensor, Tensor) or tensor.shape != shape:
                raise InputError(f"its optimizer's {name} of parameter {index} has another shape")
            check_tensor(f"its optimizer's {name} of parameter {index}", tensor)


def _check_scaler(found: dict[str, Any], scaler: torch.amp.GradScaler) -> None:
    own = scaler.state_dict()
    if own and (found.keys() != own.keys() or not _is_metrics(found)):
        raise InputError("its loss scaler's state does not fit: it was saved without fp16")


def _check_random(cpu: Tensor, cuda: list[Any]) -> None:
    try:
        torch.Generator().set_state(cpu)
        if cuda and torch.cuda.device_count() == len(cuda):
            for state in cuda:
                torch.Generator("cuda").set_state(state)
    except (RuntimeError, TypeError) as error:
        raise InputError(f"its random state is none: {said(error)}") from None
