"""Recipes: what phases, and objectives in turn, do to weights, rates and curves."""

from dataclasses import replace
from math import cos, pi
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from lesions.metrics import segmentation
from lesions.prompts import case_of
from tests.house.recipes import TRAIN, InPhases, InTurn, a_run, config_of
from tests.house.whole import Weights, Whole, changed, same, stored
from tests.trainables.runs import curve
from trainables.checkpoint import LAST
from trainables.loop import fit
from trainables.parts import Parts
from trainables.relabelling import relabelled
from trainables.system import How, Trained

PHASE_OF = {"in_phases": [1] * 4 + [2] * 3 + [3] * 2, "in_turn": [1] * 3 + [2] * 2}  # each epoch's
HEAD = ("4.weight", "4.bias")


def test_the_curve_says_phase_and_end(whole: tuple[str, Whole]) -> None:
    name, unhurt = whole
    wanted = PHASE_OF[name]
    assert [metrics["phase"] for metrics in unhurt.history] == wanted
    assert [metrics["epoch"] for metrics in unhurt.history] == list(range(1, len(wanted) + 1))
    assert [metrics["done"] for metrics in unhurt.history] == [0.0] * (len(wanted) - 1) + [1.0]


def test_rates_of_every_epoch(phases: Whole) -> None:
    """Steps after a warm-up; a plateau of two epochs, twice; half a cosine."""
    steps = [0.02, 0.02, 0.002, 0.0002]
    plateau = [0.05, 0.05, 0.025]
    cosine = [0.01, 0.01 * 0.5 * (1 + cos(pi / 2))]
    found = [metrics["learning_rate"] for metrics in phases.history]
    assert found == pytest.approx([*steps, *plateau, *cosine])


def test_rates_of_objectives_in_turn(turns: Whole) -> None:
    for metrics in turns.history:
        assert metrics["critic_learning_rate"] == 0.05
        assert metrics["maker_learning_rate"] == 0.01


def test_the_weights_of_the_terms_act(phases: Whole) -> None:
    """The loss is the terms' sum, each times its phase's weight; one of 0 adds nothing."""
    weights = {
        1: {"iou": 1.0, "mse": 0.5, "second": 0.0},
        2: {"iou": 0.25, "mse": 2.0, "second": 0.0},
        3: {"iou": 1.0, "mse": 1.0, "second": 0.5},
    }
    for metrics in phases.history:
        terms = weights[int(metrics["phase"])]
        loss = sum(weight * metrics[name] for name, weight in terms.items())
        assert metrics["train_loss"] == pytest.approx(loss, rel=1e-5)


def test_the_weights_of_objectives_in_turn_act(turns: Whole) -> None:
    for metrics in turns.history:
        bold = 0.1 if metrics["phase"] == 1 else 0.5
        critic = metrics["critic_real"] + metrics["critic_made"]
        maker = metrics["maker_iou"] + bold * metrics["maker_fooled"]
        assert metrics["critic_loss"] == pytest.approx(critic, rel=1e-5)
        assert metrics["maker_loss"] == pytest.approx(maker, rel=1e-5)
        assert metrics["train_loss"] == pytest.approx(critic + maker, rel=1e-5)


def test_what_a_phase_does_not_learn_stays(phases: Whole) -> None:
    """To the bit; and all else moves."""
    everything = set(phases.ended[0])
    assert changed(phases.began[0], phases.ended[3]) == everything
    assert changed(phases.ended[3], phases.ended[6]) == set(HEAD)
    assert changed(phases.began[7], phases.ended[8]) == everything


def test_an_objective_changes_its_own_parameters_alone(turns: Whole, tmp_path: Path) -> None:
    """At the second objective's turn the first's parameters have moved, and no others."""
    seen: list[Weights] = []

    def hear(place: str, model: nn.Module | None) -> None:
        assert model is not None
        seen.append({k: v.detach().clone() for k, v in model.state_dict().items()})
        if len(seen) == 3:
            raise SystemExit

    system = InTurn()
    system.hear = hear  # type: ignore[method-assign]
    with pytest.raises(SystemExit):
        fit(a_run(system, tmp_path))
    critic = {name for name in seen[0] if name.startswith("discriminator.")}
    assert changed(seen[0], seen[1]) == critic
    assert changed(seen[1], seen[2]) == set(seen[0]) - critic


