"""STN + SHN's losses, by hand; its recipe; and that it learns four real lesions by heart."""

import math

import numpy as np
import pytest
import torch

from lesions.heatmaps import heatmaps
from trainables.recipe import Phase
from trainables.stn_shn import STNSHNSystem
from trainables.stn_shn.config import paper, tiny
from trainables.stn_shn.loss import (
    cosine_loss,
    gaussians,
    heatmap_loss,
    layout_loss,
    region_loss,
    soft_points,
)
from trainables.stn_shn.variants import METHODS, VARIANTS, method

ENDS = torch.tensor([[[3.2, 8.0], [12.7, 8.0], [8.1, 4.4], [8.1, 11.6]]])


def truth(degrees: float = 0.0, oblong: float = 0.5) -> torch.Tensor:
    turned = math.radians(2 * degrees)
    return torch.tensor([[0.1, -0.2, 0.5, math.cos(turned), math.sin(turned), oblong]])


def test_the_layouts_loss_by_hand() -> None:
    assert layout_loss(truth()[:, :5], truth()).item() == pytest.approx(0)
    off = torch.tensor([[0.3, -0.2, 0.8, 0.0, 2.0]])  # 45° off, and of another length
    place, scale, angle = 0.1**2, 0.3**2, 0.5 * 0.5
    assert layout_loss(off, truth()).item() == pytest.approx((place + scale + angle) / 4)


def test_a_half_turn_costs_nothing_and_a_round_lesion_has_no_direction() -> None:
    half = truth(180)[:, :5]
    assert layout_loss(half, truth(0)).item() == pytest.approx(0, abs=1e-6)
    across = truth(90)[:, :5]
    assert layout_loss(across, truth(0)).item() == pytest.approx(0.5 / 4)
    assert layout_loss(across, truth(0, oblong=0)).item() == pytest.approx(0)


def test_a_layout_without_a_direction_is_drawn_to_one() -> None:
    given = truth()[:, :5].clone()
    given[:, 3:] = 0
    given.requires_grad_(True)
    layout_loss(given, truth(30)).backward()
    assert given.grad is not None
    down = -given.grad[0, 3:]
    assert torch.atan2(down[1], down[0]).item() == pytest.approx(math.radians(60))


def test_what_is_uncertain_counts_nowhere_in_the_region() -> None:
    labels = torch.zeros(1, 1, 16, 16, dtype=torch.uint8)
    labels[..., :8, :] = 1
    logits = torch.where(torch.arange(4)[:, None] < 2, 20.0, -20.0).expand(1, 1, 4, 4)
    assert region_loss(logits, labels).item() == pytest.approx(0, abs=1e-6)
    labels[..., 8:12, :] = 255
    wrong = torch.where(torch.arange(4)[:, None] < 3, 20.0, -20.0).expand(1, 1, 4, 4)
    assert region_loss(wrong, labels).item() == pytest.approx(0, abs=1e-6)
    assert region_loss(-logits, labels).item() == pytest.approx(1, abs=1e-6)


def test_heat_maps_are_the_houses_and_a_map_of_zeros_costs_one() -> None:
    maps = gaussians(ENDS, 16, 1.0)
    np.testing.assert_allclose(maps[0], heatmaps(ENDS[0], (16, 16), 1.0), atol=1e-6)
    assert heatmap_loss([maps, maps], ENDS, 1.0).item() == pytest.approx(0)
    zero = torch.zeros_like(maps)
    assert heatmap_loss([zero], ENDS, 1.0).item() == pytest.approx(1, abs=0.01)
    assert heatmap_loss([zero, zero], ENDS, 1.0).item() == pytest.approx(2, abs=0.02)


def test_the_soft_argmax_is_within_a_fiftieth_of_a_pixel() -> None:
    found = soft_points(gaussians(ENDS, 16, 1.0))
    assert (found - ENDS).abs().max().item() < 0.02


@pytest.mark.parametrize("degrees", [90, 60, 45, 0])
def test_the_cosine_is_squared(degrees: float) -> None:
    angle, middle = math.radians(degrees), torch.tensor([15.5, 15.5])
    along = torch.tensor([8.0, 0.0])
    across = 6 * torch.tensor([math.cos(angle), math.sin(angle)])
    ends = torch.stack([middle - along, middle + along, middle - across, middle + across])[None]
    loss = cosine_loss([gaussians(ends, 32, 1.0)])
    assert loss.item() == pytest.approx(math.cos(angle) ** 2, abs=0.01)


def test_maps_of_nothing_have_no_axes_and_a_finite_gradient() -> None:
    maps = torch.full((1, 4, 16, 16), -1.0, requires_grad=True)
    cosine_loss([maps]).backward()
    assert maps.grad is not None
    assert torch.isfinite(maps.grad).all()


def phases(name: str) -> list[Phase]:
    return list(STNSHNSystem().recipe(VARIANTS[name](paper())))


def test_the_recipe_is_the_papers() -> None:
    region, layout, endpoints, jointly = phases("STN+SHN+LRP+cos")
    weights = [phase.objectives[0].weights for phase in (region, layout, endpoints, jointly)]
    assert weights == [
        {"region_loss": 10, "layout_loss": 1},
        {"region_loss": 1, "layout_loss": 10},
        {"heatmap_loss": 1, "cosine_loss": 1},
        {"region_loss": 1, "layout_loss": 1, "heatmap_loss": 1, "cosine_loss": 1},
    ]
    learns = [phase.objectives[0].learns for phase in (region, layout, endpoints, jointly)]
    assert learns == [("stn.",), ("stn.",), ("shn.",), ("stn.", "shn.")]
    for phase in (region, layout, endpoints, jointly):
        own, schedule = phase.objectives[0].optimizer, phase.schedule
        assert (own.kind, own.learning_rate, own.momentum) == ("sgd", 5e-4, 0.9)
        assert (schedule.kind, schedule.decay, schedule.drops) == ("plateau", 0.1, 2)
        assert phase.watches == "loss"


def test_each_row_of_the_table_has_its_phases_and_its_name() -> None:
    names = {row: [phase.name for phase in phases(row)] for row in VARIANTS}
    assert names == {
        "SHN": ["endpoints"],
        "STN+SHN": ["layout", "endpoints", "jointly"],
        "STN+SHN+LRP": ["region", "layout", "endpoints", "jointly"],
        "STN+SHN+LRP+cos": ["region", "layout", "endpoints", "jointly"],
    }
    assert [method(VARIANTS[name](tiny())) for name in METHODS.values()] == list(METHODS)
