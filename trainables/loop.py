"""The one training loop, over the phases of a recipe: plain torch, with or without Ray."""

import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from lesions import InputError, Lesion
from lesions.seen import Seen
from trainables.advancing import VALIDATION_LOSS, advance
from trainables.checkpoint import take_best
from trainables.evaluate import measure, summarise
from trainables.kept import MOST_BYTES, Kept, Unread
from trainables.loader import Share, TrainingLoader
from trainables.parts import Parts, weights_of
from trainables.recipe import Phase, Recipe
from trainables.relabelling import relabel, relabelled
from trainables.resuming import Progress, Saved, read_saved, save_checkpoint, take_moments
from trainables.roles import Remembers, TakesParts
from trainables.steps import (
    Learner,
    learner,
    rank_and_world,
    share_buffers,
    train_epoch,
    validation_loss,
)
from trainables.system import How, System, Trained
from trainables.training import TrainingConfig

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
        phases: of the recipe, those that are run; None = all. `train` has the masks that the
            first of them is to learn from.
        begin: the checkpoint's folder of the phases before, where the first is not run.
        scratch: where phases put masks that they make anew; every worker sees it.
        parts: checkpoints' folders of the system's other parts, for phases that take them over.
        seen: what its checkpoints say that they were trained on; None where that is not known.
        start: a checkpoint's folder whose best weights the first network begins with.
    """

    system: System
    config: Any
    train: Sequence[Lesion]
    validation: Sequence[Lesion]
    directory: Path
    device: torch.device
    report: Report
    resume: Path | None = None
    phases: range | None = None
    begin: Path | None = None
    scratch: Path | None = None
    parts: Mapping[str, Path] = field(default_factory=dict)
    seen: Seen | None = None
    start: Path | None = None

    @property
    def training(self) -> TrainingConfig:
        """The loop's own settings."""
        training: TrainingConfig = self.config.training
        return training

    @property
    def recipe(self) -> Recipe:
        """Every phase, those that are not run too."""
        return self.system.recipe(self.config)


def fit(run: Run) -> Progress:
    """Train through the phases; the same seed gives the same curve, resumed or not (on a CPU).

    Raises:
        InputError: no training lesions, or a checkpoint that does not fit.
        FloatingPointError: the loss is not finite.
    """
    if not len(run.train):
        raise InputError(
            "there are no training lesions", remedy="take a set with patients in the split train"
        )
    return _Course(run).run_all()


