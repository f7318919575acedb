"""Checkpoints as files, read with care: what a finished training leaves behind.

last.pt   what resumes a run exactly, see `trainables.resuming`
best.pt   the model's weights at its best validation epoch, and the figure that chose it
run.json  the system's name and its config, flat; and what it was trained on, see `lesions.seen`
"""

import hashlib
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from lesions.errors import InputError
from lesions.readers.bounded import open_regular, read_json
from lesions.seen import Seen
from trainables.configs import blaming, edited
from trainables.registry import find_system
from trainables.stored import MOST_BYTES, check_shapes, check_tensors, read_torch, said
from trainables.system import System

LAST, BEST, RUN = "last.pt", "best.pt", "run.json"
TRAINED_ON = "trained_on"
MOST_RUN = 16 << 20  # bytes of run.json; 2 kB, and 16 bytes a slice that was trained on
_OTHER = "holds other weights than the config's network has"
# Times the parameters that were stored, and more: timm makes heads and drops them, VGG's largest.
_MADE, _MORE = 16, 1 << 24


def load_best(directory: Path, device: torch.device) -> tuple[System, Any, nn.Module]:
    """The system, its config and its best model, ready to predict.

    Raises:
        InputError: no checkpoint there, one that is damaged, or one of another network.
    """
    system, config = read_run(directory)
    weights = read_best(directory)["model"]
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
        check_fit(weights, model)
    model.load_state_dict(weights)
    return system, config, model.eval()


def take_best(directory: Path, model: nn.Module) -> None:
    """Put a checkpoint's best weights into a network; InputError where it is another's."""
    weights = read_best(directory)["model"]
    with blaming(directory / BEST):
        check_fit(weights, model)
    model.load_state_dict(weights)


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
    path, run = directory / RUN, _read_run(directory)
    run.pop(TRAINED_ON, None)
    with blaming(path):
        check_keys(run, {"system": str, "config": dict})
        system = find_system(run["system"])
        return system, edited(system.presets()["paper"](), run["config"])


def read_seen(directory: Path) -> Seen | None:
    """What a checkpoint was trained on; None of one that a version before wrote, or a test.

    Raises:
        InputError: no checkpoint there, or a damaged one.
    """
    said = _read_run(directory).get(TRAINED_ON)
    with blaming(directory / RUN):
        return None if said is None else Seen.read(said)


def _read_run(directory: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = read_json(directory / RUN, dict, MOST_RUN)
    except OSError as error:
        raise InputError(f"no checkpoint: {error}", file=directory) from None
    return found


def model_digest(directory: Path) -> str:
    """What tells a checkpoint's best weights from others."""
    with open_regular(directory / BEST, MOST_BYTES) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def read_score(directory: Path) -> tuple[int, float]:
    """The best model's epoch (1 = the first) and its value of the system's merit.

    Raises:
        InputError: no checkpoint there, or a damaged one.
    """
    best = read_best(directory)
    return best["epoch"], best["value"]


def read_history(directory: Path) -> list[dict[str, float]]:
    """The metrics of each epoch so far, one at least; InputError for no checkpoint."""
    history: list[dict[str, float]] = read_last(directory)["history"]
    return history


def read_best(directory: Path) -> dict[str, Any]:
    """What best.pt holds: `epoch`, 0 where none was the best, `merit`, `value`, `model`.

    Raises:
        InputError: no checkpoint there, or a damaged one.
    """
    path = directory / BEST
    best: dict[str, Any] = _load(path)
    with blaming(path):
        if isinstance(best, dict) and "dice" in best:  # of a version before
            best = {"value": best.pop("dice"), "merit": "dice", **best}
        check_keys(best, {"epoch": int, "merit": str, "value": float, "model": dict})
        if best["epoch"] < 0 or not math.isfinite(best["value"]):
            raise InputError("its epoch or its value is no such number")
        if best["epoch"] or best["model"]:  # no epoch was the best where none had a value
            check_tensors(best["model"], path.stat().st_size)
    return best


def read_last(directory: Path) -> dict[str, Any]:
    """What last.pt holds, see `trainables.resuming`; InputError for no checkpoint."""
    path = directory / LAST
    last: dict[str, Any] = _load(path)
    with blaming(path):
        if isinstance(last, dict) and "optimizer" in last:  # of a version before: one phase
            own = last.pop("optimizer")
            last = {"phase": 0, "in_phase": last.get("epoch"), "ended": False,
                    "plateau": {}, "optimizers": [own], **last}  # fmt: skip
        check_keys(
            last,
            {
                "epoch": int, "phase": int, "in_phase": int, "ended": bool,
                "plateau": dict, "history": list, "model": dict, "optimizers": list,
                "scaler": dict, "random": Tensor, "random_cuda": list,
            },
        )  # fmt: skip
        history = last["history"]
        whole = history and all(map(is_metrics, history))
        if not whole or history[-1].get("epoch") != last["epoch"]:
            raise InputError("its history is not one object of numbers an epoch")
        if not 0 <= last["in_phase"] <= last["epoch"] or last["phase"] < 0:
            raise InputError("its phase is none")
        check_tensors(last["model"], path.stat().st_size)
    return last


def _load(path: Path) -> Any:
    try:
        return read_torch(path)
    except Exception as error:  # torch raises many kinds on a damaged file
        raise InputError(
            f"cannot be loaded: {said(error)}", file=path, remedy="take another checkpoint"
        ) from None


def check_keys(found: Any, wanted: dict[str, type]) -> None:
    """InputError unless `found` is an object of these names and types, and no others."""
    if not isinstance(found, dict) or found.keys() != wanted.keys():
        raise InputError(f"is not an object of {', '.join(wanted)}")
    for name, kind in wanted.items():
        flag = isinstance(found[name], bool)
        if not isinstance(found[name], kind) or flag != (kind is bool):
            raise InputError(f"its {name} is not of type {kind.__name__}")


def is_metrics(found: Any) -> bool:
    """Whether it is an object of numbers."""
    return isinstance(found, dict) and all(
        isinstance(name, str) and type(value) in (int, float) for name, value in found.items()
    )


def check_fit(weights: dict[str, Tensor], model: nn.Module) -> None:
    """InputError unless the weights are those of the model, entry by entry."""
    try:
        check_shapes(weights, model.state_dict())
    except InputError as error:
        raise InputError(f"{_OTHER}: {error.reason}") from None
