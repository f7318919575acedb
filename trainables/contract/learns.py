"""How a system learns: steps that lower its loss, and a curve that no kill changes."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from trainables.recipe import Phase
from trainables.registry import named_system, word_of
from trainables.steps import weighted

STEPS = 6  # on one batch
EPOCHS, KILLED = 3, 1
CLOCK = ("epoch_seconds", "images_per_second")
Curve = list[dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class Descent:
    """What some steps on one batch did.

    Attributes:
        losses: before each step, and after the last.
        moved: the names of the parameters that had a gradient other than zero.
    """

    losses: Sequence[float]
    moved: set[str]


class Learns(Asked):
    """The part of the contract that trains, for a moment."""

    def test_steps_on_one_batch_lower_every_objective(self) -> None:
        """Of each phase, from new weights."""
        for config in self.configs():
            for phase in self.system.recipe(config):
                for turn, objective in enumerate(phase.objectives):
                    losses = self._descent(config, phase, turn).losses
                    assert np.isfinite(losses).all()
                    assert losses[-1] < losses[0], f"{phase.name} {objective.name}: {losses}"

    def test_every_parameter_learns_in_some_phase(self) -> None:
        """None is left out by all objectives, and none has a gradient of zero throughout."""
        for config in self.configs():
            moved: set[str] = set()
            for phase in self.system.recipe(config):
                for turn in range(len(phase.objectives)):
                    moved |= self._descent(config, phase, turn).moved
            assert self._parameters(config) - moved == set()

    def test_every_variant_learns(self) -> None:
        """Each of its recipe's objectives, and by all of its parameters."""
        for variant in self.system.variants().values():
            for config in map(variant, self.configs()):
                moved: set[str] = set()
                for phase in self.system.recipe(config):
                    for turn in range(len(phase.objectives)):
                        found = self._descent(config, phase, turn)
                        assert found.losses[-1] < found.losses[0]
                        moved |= found.moved
                assert self._parameters(config) - moved == set()

    def test_a_killed_run_goes_on_to_the_bit(self) -> None:
        """The curve, and what the network then answers."""
        trained: dict[str, Path] = {}
        with tempfile.TemporaryDirectory() as folder:
            for number, config in enumerate(self.configs()):
                run = self._run(config, Path(folder) / str(number), trained)
                whole = curve_of(run, EPOCHS)
                killed = replace(run, directory=run.directory / "killed")
                curve = curve_of(killed, KILLED)
                curve += curve_of(replace(killed, resume=killed.directory), EPOCHS)
                assert curve == whole
                merit = self.system.merit
                assert [{merit.validated, merit.best} - set(epoch) for epoch in whole] == [
                    set() for _ in whole
                ]
                self._same_answers(run.directory, killed.directory)
                trained[self.system.part(config)] = run.directory

    def _parameters(self, config: Any) -> set[str]:
        model = self.system.model(config, pretrained=False)
        return {name for name, _ in model.named_parameters()}

    def _descent(self, config: Any, phase: Phase, turn: int) -> Descent:
        """Steps of an objective on one batch, as a plain loop makes them."""
        objective = phase.objectives[turn]
        torch.manual_seed(0)
        model = self.system.model(config, pretrained=False).train()
        batch = next(TrainingLoader(self.system, config, self.lesions(4), CPU).epoch(0))
        optimizer = torch.optim.Adam(learned(model, objective), lr=2e-3)
        losses, moved = [], set()
        for step in range(STEPS + 1):
            torch.manual_seed(1)  # dropout is the same in every step
            loss = weighted(self.system.terms(config, model, batch, objective), objective)
            losses.append(loss.item())
            if step < STEPS:
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                moved |= moving(model, objective.learns)
                optimizer.step()
        return Descent(losses=losses, moved=moved)

    def _run(self, config: Any, directory: Path, trained: Mapping[str, Path]) -> Run:
        lesions = self.lesions(6)
        settings = {"epochs": EPOCHS, "checkpoint_every": 1, "warmup": 0, "precision": "fp32"}
        changes = {f"training.{name}": value for name, value in settings.items()}
        return Run(
            system=self.system, config=edited(config, changes), train=lesions[:4],
            validation=lesions[4:], directory=directory, device=CPU, report=lambda *_: None,
            scratch=directory / "scratch", parts=trained,
        )  # fmt: skip

    def _same_answers(self, *folders: Path) -> None:
        lesions = self.lesions(3)
        named_system(word_of(self.system))  # by which a checkpoint's own name is known
        answers = []
        for folder in folders:
            parts = load_parts([folder], CPU)
            answers.append(list(parts.predict(case_of(each, parts.telling) for each in lesions)))
        for one, other in zip(*answers, strict=True):
            assert differences(one, other) == []


def moving(model: torch.nn.Module, learns: tuple[str, ...]) -> set[str]:
    """The names of the parameters that are learned and have a gradient other than zero."""
    return {
        name
        for name, parameter in model.named_parameters()
        if name.startswith(learns) and parameter.grad is not None and parameter.grad.any()
    }


def curve_of(run: Run, until: int) -> Curve:
    """A run's metrics without what the clock says; the run is ended after the epoch `until`."""
    seen: Curve = []

    def report(metrics: dict[str, float], checkpoint: Path | None) -> None:
        seen.append({name: value for name, value in metrics.items() if name not in CLOCK})
        if metrics["epoch"] >= until:
            raise SystemExit

    try:
        fit(replace(run, report=report))
    except SystemExit:
        assert len(seen), "nothing was trained"
    return seen
