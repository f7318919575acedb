"""The one training loop: plain torch, with or without Ray, on one device or many."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from lesions import InputError, Lesion
from trainables.checkpoint import Progress, restore_checkpoint, save_checkpoint
from trainables.evaluate import measure, summarise
from trainables.loader import Share, TrainingLoader
from trainables.system import System
from trainables.training import TrainingConfig, autocast_dtype, learning_rate

Report = Callable[[dict[str, float], Path | None], None]


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training run.

    Attributes:
        system, config: what is trained, and how.
        train, validation: the lesions; one split each.
        directory: where checkpoints go.
        device: where the model lives.
        report: called once an epoch by every worker, with the metrics and, when one was written,
            the checkpoint's folder. It may end the run by raising SystemExit.
        resume: a checkpoint's folder to go on from.
    """

    system: System
    config: Any
    train: Sequence[Lesion]
    validation: Sequence[Lesion]
    directory: Path
    device: torch.device
    report: Report
    resume: Path | None = None

    @property
    def training(self) -> TrainingConfig:
        """The loop's own settings."""
        training: TrainingConfig = self.config.training
        return training


def fit(run: Run) -> Progress:
    """Train to the last epoch; the same seed gives the same curve, resumed or not (on a CPU).

    Raises:
        InputError: no training lesions.
        FloatingPointError: the loss is not finite.
    """
    if not len(run.train):
        raise InputError(
            "there are no training lesions", remedy="take a set with patients in the split train"
        )
    torch.manual_seed(run.training.seed)
    model = run.system.model(run.config, pretrained=run.resume is None)
    model = model.to(run.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(model.parameters(), lr=run.training.learning_rate, fused=True)
    dtype = autocast_dtype(run.training.precision, run.device)
    scaler = torch.amp.GradScaler(run.device.type, enabled=dtype is torch.float16)
    progress = Progress()
    if run.resume is not None:
        progress = restore_checkpoint(run.resume, model, optimizer, scaler, run.device)
    loader = TrainingLoader(run.system, run.config, run.train, run.device)
    step = Step(
        run=run, model=_loss_module(run, model), optimizer=optimizer, scaler=scaler, loader=loader
    )
    for epoch in range(progress.epoch, run.training.epochs):
        started = time.perf_counter()
        metrics = train_epoch(step, epoch, dtype)
        _share_buffers(model)
        metrics |= validate(run, model)
        metrics |= {"epoch": epoch + 1.0, "epoch_seconds": time.perf_counter() - started}
        _advance(progress, metrics, model)
        run.report(metrics, _checkpoint(step, progress, model))
    return progress


@dataclass(frozen=True, kw_only=True)
class Step:
    """What an optimisation step needs."""

    run: Run
    model: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    loader: TrainingLoader


def train_epoch(step: Step, epoch: int, dtype: torch.dtype | None) -> dict[str, float]:
    """One pass over the training lesions; the mean loss and its parts, and images/s."""
    run = step.run
    rate = learning_rate(run.training, epoch)
    for group in step.optimizer.param_groups:
        group["lr"] = rate
    step.model.train()
    sums: dict[str, Tensor] = {}
    images, started = 0, time.perf_counter()
    for batch in step.loader.epoch(epoch):
        with torch.autocast(run.device.type, dtype=dtype, enabled=dtype is not None):
            loss, parts = step.model(batch)
        _optimise(step, loss)
        size = len(next(iter(batch.values())))
        images += size
        for name, value in {"train_loss": loss.detach(), **parts}.items():
            sums[name] = sums.get(name, torch.zeros((), device=run.device)) + value.float() * size
    means = {name: (_all_sum(value) / _all_sum(images)).item() for name, value in sums.items()}
    if not all(map(_is_finite, means.values())):
        raise FloatingPointError(f"the loss is not finite in epoch {epoch + 1}: {means}")
    seconds = time.perf_counter() - started
    return means | {"learning_rate": rate, "images_per_second": float(_all_sum(images)) / seconds}


def validate(run: Run, model: nn.Module) -> dict[str, float]:
    """`val_…` metrics over the validation lesions, shared out among the workers."""
    rank, world = _rank_and_world()
    mine = Share(run.validation, rank, world)
    rows = measure(run.system, run.config, model, mine, run.device)
    if world > 1:
        gathered: list[Any] = [None] * world
        dist.all_gather_object(gathered, rows)
        rows = [row for part in gathered for row in part]
    return {f"val_{name}": value for name, value in summarise(rows).items()}


def _optimise(step: Step, loss: Tensor) -> None:
    step.optimizer.zero_grad(set_to_none=True)
    step.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    if step.run.training.clip_norm > 0:
        step.scaler.unscale_(step.optimizer)
        nn.utils.clip_grad_norm_(step.model.parameters(), step.run.training.clip_norm)
    step.scaler.step(step.optimizer)
    step.scaler.update()


class _Loss(nn.Module):
    """Batch in, loss out: so that DistributedDataParallel sees one forward pass."""

    def __init__(self, run: Run, network: nn.Module) -> None:
        super().__init__()
        self.run, self.network = run, network

    def forward(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        return self.run.system.loss(self.run.config, self.network, batch)


def _loss_module(run: Run, model: nn.Module) -> nn.Module:
    if not dist.is_initialized():
        return _Loss(run, model)
    devices = [run.device] if run.device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(_Loss(run, model), device_ids=devices)


def _share_buffers(model: nn.Module) -> None:
    """Every worker validates the first one's model: BatchNorm's statistics drift apart."""
    if dist.is_initialized():
        for buffer in model.buffers():
            dist.broadcast(buffer, src=0)


def _advance(progress: Progress, metrics: dict[str, float], model: nn.Module) -> None:
    progress.epoch = int(metrics["epoch"])
    # Without validation lesions the last epoch counts as the best.
    dice = metrics.get("val_dice", 0.0)
    if dice >= progress.best_dice:
        progress.best_dice, progress.best_epoch = dice, progress.epoch
        progress.best_model = {k: v.detach().clone() for k, v in model.state_dict().items()}
    metrics["best_val_dice"] = progress.best_dice
    progress.history.append(dict(metrics))


def _checkpoint(step: Step, progress: Progress, model: nn.Module) -> Path | None:
    training = step.run.training
    due = progress.epoch % training.checkpoint_every == 0 or progress.epoch == training.epochs
    if not due or _rank_and_world()[0] != 0:
        return None
    directory = step.run.directory
    save_checkpoint(
        directory, step.run.system, step.run.config, progress, model, step.optimizer, step.scaler
    )
    return directory


def _rank_and_world() -> tuple[int, int]:
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def _all_sum(value: Tensor | int) -> Tensor:
    total = torch.as_tensor(value, dtype=torch.float64 if isinstance(value, int) else None)
    if dist.is_initialized():
        total = total.to("cuda" if dist.get_backend() == "nccl" else "cpu")
        dist.all_reduce(total)
    return total


def _is_finite(value: float) -> bool:
    return value - value == 0
