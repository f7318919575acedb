"""A training loop as one writes it first, and the house's, over the same batches."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lesions import Lesion
from lesions.masks import pseudo_mask
from lesions.readers.deeplesion import Rejected, read_lesion, read_table
from lesions.readers.png import encode_labels
from lesions.sample import ROOT as SAMPLE
from trainables.loader import TrainingLoader
from trainables.steps import Learner, learner, train_epoch
from trainables.system import Batch, System

FEW_BATCHES = 4  # kept on the device, and taken in turn


def changed(config: Any, fields: Mapping[str, Any]) -> Any:
    """`configs.edited` without its checks, which want pydantic: fields by their dotted names."""
    for name, value in fields.items():
        head, _, rest = name.partition(".")
        inner = changed(getattr(config, head), {rest: value}) if rest else value
        config = replace(config, **{head: inner})
    return config


def sample_lesions(count: int, mask: str) -> list[Lesion]:
    """Training lesions of the shipped sample with their pseudo mask; no set is made.

    They are from all over its table: neighbours there are of one patient.
    """
    found: list[Lesion] = []
    rows = read_table(SAMPLE)
    apart = max(1, len(rows) // (2 * count))
    for row in (row for first in range(apart) for row in rows[first::apart]):
        lesion = read_lesion(row, SAMPLE)
        if isinstance(lesion, Rejected) or lesion.split != "train":
            continue
        made = pseudo_mask(mask, lesion.slice_hu, lesion.recist, lesion.window)
        masks = {**lesion.masks, mask: encode_labels(made)}
        kind = np.eye(256, dtype=np.float32)[len(found) % 2]  # every second looks alike
        found.append(replace(lesion, masks=masks, embedding=kind))
        if len(found) == count:
            break
    return found


class Kept:
    """Batches that are there already, as the loop asks for them."""

    def __init__(self, batches: Sequence[Batch], steps: int) -> None:
        self.batches, self.steps = batches, steps

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches in turn, `steps` in all."""
        for step in range(self.steps):
            yield self.batches[step % len(self.batches)]


def kept_batches(
    system: System, config: Any, lesions: Sequence[Lesion], device: torch.device
) -> list[Batch]:
    """The first whole batches of an epoch."""
    size = config.training.batch_size
    enough = [lesions[n % len(lesions)] for n in range(size * FEW_BATCHES)]
    return list(TrainingLoader(system, config, enough, device).epoch(0))


def a_learner(
    system: System, config: Any, device: torch.device, *, order: torch.memory_format
) -> Learner:
    """The first phase's, its weights fixed by the seed."""
    torch.manual_seed(config.training.seed)
    model = system.model(config, pretrained=False)
    model = model.to(device, memory_format=order)  # type: ignore[call-overload]
    return learner(system, config, system.recipe(config)[0], model, device)


def house(own: Learner, batches: Sequence[Batch], steps: int) -> Callable[[], object]:
    """An epoch of `steps` steps of the house's loop."""
    kept = Kept(batches, steps)
    return lambda: train_epoch(own, kept, epoch=0, in_phase=0, drops=0)  # type: ignore[arg-type]


def in_turn(batches: Sequence[Batch], steps: int) -> Callable[[], Iterator[Batch]]:
    """What `Kept` has in an epoch, for `plain`."""
    return lambda: Kept(batches, steps).epoch(0)


def plain(
    system: System, config: Any, model: nn.Module, batches: Callable[[], Iterable[Batch]]
) -> Callable[[], object]:
    """An epoch in plain torch: fp32, the house's optimisers, weights and clipping."""
    phase = system.recipe(config)[0]
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
    optimizers = []
    for objective in phase.objectives:
        mine = [p for name, p in model.named_parameters() if name.startswith(objective.learns)]
        settings = objective.optimizer
        options: dict[str, Any] = {"lr": settings.learning_rate, "fused": True}
        if settings.kind == "sgd":
            options["momentum"] = settings.momentum
        optimizers.append(kinds[settings.kind](mine, weight_decay=settings.weight_decay, **options))

    def epoch() -> float:
        model.train()
        total = 0.0
        for batch in batches():
            for objective, optimizer in zip(phase.objectives, optimizers, strict=True):
                terms = system.terms(config, model, batch, objective)
                loss = _weighted(terms, objective.weights)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                if config.training.clip_norm > 0:
                    params = optimizer.param_groups[0]["params"]
                    nn.utils.clip_grad_norm_(params, config.training.clip_norm)
                optimizer.step()
                total += loss.item()
        return total

    return epoch


def _weighted(terms: Any, weights: Any) -> Tensor:
    return torch.stack([weights.get(name, 1.0) * term for name, term in terms.items()]).sum()


def spent(call: Callable[[], object], device: torch.device) -> float:
    """Seconds of one call, the device's own work included."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started
