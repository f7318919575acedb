"""What resumes a run exactly: the network, its optimisers, chance, and where in the recipe it is.

last.pt holds `epoch`, `phase`, `in_phase`, `ended`, `plateau`, `history`, `model`,
`optimizers`, `scaler`, `random`, `random_cuda`; see `Progress`.
"""

import json
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lesions.errors import InputError
from lesions.files import replace_with, write_text
from lesions.seen import Seen
from trainables.checkpoint import (
    BEST,
    LAST,
    RUN,
    TRAINED_ON,
    check_fit,
    is_metrics,
    read_best,
    read_last,
)
from trainables.configs import blaming, flatten
from trainables.optimisers import MOMENTS, Plateau
from trainables.steps import Learner
from trainables.stored import check_tensor, said
from trainables.system import System


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        epoch: epochs done of the whole recipe.
        phase: the phase in work, 0 = the first.
        in_phase: epochs done of it.
        ended: whether it is done.
        plateau: of the phase's validation figure.
        best_epoch: the phase's best epoch (1 = the recipe's first); 0 = none yet.
        best_value: the merit's value there.
        best_model: the weights of that epoch.
        history: one dict of metrics an epoch; those of this run's own phases.
    """

    epoch: int = 0
    phase: int = 0
    in_phase: int = 0
    ended: bool = False
    plateau: Plateau = field(default_factory=Plateau)
    best_epoch: int = 0
    best_value: float = 0.0
    best_model: dict[str, Tensor] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)

    def enter(self, phase: int, worst: float) -> None:
        """Be at the start of a phase: nothing of it is known, and `worst` is its best so far."""
        self.phase, self.in_phase, self.ended = phase, 0, False
        self.plateau = Plateau()
        self.best_epoch, self.best_value, self.best_model = 0, worst, {}


def save_checkpoint(
    directory: Path,
    system: System,
    config: Any,
    progress: Progress,
    learner: Learner,
    seen: Seen | None = None,
) -> None:
    """Write all three files; each whole or not at all."""
    run = {"system": system.name, "config": flatten(config)}
    run |= {} if seen is None else {TRAINED_ON: seen.said()}
    best = {
        "epoch": progress.best_epoch,
        "merit": system.merit.name,
        "value": progress.best_value,
        "model": progress.best_model,
    }
    last = {
        "epoch": progress.epoch,
        "phase": progress.phase,
        "in_phase": progress.in_phase,
        "ended": progress.ended,
        "plateau": asdict(progress.plateau),
        "history": progress.history,
        "model": learner.model.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in learner.optimizers],
        "scaler": learner.scaler.state_dict(),
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    write_text(directory / RUN, json.dumps(run))
    for name, content in ((BEST, best), (LAST, last)):
        with replace_with(directory / name) as file:
            torch.save(content, file)


@dataclass(frozen=True, kw_only=True)
class Saved:
    """A checkpoint that a run goes on from.

    Attributes:
        directory: its folder.
        last, best: what its files hold, checked as far as that needs no network.
    """

    directory: Path
    last: dict[str, Any]
    best: dict[str, Any]

    def progress(self, device: torch.device) -> Progress:
        """Where its run was; InputError where that is damaged."""
        last, best = self.last, self.best
        with blaming(self.directory / LAST):
            plateau = Plateau.restored(last["plateau"] or asdict(Plateau()))
        return Progress(
            epoch=last["epoch"],
            phase=last["phase"],
            in_phase=last["in_phase"],
            ended=last["ended"],
            plateau=plateau,
            best_epoch=best["epoch"],
            best_value=best["value"],
            best_model={
                name: tensor.to(device) for name, tensor in deepcopy(best["model"]).items()
            },
            history=last["history"],
        )

    def restore_network(self, model: nn.Module) -> None:
        """Put the last weights, and chance, back; both are checked first.

        Raises:
            InputError: it is damaged, or of another network.
        """
        last, best = self.last, self.best
        with blaming(self.directory / LAST):
            check_fit(last["model"], model)
            _check_random(last["random"], last["random_cuda"])
        with blaming(self.directory / BEST):
            check_fit(best["model"] or model.state_dict(), model)
        model.load_state_dict(last["model"])
        torch.set_rng_state(last["random"])
        if last["random_cuda"] and torch.cuda.device_count() == len(last["random_cuda"]):
            torch.cuda.set_rng_state_all(last["random_cuda"])

    def restore_optimizers(self, learner: Learner) -> None:
        """Put the optimisers' moments and the loss scale back; all are checked first.

        Raises:
            InputError: they are damaged, or another phase's.
        """
        found = self.last["optimizers"]
        with blaming(self.directory / LAST):
            if len(found) != len(learner.optimizers):
                raise InputError("it has other optimisers than the phase")
            for turn, state in enumerate(found):
                kind = learner.phase.objectives[turn].optimizer.kind
                check_moments(state, learner.optimizers[turn], MOMENTS[kind])
            _check_scaler(self.last["scaler"], learner.scaler)
        for optimizer, state in zip(learner.optimizers, found, strict=True):
            take_moments(optimizer, state["state"])
        learner.scaler.load_state_dict(self.last["scaler"])


def read_saved(directory: Path) -> Saved:
    """The checkpoint in a folder; InputError for none, or a damaged one."""
    return Saved(directory=directory, last=read_last(directory), best=read_best(directory))


def take_moments(optimizer: torch.optim.Optimizer, state: dict[int, dict[str, Any]]) -> None:
    """Go on with another's moments of the same parameters; its settings stay its own."""
    moments = {
        index: {name: _copied(value) for name, value in of.items()} for index, of in state.items()
    }
    optimizer.load_state_dict(optimizer.state_dict() | {"state": moments})


def _copied(value: Any) -> Any:
    """A copy: what was loaded only maps the file."""
    return value.clone() if isinstance(value, Tensor) else value


def check_moments(found: Any, optimizer: torch.optim.Optimizer, wanted: set[str]) -> None:
    """InputError unless this is a state with these moments of an optimiser's own parameters."""
    parameters = [one for group in optimizer.param_groups for one in group["params"]]
    state = found.get("state") if isinstance(found, dict) else None
    if not isinstance(state, dict):
        raise InputError("its optimizer has no state")
    for index, of in state.items():
        if type(index) is not int or not 0 <= index < len(parameters):
            raise InputError("its optimizer has other parameters than the network")
        if not isinstance(of, dict) or of.keys() != wanted:
            raise InputError(f"its optimizer's parameter {index} has not {sorted(wanted)}")
        for name, tensor in of.items():
            if tensor is None and name == "momentum_buffer":  # torch's, where there is no momentum
                continue
            shape = torch.Size() if name == "step" else parameters[index].shape
            if not isinstance(tensor, Tensor) or tensor.shape != shape:
                raise InputError(f"its optimizer's {name} of parameter {index} has another shape")
            check_tensor(f"its optimizer's {name} of parameter {index}", tensor)


def _check_scaler(found: dict[str, Any], scaler: torch.amp.GradScaler) -> None:
    own = scaler.state_dict()
    if own and (found.keys() != own.keys() or not is_metrics(found)):
        raise InputError("its loss scaler's state does not fit: it was saved without fp16")


def _check_random(cpu: Tensor, cuda: list[Any]) -> None:
    try:
        torch.Generator().set_state(cpu)
        if cuda and torch.cuda.device_count() == len(cuda):
            for state in cuda:
                torch.Generator("cuda").set_state(state)
    except (RuntimeError, TypeError) as error:
        raise InputError(f"its random state is none: {said(error)}") from None