def test_a_phase_begins_where_it_says(phases: Whole) -> None:
    """From the last epoch, or from the best of the phase before."""
    assert same(phases.began[4], phases.ended[3])
    assert same(phases.began[7], phases.best[6])
    head = [metrics["val_long_axis_error"] for metrics in phases.history[4:7]]
    # Of equals the later one; the smallest error is the best.
    best = max(n for n, error in enumerate(head) if error == min(head))
    assert same(phases.best[6], phases.ended[4 + best])


def test_the_best_of_each_phase_stands_by_itself(phases: Whole) -> None:
    for first, end in ((0, 4), (4, 7), (7, 9)):
        errors = [metrics["val_long_axis_error"] for metrics in phases.history[first:end]]
        found = [metrics["best_val_long_axis_error"] for metrics in phases.history[first:end]]
        assert found == [min(errors[: n + 1]) for n in range(len(errors))]


def test_both_new_masks_are_learned_from(phases: Whole) -> None:
    """The second is the first without its border; before there was none of that name."""
    root = phases.directory / "scratch" / "masks-2"
    lesions = relabelled(TRAIN, root)
    assert [set(lesion.masks) for lesion in lesions] == [{"first", "second"}] * len(TRAIN)
    for lesion in lesions:
        first, second = lesion.mask("first"), lesion.mask("second")
        assert second.sum() < first.sum()
        assert not second[first == 0].any()
    before, after = phases.history[6], phases.history[7]
    assert before["second"] == pytest.approx(before["iou"])
    assert after["second"] != pytest.approx(after["iou"], rel=1e-3)


def test_the_best_model_makes_the_new_masks(phases: Whole) -> None:
    """Each is what it predicts of the lesion, to the pixel."""
    from trainables.contract.asked import CPU

    system, config = InPhases(), config_of()
    model = system.model(config)
    model.load_state_dict(dict(phases.best[6]))
    parts = Parts(system=system, trained=(Trained(config=config, model=model.eval()),),
                  how=How(device=CPU))  # fmt: skip
    lesions = relabelled(TRAIN, phases.directory / "scratch" / "masks-2")
    for lesion, new in zip(TRAIN, lesions, strict=True):
        (found,) = parts.predict([case_of(lesion, parts.telling)])
        assert found.mask is not None
        assert segmentation(new.mask("first"), found.mask)["dice"] == 1 or not found.mask.any()


MOMENTS = {0: {"step", "exp_avg", "exp_avg_sq"}, 4: {"momentum_buffer"}}


@pytest.mark.parametrize("at", MOMENTS)
def test_a_checkpoint_has_the_moments_of_its_phases_optimiser(at: int, tmp_path: Path) -> None:
    def leave(metrics: dict[str, float], checkpoint: Path | None) -> None:
        if metrics["epoch"] == at + 1:
            raise SystemExit

    with pytest.raises(SystemExit):
        fit(a_run(InPhases(), tmp_path, leave))
    (optimizer,) = stored(tmp_path, LAST)["optimizers"]
    assert [set(moments) for moments in optimizer["state"].values()] == [MOMENTS[at]] * len(
        optimizer["state"]
    )
    assert len(optimizer["state"]) == (6 if at == 0 else 2)


def test_a_phase_that_goes_on_keeps_the_moments(turns: Whole, tmp_path: Path) -> None:
    """Without, its first step would be another."""

    class Anew(InTurn):
        def recipe(self, config: Any) -> Any:
            both, bolder = super().recipe(config)
            return [both, replace(bolder, goes_on=False)]

    anew = fit(a_run(Anew(), tmp_path)).history
    assert curve(anew[:3]) == curve(turns.history[:3])
    assert curve(anew) != curve(turns.history)
