"""The regional level set loss: by hand, by finite differences, and what it finds in an image."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lesions import InputError
from lesions.ellipse import ellipse
from lesions.metrics import segmentation
from tests.bench.level_set import resized
from tests.trainables.runs import a_run, ellipses, lesion, small
from trainables.checkpoint import read_history
from trainables.configs import edited
from trainables.crops import Crop
from trainables.level_set import (
    IMAGE,
    REGION,
    TERM,
    LevelSetConfig,
    deviation,
    joined,
    level_set,
    level_set_energy,
    level_set_sample,
    level_set_term,
)
from trainables.loop import fit
from trainables.optimisers import rate_at
from trainables.pdnet import PDNetSystem
from trainables.recipe import Objective, Phase, Schedule, rounds_of, total_epochs

ON = LevelSetConfig(factor=0.1)
EVERYWHERE = torch.ones(1, 1, 4, 4, dtype=torch.bool)
# Two columns of 0 and two of 1; the outline that is predicted is a column off.
GREY = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).expand(4, 4)[None, None]
OFF = torch.tensor([[0.0, 1.0, 1.0, 1.0]]).expand(4, 4)[None, None]


def slice_of(shape: tuple[int, int] = (100, 120)) -> Any:
    return lesion([[30, 40], [58, 52], [41, 53], [47, 39]], shape)


def test_by_hand_on_four_by_four() -> None:
    # c1 = 2/3, c2 = 0: inside 4 · (4/9) + 8 · (1/9) = 8/3, outside nothing; of 16 pixels.
    found = level_set(OFF, GREY, EVERYWHERE, inside=1, outside=3)
    assert found.item() == pytest.approx(8 / 3 / 16)


def test_soft_and_hard_means_by_hand() -> None:
    p = torch.tensor([[0.25, 0.75]])[None, None]
    image, both = torch.tensor([[0.0, 1.0]])[None, None], torch.ones(1, 1, 1, 2, dtype=torch.bool)
    # Soft: c1 = 3/4, c2 = 1/4. Inside 1/4 · 9/16 + 3/4 · 1/16 = 3/16, outside the same, times 3.
    assert level_set(p, image, both).item() == pytest.approx((3 / 16 + 9 / 16) / 2)
    # Hard: c1 = 1, c2 = 0. Inside 1/4 · 1, outside 1/4 · 1, times 3.
    assert level_set(p, image, both, hard=True).item() == pytest.approx((1 / 4 + 3 / 4) / 2)


def test_only_the_region_counts() -> None:
    region = EVERYWHERE.clone()
    region[..., :1] = False
    # Without the first column: 4 · (4/9) + 8 · (1/9) as before, of 12 pixels.
    assert level_set(OFF, GREY, region).item() == pytest.approx(8 / 3 / 12)
    beyond = torch.where(region, GREY, 1e6)
    assert level_set(OFF, beyond, region).item() == pytest.approx(8 / 3 / 12)


@pytest.mark.parametrize("hard", [False, True])
def test_the_gradient_is_that_of_finite_differences(hard: bool) -> None:
    random = torch.Generator().manual_seed(0)
    p = (
        torch.rand(2, 1, 4, 4, generator=random) * 0.4
        + torch.tensor([0.05, 0.55])[:, None, None, None]
    )
    image = torch.rand(2, 1, 4, 4, generator=random)
    region = torch.rand(2, 1, 4, 4, generator=random) < 0.8
    p[1, 0, 0] -= 0.5  # hard means need both sides

    def energy(at: Tensor) -> Tensor:
        return level_set(at, image, region, inside=1.5, outside=2.5, hard=hard)

    p.requires_grad_(True)
    (gradient,) = torch.autograd.grad(energy(p), p)
    step = 1e-2
    for place in np.ndindex(*p.shape):
        one = torch.zeros_like(p)
        one[place] = step
        numeric = (energy(p.detach() + one) - energy(p.detach() - one)) / (2 * step)
        # The means move with p, and yet do not matter: they minimise the energy (soft ones).
        assert gradient[place].item() == pytest.approx(numeric.item(), abs=2e-4)


@pytest.mark.parametrize("p", [0.0, 1.0, 0.5, 1e-30])
@pytest.mark.parametrize("pixels", [0, 1, 3, 16])
@pytest.mark.parametrize("grey", ["constant", "ramp"])
@pytest.mark.parametrize("means", ["soft", "hard"])
def test_odd_cases_have_finite_values_and_gradients(
    p: float, pixels: int, grey: str, means: Any
) -> None:
    region = torch.zeros(1, 1, 4, 4, dtype=torch.uint8)
    region.view(-1)[:pixels] = 1
    image = torch.arange(16.0).view(1, 1, 4, 4) / 15 if grey == "ramp" else torch.ones(1, 1, 4, 4)
    probability = torch.full((1, 1, 4, 4), p, requires_grad=True)
    config = replace(ON, means=means)
    term = level_set_energy(config, probability, {IMAGE: image, REGION: region})
    term.backward()
    assert probability.grad is not None
    assert torch.isfinite(term)
    assert torch.isfinite(probability.grad).all()
    assert (pixels > 0) or term == 0


def test_half_precision_costs_nothing() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = level_set(OFF.bfloat16(), GREY, EVERYWHERE)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(8 / 3 / 16)


def descended(image: Tensor, region: Tensor, start: Tensor) -> Tensor:
    """Where the loss alone leads a probability map."""
    logits = (4 * start - 2).requires_grad_(True)
    optimizer = torch.optim.Adam([logits], 0.2)
    for _ in range(150):
        optimizer.zero_grad()
        level_set(torch.sigmoid(logits), image, region).backward()
        optimizer.step()
    return logits.detach() > 0


def two_greys() -> tuple[Tensor, Tensor, Tensor]:
    """An image of two grey values with a bright thing in its corner; the truth; a start beside."""
    truth, other, start = (torch.zeros(1, 1, 48, 48) for _ in range(3))
    truth[..., 18:30, 16:32] = 1
    other[..., 38:46, 38:46] = 1
    start[..., 14:26, 20:36] = 1
    return truth + other, truth == 1, start


def test_from_an_overlap_it_finds_the_region_of_two_grey_values() -> None:
    image, truth, start = two_greys()
    region = torch.zeros_like(truth)
    region[..., 8:37, 8:37] = True
    assert (descended(image, region, start) & region).equal(truth)


def test_over_the_whole_view_a_second_thing_is_taken_too() -> None:
    image, truth, start = two_greys()
    found = descended(image, torch.ones_like(truth), start)
    assert found.equal(image == 1)  # the thing in the corner too: why the region is regional
    assert not found.equal(truth)


def test_the_sample_moves_as_the_image_does() -> None:
    one = slice_of()
    crop = Crop(centre=(47, 43), side=60, size=64, angle=20, flip_x=True)
    image = crop.image(one.slice_hu, one.window)
    sample = level_set_sample(ON, one, crop, image, np.random.default_rng(0))
    assert torch.equal(sample[IMAGE][0], torch.from_numpy(image))
    four = crop.labels(ellipse(one.recist, one.shape, scale=4.0).astype(np.uint8))
    assert segmentation(sample[REGION][0].numpy(), four)["dice"] > 0.98  # its outline's pixels
    lesion_area = crop.labels(ellipse(one.recist, one.shape).astype(np.uint8)).sum()
    assert sample[REGION].sum().item() == pytest.approx(4 * lesion_area, rel=0.03)


def test_the_whole_view_is_the_slice_alone() -> None:
    one = slice_of()
    crop = Crop(centre=(0, 0), side=64, size=64)  # three quarters lie outside
    image = crop.image(one.slice_hu, one.window)
    config = replace(ON, region="view")
    region = level_set_sample(config, one, crop, image, np.random.default_rng(0))[REGION]
    assert region.float().mean().item() == pytest.approx(0.25, abs=0.02)


def test_shuffled_intensities_are_the_same_ones_elsewhere() -> None:
    one = slice_of()
    crop = Crop(centre=(47, 43), side=60, size=64)
    image = np.random.default_rng(1).random((64, 64), dtype=np.float32)
    kept = image.copy()
    config = replace(ON, shuffled=True)
    sample = level_set_sample(config, one, crop, image, np.random.default_rng(0))
    region = sample[REGION][0] == 1
    mixed, given = sample[IMAGE][0][region], torch.from_numpy(image)[region]
    assert np.array_equal(image, kept)
    assert not torch.equal(mixed, given)
    assert torch.equal(mixed.sort().values, given.sort().values)
    assert torch.equal(sample[IMAGE][0][~region], torch.from_numpy(image)[~region])


def test_off_it_is_nothing() -> None:
    one, rng = slice_of(), np.random.default_rng(0)
    crop = Crop(centre=(47, 43), side=60, size=64)
    recipe = [Phase(epochs=3)]
    off = LevelSetConfig()
    state = rng.bit_generator.state
    assert level_set_sample(off, one, crop, np.zeros((64, 64), np.float32), rng) == {}
    assert rng.bit_generator.state == state
    assert level_set_term(off, OFF, {}, Objective()) == {}
    assert joined(off, recipe) is recipe
    assert level_set_term(ON, OFF, {}, Objective(weights={TERM: 0.0})) == {}


def test_intensities_count_in_deviations_of_their_region() -> None:
    region = torch.tensor([[1, 1, 0, 0]]).expand(4, 4)[None, None]
    image = torch.tensor([[0.1, 0.3, 9.0, 9.0]]).expand(4, 4)[None, None]
    assert deviation(image, region == 1).item() == pytest.approx(0.1)
    p = torch.tensor([[0.0, 1.0, 0.0, 0.0]]).expand(4, 4)[None, None] * 0.5 + 0.25
    batch = {IMAGE: image, REGION: region}
    logits = torch.logit(p)
    divided = level_set_term(ON, logits, batch, Objective())[TERM]
    plain = level_set_term(replace(ON, intensities="window"), logits, batch, Objective())[TERM]
    assert divided.item() == pytest.approx(100 * plain.item(), rel=1e-4)


RoundsOf = Callable[..., list[Phase]]
LAW = Objective(weights={"seg_loss": 0.5})


def rounds(**phase: Any) -> list[Phase]:
    first = Phase(epochs=80, objectives=(LAW,), schedule=Schedule(milestones=(0.5, 0.75)), **phase)
    return [first, replace(first, relabels=True, name="round 2")]


def test_it_joins_late_in_every_round() -> None:
    early, late, again, _ = recipe = joined(ON, rounds())
    assert [phase.epochs for phase in recipe] == [40, 40, 40, 40]
    assert early.objectives[0].weights == {"seg_loss": 0.5, TERM: 0.0}
    assert late.objectives[0].weights == {"seg_loss": 0.5, TERM: 0.1}
    assert (late.begins, late.goes_on, late.relabels) == ("last", True, False)
    assert (again.begins, again.relabels) == ("fresh", True)
    assert rounds_of(recipe) == [range(2), range(2, 4)]
    assert total_epochs(recipe) == 160


@pytest.mark.parametrize("kind", ["steps", "cosine", "constant"])
@pytest.mark.parametrize("joins", [0.0, 0.001, 0.25, 0.5, 0.99])
def test_learning_rates_are_those_of_one_course(kind: Any, joins: float) -> None:
    whole = Phase(epochs=20, schedule=Schedule(kind=kind, warmup=3))
    rates = [
        [rate_at(1.0, phase.schedule, epoch, phase.epochs)
         for phase in recipe for epoch in range(phase.epochs)]
        for recipe in ([whole], joined(replace(ON, joins=joins), [whole]))
    ]  # fmt: skip
    assert rates[0] == rates[1]


def test_it_joins_at_a_plateau() -> None:
    stable = Schedule(patience=3, gain=0.01, drops=2)
    early, late = joined(replace(ON, joins_by="plateau"), [Phase(epochs=10)], stable)
    assert (early.schedule.kind, early.schedule.drops, early.schedule.patience) == ("plateau", 0, 3)
    assert (early.epochs, late.epochs) == (5, 5)


def test_it_refuses_what_it_cannot_do() -> None:
    for wrong in ({"factor": -1.0}, {"region_area": 0.0}, {"joins": 1.5}, {"inside": 1e9}):
        with pytest.raises(InputError):
            LevelSetConfig(**wrong)
    with pytest.raises(InputError, match="never join"):
        LevelSetConfig(factor=0.1, joins=1)


@pytest.mark.parametrize("network", ["pdnet", "nnunet"])
def test_pdnet_and_nnunet_switch_it_on(network: Any, tmp_path: Path) -> None:
    config = edited(small(epochs=2), {"network": network, "rls.factor": 0.1})
    fit(run := a_run(tmp_path / "on", config, ellipses(4)))
    (off,) = PDNetSystem().recipe(replace(config, rls=LevelSetConfig()))
    early, late = run.recipe
    before, after = read_history(tmp_path / "on")
    assert TERM not in before
    assert after[TERM] > 0
    weights = late.objectives[0].weights
    # PDNet's λ is small: a tenth of its heat maps' loss would be ten times its masks'.
    assert weights[TERM] == pytest.approx(0.1 * config.loss.weight)
    parts = sum(after[name] * weight for name, weight in weights.items())
    assert after["train_loss"] == pytest.approx(parts, rel=1e-3)
    assert (early.epochs, late.epochs, off.epochs) == (1, 1, 2)


def test_the_control_grows_and_shrinks_evenly() -> None:
    mask = np.zeros((9, 9), np.uint8)
    mask[3:6, 3:6] = 1
    grown, shrunk = resized(mask, 21), resized(mask, 1)
    assert grown.sum() == 21  # the square and the pixels that touch its sides
    assert grown[2, 3:6].all()
    assert not grown[2, 2]
    assert np.argwhere(shrunk).tolist() == [[4, 4]]
    assert np.array_equal(resized(mask, 9), mask)
    assert not resized(np.zeros((9, 9), np.uint8), 5).any()
