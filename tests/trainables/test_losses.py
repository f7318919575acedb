from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from trainables.losses import iou_loss, masked_mse

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
BOTH = pytest.mark.parametrize("loss", [masked_mse, iou_loss])


def image(*rows: list[float]) -> Tensor:
    return torch.tensor(rows)[None, None]


def random_case(seed: int, samples: int = 4, channels: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    prediction = torch.rand(samples, channels, 6, 6, generator=random)
    target = (torch.rand(samples, channels, 6, 6, generator=random) > 0.6).float()
    valid = torch.rand(samples, 1, 6, 6, generator=random) > 0.3
    return prediction, target, valid


def test_mse_by_hand() -> None:
    prediction, target = image([0.5, 1.0], [0.0, 0.2]), image([1.0, 1.0], [1.0, 0.0])
    valid = image([1.0, 1.0], [0.0, 1.0])
    # (0.25 + 0 + 0.04) / 3
    assert masked_mse(prediction, target, valid).item() == pytest.approx(0.29 / 3)


def test_mse_averages_over_channels() -> None:
    prediction = torch.cat([image([1.0, 0.0]), image([0.0, 0.0])], dim=1)
    target = torch.zeros(1, 1, 1, 2)
    assert masked_mse(prediction, target, torch.ones(1, 1, 1, 2)).item() == pytest.approx(0.25)


def test_iou_by_hand() -> None:
    prediction, target = image([0.5, 1.0], [0.9, 0.2]), image([1.0, 1.0], [1.0, 0.0])
    valid = image([1.0, 1.0], [0.0, 1.0])
    # intersection 1.5, union 1.7 + 2 − 1.5 = 2.2
    assert iou_loss(prediction, target, valid).item() == pytest.approx(1 - 1.5 / 2.2)


def test_iou_of_an_empty_truth() -> None:
    empty, valid = torch.zeros(1, 1, 10, 10), torch.ones(1, 1, 10, 10)
    assert iou_loss(empty, empty, valid).item() == 0
    assert iou_loss(empty + 1, empty, valid).item() == pytest.approx(1 - 1 / 101)


@pytest.mark.parametrize("side", [1, 5, 20])
@pytest.mark.parametrize("logit", [-8.0, -5.0, -2.0, 0.0])
def test_no_even_prediction_of_a_small_lesion_falls_towards_nothing(
    side: int, logit: float
) -> None:
    target, even = torch.zeros(1, 1, 96, 96), torch.tensor(logit, requires_grad=True)
    target[..., 40 : 40 + side, 40 : 40 + side] = 1
    valid = torch.ones_like(target)
    iou_loss(torch.sigmoid(even).expand_as(target), target, valid).backward()
    assert even.grad is not None
    assert even.grad < 0  # a descent raises it
    nothing = iou_loss(torch.zeros_like(target), target, valid)
    assert iou_loss(torch.full_like(target, 0.5), target, valid) < nothing


@BOTH
def test_a_perfect_prediction_costs_nothing(loss: Loss) -> None:
    _, target, valid = random_case(1)
    assert loss(target, target, valid).item() == 0


@BOTH
def test_each_sample_weighs_the_same(loss: Loss) -> None:
    prediction, target, valid = random_case(2)
    valid[0, 0, 1:] = False
    alone = [loss(prediction[i : i + 1], target[i : i + 1], valid[i : i + 1]) for i in range(4)]
    whole = loss(prediction, target, valid)
    torch.testing.assert_close(whole, torch.stack(alone).mean())
    halves = [loss(prediction[s], target[s], valid[s]) for s in (slice(0, 2), slice(2, 4))]
    torch.testing.assert_close(whole, torch.stack(halves).mean())


@BOTH
def test_invalid_pixels_get_no_gradient(loss: Loss) -> None:
    prediction, target, valid = random_case(3)
    prediction.requires_grad_()
    torch.autograd.backward(loss(prediction, target, valid))
    assert prediction.grad is not None
    assert (prediction.grad[~valid.expand_as(prediction)] == 0).all()
    assert (prediction.grad[valid.expand_as(prediction)] != 0).all()


@BOTH
def test_a_sample_without_a_valid_pixel_costs_nothing(loss: Loss) -> None:
    prediction, target, valid = random_case(4, samples=2)
    valid[1] = False
    prediction.requires_grad_()
    whole = loss(prediction, target, valid)
    torch.autograd.backward(whole)
    torch.testing.assert_close(whole, loss(prediction[:1], target[:1], valid[:1]) / 2)
    assert prediction.grad is not None
    assert prediction.grad.isfinite().all()
    assert (prediction.grad[1] == 0).all()


@BOTH
def test_one_target_serves_every_channel(loss: Loss) -> None:
    prediction, target, valid = random_case(5, channels=3)
    target = target[:, :1]
    torch.testing.assert_close(
        loss(prediction, target, valid), loss(prediction, target.expand_as(prediction), valid)
    )


@BOTH
def test_half_precision_is_computed_in_float32(loss: Loss) -> None:
    prediction = torch.rand(1, 1, 512, 512).half()
    target = (torch.rand(1, 1, 512, 512) > 0.5).to(torch.uint8)
    valid = torch.ones(1, 1, 512, 512, dtype=torch.bool)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(prediction, target, valid)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(prediction.float(), target, valid))


@given(st.integers(0, 10_000))
def test_iou_falls_as_the_prediction_nears_the_truth(seed: int) -> None:
    prediction, target, valid = random_case(seed)
    nearer = prediction + 0.5 * (target - prediction)
    assert 0 <= iou_loss(nearer, target, valid) <= iou_loss(prediction, target, valid) <= 1
