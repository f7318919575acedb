"""The canonical layout: there and back, as torch and `Crop` see it, whatever the lesion's turn."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lesions import Recist
from lesions.prompts import Box
from trainables.contract.made import made_lesions
from trainables.crops import Crop, apply
from trainables.stn_shn.answers import slice_from_maps
from trainables.stn_shn.config import paper, tiny
from trainables.stn_shn.layout import (
    COS,
    FILLED,
    OBLONG,
    SCALE,
    SIN,
    jittered,
    layout_of,
    level,
    matrices,
    named,
    to_crop,
    to_view,
    view_of,
)
from trainables.stn_shn.samples import crop_of, training_sample

SIZE = 64
POINTS = np.array([[20.0, 30], [44, 38], [30, 40], [35, 25]])


def layout(x: float, y: float, scale: float, degrees: float) -> Tensor:
    turned = np.deg2rad(2 * degrees)
    return torch.tensor([[x, y, scale, np.cos(turned), np.sin(turned)]], dtype=torch.float32)


places, degrees = st.floats(-0.5, 0.5), st.floats(-90, 90)


@given(places, places, st.floats(0.1, 1.5), degrees, st.sampled_from([64, 128]))
def test_endpoints_go_there_and_back(
    x: float, y: float, scale: float, angle: float, size: int
) -> None:
    points = torch.from_numpy(POINTS).float()[None] * size / SIZE
    thetas = matrices(layout(x, y, scale, angle))
    back = to_crop(to_view(points, thetas, size), thetas, size)
    torch.testing.assert_close(back, points, atol=1e-4 * size / SIZE / min(scale, 1), rtol=0)


def test_the_grid_is_that_of_equation_3() -> None:
    """By hand: pixel (i, j) of the view shows the crop at Θ of (2i + 1) / S − 1."""
    thetas = matrices(layout(0.1, -0.2, 0.5, 30))
    random = torch.rand(1, 1, SIZE, SIZE)
    seen = view_of(random, thetas)
    cos, sin = 0.5 * np.cos(np.pi / 6), 0.5 * np.sin(np.pi / 6)
    for i, j in ((0, 0), (17, 40), (63, 31)):
        u, v = (2 * i + 1) / SIZE - 1, (2 * j + 1) / SIZE - 1
        x = ((cos * u - sin * v + 0.1 + 1) * SIZE - 1) / 2
        y = ((sin * u + cos * v - 0.2 + 1) * SIZE - 1) / 2
        left, top = int(np.floor(x)), int(np.floor(y))
        four = random[0, 0, top : top + 2, left : left + 2].numpy()
        a, b = x - left, y - top
        by_hand = np.array([1 - b, b]) @ four @ np.array([1 - a, a])
        assert seen[0, 0, j, i].item() == pytest.approx(by_hand, abs=1e-5)


def test_a_level_layout_changes_nothing_and_a_quarter_turn_turns() -> None:
    image = torch.rand(1, 1, SIZE, SIZE)
    torch.testing.assert_close(view_of(image, level()[None]), image)
    torch.testing.assert_close(matrices(layout(0, 0, 1, 0))[0], level())
    turned = view_of(image, matrices(layout(0, 0, 1, 90)))
    # The view's right is the crop's down: its rows are the crop's columns, from right to left.
    torch.testing.assert_close(turned[0, 0], torch.rot90(image[0, 0]), atol=1e-4, rtol=0)


def test_the_true_layout_lies_level_in_the_middle() -> None:
    found = torch.from_numpy(layout_of(POINTS, SIZE))[None]
    seen = to_view(torch.from_numpy(POINTS).float()[None], matrices(found), SIZE)[0]
    assert seen[0, 1].item() == pytest.approx(seen[1, 1].item(), abs=1e-3)
    assert (seen[1, 0] - seen[0, 0]).item() == pytest.approx(FILLED * SIZE, abs=1e-3)
    middle = (seen.amin(dim=0) + seen.amax(dim=0)) / 2
    torch.testing.assert_close(middle, torch.full((2,), (SIZE - 1) / 2), atol=1e-3, rtol=0)
    long, short = Recist(POINTS).diameters_mm((1, 1))
    assert found[0, OBLONG].item() == pytest.approx(1 - short / long, abs=1e-6)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_crop_has_the_same_view_and_turned_endpoints(quarters: int) -> None:
    image = torch.rand(1, 1, SIZE, SIZE)
    turned_points = POINTS - (SIZE - 1) / 2
    for _ in range(quarters):  # anticlockwise, as rot90 of an image whose rows go down
        turned_points = np.column_stack([turned_points[:, 1], -turned_points[:, 0]])
    turned_points += (SIZE - 1) / 2
    first, then = (torch.from_numpy(layout_of(one, SIZE))[None] for one in (POINTS, turned_points))
    assert then[0, SCALE].item() == pytest.approx(first[0, SCALE].item())
    views = [view_of(image, matrices(first))[0, 0],
             view_of(torch.rot90(image, quarters, (2, 3)), matrices(then))[0, 0]]  # fmt: skip
    # A layout is one modulo a half turn.
    same = [torch.allclose(views[0], other, atol=1e-4)
            for other in (views[1], torch.rot90(views[1], 2))]  # fmt: skip
    assert any(same)
    ends = named(to_view(torch.from_numpy(turned_points).float()[None], matrices(then), SIZE))
    back = to_crop(ends, matrices(then), SIZE)[0].numpy()
    assert {tuple(one) for one in back.round(2).tolist()} == {
        tuple(one) for one in turned_points.round(2).tolist()
    }


def test_a_half_turn_is_the_same_layout() -> None:
    other = layout_of(POINTS[[1, 0, 3, 2]], SIZE)
    np.testing.assert_allclose(other, layout_of(POINTS, SIZE), atol=1e-6)


@pytest.mark.parametrize("radius", [0.0, 1e-8, 0.05, 1.0])
def test_the_angle_has_a_bounded_gradient(radius: float) -> None:
    given = torch.tensor([[0.0, 0, 0.5, radius, 0]], requires_grad=True)
    matrices(given)[0, 1, 0].backward()  # s·sin α
    assert given.grad is not None
    assert torch.isfinite(given.grad).all()
    assert given.grad[0, [COS, SIN]].abs().max() <= 0.5 * 0.5 / 0.1 + 1e-6
    torch.testing.assert_close(matrices(given.detach())[0, :, :2], 0.5 * torch.eye(2))


def test_names_are_those_of_the_view() -> None:
    ends = torch.tensor([[[9.0, 5], [1, 5], [4, 9], [6, 2]], [[3, 8], [3, 1], [1, 4], [7, 4]]])
    expected = [Recist(one.numpy()).points for one in ends]
    np.testing.assert_allclose(named(ends).numpy(), expected)


def test_jitter_stays_within_its_bounds() -> None:
    true, rng = layout_of(POINTS, SIZE), np.random.default_rng(0)
    many = np.array([jittered(true, rng, shift=0.1, turn=15, scale=(0.85, 1.15))
                     for _ in range(300)])  # fmt: skip
    assert 0.09 < np.abs(many[:, :2] - true[:2]).max() <= 0.1
    factors = many[:, SCALE] / true[SCALE]
    assert 0.85 <= factors.min() < 0.87
    assert 1.13 < factors.max() <= 1.15
    cosines = np.clip(many[:, [COS, SIN]] @ true[[COS, SIN]], -1, 1)
    assert 14 < np.rad2deg(np.arccos(cosines)).max() / 2 <= 15.001


def test_heat_maps_lead_back_to_the_slice_as_torch_does() -> None:
    """Through view, Θ and a crop that is turned and mirrored."""
    crop = Crop(centre=(50.0, 40.0), side=80.0, size=SIZE, angle=30, flip_x=True)
    thetas = matrices(layout(0.1, -0.05, 0.6, -40))
    in_maps = np.array([[0.0, 0], [3.25, 7.5], [15, 15]])
    found = apply(slice_from_maps(crop, thetas[0].double().numpy()), in_maps)
    view = torch.from_numpy(4 * in_maps + 1.5).float()[None]
    in_crop = to_crop(view, thetas, SIZE)[0].double().numpy()
    np.testing.assert_allclose(found, apply(crop.inverse, in_crop), atol=1e-3)


def test_a_sample_is_moved_by_one_map() -> None:
    config = tiny()
    for lesion in made_lesions(5, ["ellipse"]):
        sample = training_sample(config, lesion, np.random.default_rng(lesion.row))
        ends, labels = sample["endpoints"].numpy(), sample["labels"][0].numpy()
        for start, end in (ends[:2], ends[2:]):
            for part in (0.1, 0.5, 0.9):
                x, y = (start + part * (end - start)).round().astype(int)
                assert labels[y, x] == 1
        outside = ends.mean(axis=0) + 1.3 * (ends - ends.mean(axis=0))
        for x, y in outside.round().astype(int):
            if 0 <= x < SIZE and 0 <= y < SIZE:
                assert labels[y, x] == 0
        np.testing.assert_allclose(sample["layout"], layout_of(ends, SIZE), atol=1e-5)


def test_the_crop_at_test_is_the_box() -> None:
    (lesion,) = made_lesions(1, ["ellipse"])
    box = Box.from_points([[10, 20], [50, 48]])
    case = type("Told", (), {"prompt": box, "shape": lesion.shape})
    crop = crop_of(paper(), case)  # type: ignore[arg-type]
    assert (crop.centre, crop.side, crop.size) == ((30.0, 34.0), 40.0, 128)
