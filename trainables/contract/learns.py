"""How a system learns: steps that lower its loss, and a curve that no kill changes."""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lesions.prompts import case_of
from trainables.configs import edited
from trainables.contract.answers import differences
from trainables.contract.asked import CPU, Asked
from trainables.loader import TrainingLoader
from trainables.loop import Run, fit
from trainables.optimisers import learned
from trainables.parts import load_parts
from trainables.recipe import Objective, Recipe
from trainables.registry import named_system, word_of
from trainables.steps import weighted
from trainables.system import System

STEPS, FIRST_STEPS = 6, 3  # on one batch; weights that begin at zero hide others for a step
EPOCHS = 3
CLOCK = ("epoch_seconds", "images_per_second")
Metrics = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Descent:
    """What some steps on one batch did.

    Attributes:
        losses: before each step, and after the last.
        moved: the names of the parameters that had a gradient other than zero.
        unmoved: the names of the others.
    """

    losses: Sequence[float]
    moved: set[str]
    unmoved: set[str]


class Learns(Asked):
    """The part of the contract that trains, for a moment."""

    def test_steps_on_one_batch_lower_every_objective(self) -> None:
        """Of each phase, from new weights."""
        for config in self.configs():
            for objective in objectives_of(self.system.recipe(config)):
                losses = self._descent(config, objective).losses
                assert np.isfinite(losses).all()
                assert losses[-1] < losses[0], f"{objective.name}: {losses}"

    def test_every_parameter_learns_in_some_phase(self) -> None:
        """None is left out by all objectives, and none has a gradient of zero throughout."""
        for config in self.configs():
            assert self._unmoved(config) == set()

    def test_every_variant_learns(self) -> None:
        """By all of its parameters."""
        for variant in self.system.variants().values():
            for config in map(variant, self.configs()):
                assert self._unmoved(config) == set()

    def test_a_killed_run_goes_on_to_the_bit(self) -> None:
        """At the end of each phase, or within the only one: the curve, and what it then answers."""
        trained: dict[str, Path] = {}
        system = shortened(self.system)
        named_system(word_of(self.system))  # by which a checkpoint's own name is known
        with tempfile.TemporaryDirectory() as folder:
            for number, config in enumerate(self.configs()):
                run = self._run(system, config, Path(folder) / str(number), trained)
                whole = curve_of(run)
                killed = replace(run, directory=run.directory / "killed")
                curve, resume = list[Metrics](), None
                for until in [*ends_of(whole), None]:
                    curve += curve_of(replace(killed, resume=resume), until)
                    resume = killed.directory
                assert curve == whole
                merit = self.system.merit
                assert all({merit.validated, merit.best} <= set(epoch) for epoch in whole)
                self._same_answers(run.directory, killed.directory)
                trained[self.system.part(config)] = run.directory

    def _unmoved(self, config: Any) -> set[str]:
        """The names of the parameters that no objective gives a gradient."""
        first, *others = objectives_of(self.system.recipe(config))
        names = self._descent(config, first, FIRST_STEPS, until_moved=True).unmoved
        for objective in others:
            if names:  # most systems' first objective moves all
                names -= self._descent(config, objective, FIRST_STEPS).moved
        return names

    def _descent(
        self, config: Any, objective: Objective, steps: int = STEPS, until_moved: bool = False
    ) -> Descent:
        """Steps of an objective on one batch, as a plain loop makes them.

        Args:
            config: the system's.
            objective: what is lowered.
            steps: how many.
            until_moved: end where every parameter has moved.
        """
        torch.manual_seed(0)
        model = self.system.model(config, pretrained=False).train()
        batch = next(TrainingLoader(self.system, config, self.lesions(4), CPU).epoch(0))
        optimizer = torch.optim.Adam(learned(model, objective), lr=2e-3)
        losses, moved = list[float](), set[str]()
        # What is frozen from the start is another network's, made before.
        names = {name for name, one in model.named_parameters() if one.requires_grad}
        for step in range(steps + 1):
            torch.manual_seed(1)  # dropout is the same in every step
            loss = weighted(self.system.terms(config, model, batch, objective), objective)
            losses.append(loss.item())
            if step < steps:
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                moved |= moving(model, objective.learns)
                if until_moved and moved >= names:
                    break
                optimizer.step()
        return Descent(losses=losses, moved=moved, unmoved=names - moved)

    def _run(
        self, system: System, config: Any, directory: Path, trained: Mapping[str, Path]
    ) -> Run:
        lesions = self.lesions(6)
        settings = {"epochs": EPOCHS, "checkpoint_every": 1, "warmup": 0, "precision": "fp32"}
        changes = {f"training.{name}": value for name, value in settings.items()}
        return Run(
            system=system, config=edited(config, changes), train=lesions[:4],
            validation=lesions[4:], directory=directory, device=CPU, report=lambda *_: None,
            scratch=directory / "scratch", parts=trained,
        )  # fmt: skip

    def _same_answers(self, *folders: Path) -> None:
        lesions = self.lesions(3)
        answers = []
        for folder in folders:
            parts = load_parts([folder], CPU)
            answers.append(list(parts.predict(case_of(each, parts.telling) for each in lesions)))
        for one, other in zip(*answers, strict=True):
            assert differences(one, other) == []


def objectives_of(recipe: Recipe) -> list[Objective]:
    """Those of all phases, each once."""
    found: list[Objective] = []
    for phase in recipe:
        found += [objective for objective in phase.objectives if objective not in found]
    return found


def moving(model: torch.nn.Module, learns: tuple[str, ...]) -> set[str]:
    """The names of the parameters that are learned and have a gradient other than zero."""
    return {
        name
        for name, parameter in model.named_parameters()
        if name.startswith(learns) and parameter.grad is not None and parameter.grad.any()
    }


def shortened(system: System) -> System:
    """The system with EPOCHS in all, shared out among the phases, and one a phase at least."""

    class Short(type(system)):  # type: ignore[misc]
        def recipe(self, config: Any) -> Recipe:
            phases: Recipe = super().recipe(config)
            each = max(1, EPOCHS // len(phases))
            return [replace(phase, epochs=min(each, phase.epochs)) for phase in phases]

    short: System = Short()
    return short


def ends_of(whole: Sequence[Metrics]) -> list[int]:
    """The last epoch of each phase but the last; of one phase alone, its first epoch."""
    ends = [
        int(one["epoch"])
        for one, following in pairwise(whole)
        if one["phase"] != following["phase"]
    ]
    return ends or [1]


def curve_of(run: Run, until: int | None = None) -> list[Metrics]:
    """A run's metrics without what the clock says; it may be ended after the epoch `until`."""
    seen: list[Metrics] = []

    def report(metrics: dict[str, float], checkpoint: Path | None) -> None:
        seen.append({name: value for name, value in metrics.items() if name not in CLOCK})
        if metrics["epoch"] == until:
            raise SystemExit

    with suppress(SystemExit):
        fit(replace(run, report=report))
    return seen