class _Course:
    """A run on its way: the network, what learns in the phase in work, and how far it has come."""

    def __init__(self, run: Run) -> None:
        # Validated after every epoch, by the same lesions.
        judged = run.validation if run.system.chosen_by_human else Unread(run.validation)
        self.run = replace(run, validation=Kept(judged, MOST_BYTES // 4))
        self.recipe = run.recipe
        self.phases = run.phases or range(len(self.recipe))
        self.progress, self.lesions = Progress(phase=self.phases[0]), run.train
        self.own: Learner | None = None
        self.model: nn.Module | None = None
        self.loader: TrainingLoader | None = None
        self.held_out: TrainingLoader | None = None  # samples of the validation lesions

    def run_all(self) -> Progress:
        saved = None if self.run.resume is None else read_saved(self.run.resume)
        if saved is not None:
            self._go_on(saved)
        elif self.run.begin is not None:
            self._begin_after(read_saved(self.run.begin))
        else:
            self._enter(self.phases[0])
        while True:
            while not self._phase_ended():
                self._epoch()
            following = self.progress.phase + 1
            if following not in self.phases:
                return self.progress
            self._enter(following)

    @property
    def phase(self) -> Phase:
        return self.recipe[self.progress.phase]

    def _phase_ended(self) -> bool:
        return self.progress.ended or self.progress.in_phase >= self.phase.epochs

    def _go_on(self, saved: Saved) -> None:
        """Be where the checkpoint was."""
        self.progress = saved.progress(self.run.device)
        if self.progress.phase not in self.phases:
            raise InputError("is of another phase", file=saved.directory)
        self.model = self._network(pretrained=False)
        saved.restore_network(self.model)
        self.own = self._learner()
        saved.restore_optimizers(self.own)
        for number in range(self.phases[0] + 1, self.progress.phase + 1):
            if self.recipe[number].relabels:
                self.lesions = relabelled(self.lesions, self._masks(number))
        self.loader = self._loader(self.lesions)

    def _begin_after(self, saved: Saved) -> None:
        """Enter the first phase with the network that the checkpoint ended with."""
        self.progress = saved.progress(self.run.device)
        self.progress.history = []
        self.model = self._network(pretrained=False)
        saved.restore_network(self.model)
        self.own = self._learner()
        saved.restore_optimizers(self.own)
        self._enter(self.phases[0])

    def _enter(self, number: int) -> None:
        run, phase, progress = self.run, self.recipe[number], self.progress
        before, own = progress.best_model, self.own
        if phase.relabels and number > self.phases[0]:
            self.lesions = self._relabel(number, before)
            self.loader = None
        if self.model is None or number == 0 or phase.begins == "fresh":
            torch.manual_seed(run.training.seed)
            start = run.start if number == 0 else None
            self.model = self._network(pretrained=start is None)
            if start is not None:
                take_best(start, self.model)
        elif phase.begins == "best" and before:
            self.model.load_state_dict(before)
        for part in phase.takes:
            self._take(part)
        progress.enter(number, run.system.merit.worst)
        self.own = self._learner()
        if phase.goes_on and own is not None:
            for mine, theirs in zip(self.own.optimizers, own.optimizers, strict=True):
                take_moments(mine, theirs.state_dict()["state"])
        self.loader = self.loader or self._loader(self.lesions)

    def _network(self, *, pretrained: bool) -> nn.Module:
        model = self.run.system.model(self.run.config, pretrained=pretrained)
        return model.to(self.run.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def _learner(self) -> Learner:
        assert self.model is not None
        run = self.run
        return learner(run.system, run.config, self.phase, self.model, run.device)

    def _loader(self, lesions: Sequence[Lesion]) -> TrainingLoader:
        run = self.run
        return TrainingLoader(run.system, run.config, lesions, run.device)

    def _take(self, part: str) -> None:
        assert self.model is not None
        if not isinstance(self.run.system, TakesParts):
            raise InputError(f"{self.run.system.name} takes over no parts")
        weights = weights_of(self.run.parts, part)
        self.run.system.take(self.run.config, self.model, part, weights)

    def _masks(self, number: int) -> Path:
        if self.run.scratch is None:
            raise InputError("a phase makes masks anew, and no folder is named for them")
        return self.run.scratch / f"masks-{number}"

    def _relabel(self, number: int, best: Mapping[str, torch.Tensor]) -> Sequence[Lesion]:
        """The training lesions with the masks that the best model so far makes of them."""
        assert self.model is not None
        kept = deepcopy(dict(self.model.state_dict()))
        self.model.load_state_dict(best or kept)
        parts = parts_of(self.run, self.model.eval())
        lesions = relabel(parts, self.lesions, self._masks(number), *rank_and_world(), _barrier)
        self.model.load_state_dict(kept)
        return lesions

    def _epoch(self) -> None:
        assert self.own is not None
        assert self.loader is not None
        progress, started = self.progress, time.perf_counter()
        metrics = train_epoch(
            self.own, self.loader, progress.epoch, progress.in_phase, progress.plateau.drops
        )
        self._remember()
        share_buffers(self.own.model)
        metrics |= validate(self.run, self.own.model)
        if self.phase.watches == "loss" and len(self.run.validation):
            self.held_out = self.held_out or self._loader(self.run.validation)
            metrics[VALIDATION_LOSS] = validation_loss(self.own, self.held_out)
        metrics |= {
            "epoch": progress.epoch + 1.0,
            "phase": progress.phase + 1.0,
            "epoch_seconds": time.perf_counter() - started,
        }
        advance(progress, self.run.system, self.phase, metrics, self.own.model)
        last = self._phase_ended() and progress.phase == self.phases[-1]
        metrics["done"] = float(last)
        progress.history.append(dict(metrics))
        self.run.report(metrics, self._checkpoint())

    def _remember(self) -> None:
        """The first worker's network alone: the others get its buffers."""
        system = self.run.system
        if isinstance(system, Remembers) and rank_and_world()[0] == 0:
            assert self.own is not None
            assert self.loader is not None
            system.remember(self.run.config, self.own.model, self.loader.lesions, self.run.device)

    def _checkpoint(self) -> Path | None:
        assert self.own is not None
        due = self.progress.epoch % self.run.training.checkpoint_every == 0 or self._phase_ended()
        if not due or rank_and_world()[0] != 0:
            return None
        run = self.run
        save_checkpoint(run.directory, run.system, run.config, self.progress, self.own, run.seen)
        return run.directory


def parts_of(run: Run, model: nn.Module) -> Parts:
    """The network in training as what answers alone."""
    trained = Trained(config=run.config, model=model)
    return Parts(system=run.system, trained=(trained,), how=How(device=run.device))


def validate(run: Run, model: nn.Module) -> dict[str, float]:
    """`val_…` metrics over the validation lesions, shared out among the workers."""
    rank, world = rank_and_world()
    training = model.training
    rows = measure(parts_of(run, model.eval()), Share(run.validation, rank, world))
    model.train(training)
    if world > 1:
        gathered: list[Any] = [None] * world
        dist.all_gather_object(gathered, rows)
        rows = [row for part in gathered for row in part]
    return {f"val_{name}": value for name, value in summarise(run.system, rows).items()}


def _barrier() -> None:
    if dist.is_initialized():
        dist.barrier()
