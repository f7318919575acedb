"""One pass over the training samples: every objective lowered in turn, by its own optimiser."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from trainables.loader import TrainingLoader
from trainables.optimisers import only_learned_need_gradients, optimiser, rate_at
from trainables.recipe import Objective, Phase
from trainables.system import Batch, System
from trainables.training import TrainingConfig, autocast_dtype


@dataclass(frozen=True, kw_only=True, eq=False)
class Learner:
    """What learns in a phase.

    Attributes:
        phase: what it is told to do.
        model: the network.
        lowered: the network with its loss, as all workers share it.
        optimizers: one an objective.
        scaler: of the loss, under fp16.
        dtype: of the forward pass; None = float32.
        training: the settings.
        device: of the model.
    """

    phase: Phase
    model: nn.Module
    lowered: nn.Module
    optimizers: Sequence[torch.optim.Optimizer]
    scaler: torch.amp.GradScaler
    dtype: torch.dtype | None
    training: TrainingConfig
    device: torch.device


def learner(
    system: System, config: Any, phase: Phase, model: nn.Module, device: torch.device
) -> Learner:
    """A phase's, with new optimisers."""
    only_learned_need_gradients(model, phase)
    dtype = autocast_dtype(config.training.precision, device)
    return Learner(
        phase=phase,
        model=model,
        lowered=_shared(_Lowered(system, config, phase, model), phase, device),
        optimizers=[optimiser(model, objective) for objective in phase.objectives],
        scaler=torch.amp.GradScaler(device.type, enabled=dtype is torch.float16),
        dtype=dtype,
        training=config.training,
        device=device,
    )


def train_epoch(
    own: Learner, loader: TrainingLoader, epoch: int, in_phase: int, drops: int
) -> dict[str, float]:
    """One pass over the training samples.

    Args:
        own: what learns.
        loader: of the samples.
        epoch: of the recipe, 0 = the first: says which samples are drawn.
        in_phase: of the phase: says the learning rates, with the `drops` of its plateaus.

    Returns:
        The mean loss and its terms, the learning rates, and images/s.

    Raises:
        FloatingPointError: the loss is not finite.
    """
    rates = set_rates(own, in_phase, drops)
    own.model.train()
    sums: dict[str, Tensor] = {}
    images, started = 0, time.perf_counter()
    for batch in loader.epoch(epoch):
        size = len(next(iter(batch.values())))
        images += size
        for name, value in _step(own, batch).items():
            sums[name] = sums.get(name, torch.zeros((), device=own.device)) + value.float() * size
    means = {name: (all_sum(value) / all_sum(images)).item() for name, value in sums.items()}
    if not all(value - value == 0 for value in means.values()):
        raise FloatingPointError(f"the loss is not finite in epoch {epoch + 1}: {means}")
    seconds = time.perf_counter() - started
    return means | rates | {"images_per_second": float(all_sum(images)) / seconds}


@torch.no_grad()
def validation_loss(own: Learner, loader: TrainingLoader) -> float:
    """The mean loss over samples of the validation lesions, the same draws at every call.

    As in training, but that nothing learns and BatchNorm has its running statistics.
    """
    training = own.model.training
    own.model.eval()
    total, count = torch.zeros((), device=own.device), 0
    for batch in loader.epoch(0):
        size = len(next(iter(batch.values())))
        count += size
        for turn in range(len(own.phase.objectives)):
            with torch.autocast(own.device.type, dtype=own.dtype, enabled=own.dtype is not None):
                loss, _ = own.lowered(batch, turn)
            total += loss.float() * size
    own.model.train(training)
    return (all_sum(total) / all_sum(count)).item()


def set_rates(own: Learner, in_phase: int, drops: int) -> dict[str, float]:
    """Give every optimiser its learning rate of an epoch; the rates by their names in curves."""
    phase, rates = own.phase, {}
    for objective, optimizer in zip(phase.objectives, own.optimizers, strict=True):
        base = objective.optimizer.learning_rate
        rate = rate_at(base, phase.schedule, in_phase, phase.epochs, drops)
        for group in optimizer.param_groups:
            group["lr"] = rate
        rates[_named(phase, objective, "learning_rate")] = rate
    return rates


def _step(own: Learner, batch: Batch) -> dict[str, Tensor]:
    """Lower every objective once; their losses together, and the terms, detached."""
    total: Tensor | None = None
    parts: dict[str, Tensor] = {}
    several = len(own.phase.objectives) > 1
    for turn, objective in enumerate(own.phase.objectives):
        with torch.autocast(own.device.type, dtype=own.dtype, enabled=own.dtype is not None):
            loss, terms = own.lowered(batch, turn)
        _optimise(own, turn, loss)
        detached = loss.detach()
        total = detached if total is None else total + detached
        parts |= {_named(own.phase, objective, name): term for name, term in terms.items()}
        if several:
            parts[f"{objective.name}_loss"] = detached
    assert total is not None
    return {"train_loss": total, **parts}


def _named(phase: Phase, objective: Objective, name: str) -> str:
    return name if len(phase.objectives) == 1 else f"{objective.name}_{name}"


def _optimise(own: Learner, turn: int, loss: Tensor) -> None:
    optimizer, scaler = own.optimizers[turn], own.scaler
    for each in own.optimizers:  # one objective's gradients reach the others' parameters too
        each.zero_grad(set_to_none=True)
    scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    if own.training.clip_norm > 0:
        scaler.unscale_(optimizer)
        mine = [p for group in optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(mine, own.training.clip_norm)
    scaler.step(optimizer)
    scaler.update()


class _Lowered(nn.Module):
    """Batch in, loss out: so that DistributedDataParallel sees one forward pass."""

    def __init__(self, system: System, config: Any, phase: Phase, network: nn.Module) -> None:
        super().__init__()
        self.system, self.config, self.phase, self.network = system, config, phase, network

    def forward(self, batch: Batch, turn: int) -> tuple[Tensor, dict[str, Tensor]]:
        objective = self.phase.objectives[turn]
        terms = self.system.terms(self.config, self.network, batch, objective)
        return weighted(terms, objective), {name: term.detach() for name, term in terms.items()}


def weighted(terms: Any, objective: Objective) -> Tensor:
    """The terms of a loss summed, each times its weight."""
    loss: Tensor | None = None
    for name, term in terms.items():
        weight = objective.weights.get(name, 1.0)
        part = term if weight == 1 else weight * term
        loss = part if loss is None else loss + part
    assert loss is not None, "a system has no terms"
    return loss


def _shared(lowered: nn.Module, phase: Phase, device: torch.device) -> nn.Module:
    if not dist.is_initialized():
        return lowered
    return nn.parallel.DistributedDataParallel(
        lowered,
        device_ids=[device] if device.type == "cuda" else None,
        # An objective in turn may leave out what another learns.
        find_unused_parameters=len(phase.objectives) > 1,
    )


def share_buffers(model: nn.Module) -> None:
    """Every worker validates the first one's model: BatchNorm's statistics drift apart."""
    if dist.is_initialized():
        for buffer in model.buffers():
            dist.broadcast(buffer, src=0)


def rank_and_world() -> tuple[int, int]:
    """This worker's place, and how many there are."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def all_sum(value: Tensor | int) -> Tensor:
    """The sum over all workers."""
    total = torch.as_tensor(value, dtype=torch.float64 if isinstance(value, int) else None)
    if dist.is_initialized():
        total = total.to("cuda" if dist.get_backend() == "nccl" else "cpu")
        dist.all_reduce(total)
    return total
