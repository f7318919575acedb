"""A plateau by hand: when the rate drops, and when the phase ends."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from lesions.errors import InputError
from lesions.metrics.merit import DICE, Merit
from tests.house.recipes import InPhases, a_run
from tests.house.toy import ToyConfig
from trainables.loop import fit
from trainables.optimisers import Plateau
from trainables.recipe import Objective, Optimizer, Phase, Recipe, Schedule

ERROR = Merit(name="long_axis_error", better="lower")


def drops(values: Sequence[float], merit: Merit = DICE, **settings: Any) -> list[int]:
    """How often the rate has dropped after each epoch, as far as the phase goes."""
    schedule = Schedule(kind="plateau", **{"patience": 2, "gain": 0.1, "drops": 2, **settings})
    plateau, found = Plateau(), []
    for value in values:
        ended = plateau.advance(value, schedule, merit)
        found.append(plateau.drops)
        if ended:
            break
    return found


def test_two_epochs_without_a_gain_of_a_tenth_are_a_plateau() -> None:
    #       best .50  .54 is no gain, and .549; then .56 is one (over .55), and .60 is none.
    values = [0.50, 0.54, 0.549, 0.56, 0.60, 0.61, 0.58, 0.59, 0.99]
    # Drops after epochs 3, 6 and 8: the third ends it, and .99 is never seen.
    assert drops(values) == [0, 0, 1, 1, 1, 2, 2, 3]


def test_a_smaller_error_is_the_gain() -> None:
    # 10 → 9.1 is no gain, 8.9 is one; 8.1 and 8.02 are none of it (over 8.01).
    assert drops([10, 9.1, 8.9, 8.1, 8.02], ERROR) == [0, 0, 0, 0, 1]


def test_a_gain_begins_the_wait_anew() -> None:
    assert drops([0.1, 0.1, 0.2, 0.2, 0.4, 0.4, 0.8]) == [0] * 7


def test_no_longer_than_so_many_epochs_at_a_rate() -> None:
    rising = [0.1 * 2**n for n in range(7)]
    assert drops(rising, longest=3) == [0, 0, 1, 1, 1, 2, 2]


def test_no_drop_at_all_ends_at_the_first_plateau() -> None:
    assert drops([0.5, 0.5, 0.5, 0.5], drops=0) == [0, 0, 1]


def test_an_epoch_without_a_value_is_one_without_a_gain() -> None:
    """And what comes after it may gain: NaN is nothing to be measured from."""
    nan = math.nan
    assert drops([nan, 0.2, 0.3, 0.4, nan, 0.41]) == [0, 0, 0, 0, 0, 1]


def test_it_is_restored_as_it_was() -> None:
    plateau = Plateau(best=0.5, waited=1, stayed=4, drops=1)
    assert Plateau.restored(asdict(plateau)) == plateau
    for wrong in ({"best": "0.5"}, {"waited": -1}, {"drops": 1.5}, {"more": 0}):
        with pytest.raises(InputError):
            Plateau.restored({**asdict(plateau), **wrong})


class Watching(InPhases):
    """One phase at a plateau of its own figure."""

    def recipe(self, config: ToyConfig) -> Recipe:
        objective = Objective(optimizer=Optimizer(learning_rate=0.02), weights={"second": 0.0})
        stable = Schedule(kind="plateau", patience=2, gain=0.001, drops=0)
        return [Phase(epochs=6, objectives=(objective,), schedule=stable)]


def test_without_validation_a_falling_loss_is_the_gain(tmp_path: Path) -> None:
    """Whichever way the figure of merit gets better."""
    system = Watching()
    system.merit = DICE  # type: ignore[misc]
    losses = [metrics["train_loss"] for metrics in
              fit(a_run(system, tmp_path, validation=[])).history]  # fmt: skip
    assert losses == sorted(losses, reverse=True)
    assert len(losses) == 6


class AtRest(InPhases):
    """Nothing is learned, so that the loss changes with what is drawn alone."""

    def recipe(self, config: ToyConfig) -> Recipe:
        objective = Objective(optimizer=Optimizer(learning_rate=1e-30), weights={"second": 0.0})
        stable = Schedule(kind="plateau", patience=2, gain=0.001, drops=0)
        return [Phase(epochs=6, objectives=(objective,), schedule=stable, watches="loss")]


def test_a_phase_may_watch_the_loss_of_the_validation_lesions(tmp_path: Path) -> None:
    """Of the same samples each epoch; whatever the figure of merit says."""
    history = fit(a_run(AtRest(), tmp_path)).history
    validated = [metrics["val_loss"] for metrics in history]
    assert validated == pytest.approx([validated[0]] * 3)
    assert len({metrics["train_loss"] for metrics in history}) == 3
    assert "val_long_axis_error" in history[0]
