import math

import pytest
import torch

from lesions.errors import InputError
from trainables.pdnet.loss import LossConfig, loss_terms, loss_weights
from trainables.pdnet.model import Outputs
from trainables.recipe import Objective
from trainables.steps import weighted

SIZE = 32
STRIDES = (2, 4, 8, 16, 32, 32, 16, 8, 4, 2, 1)


def pdnet_loss(
    outputs: Outputs, labels: torch.Tensor, heatmaps: torch.Tensor, config: LossConfig
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The loss, and its terms before weighing."""
    terms = loss_terms(outputs, labels, heatmaps)
    return weighted(terms, Objective(weights=loss_weights(config))), terms


def square() -> torch.Tensor:
    labels = torch.zeros(2, 1, SIZE, SIZE, dtype=torch.uint8)
    labels[:, :, 8:20, 10:24] = 1
    return labels


def full_size(labels: torch.Tensor, heatmaps: torch.Tensor) -> Outputs:
    logits = (labels == 1).float() * 100 - 50
    return Outputs([logits] * 11, [heatmaps] * 3)


def random_outputs() -> Outputs:
    random = torch.Generator().manual_seed(0)
    masks = [torch.randn(2, 1, SIZE // s, SIZE // s, generator=random) for s in STRIDES]
    maps = [torch.randn(2, 4, SIZE // s, SIZE // s, generator=random) for s in (4, 2, 1)]
    return Outputs(masks, maps)


@pytest.mark.parametrize("weight", [0.0, 0.01, 0.3, 1.0])
def test_lambda_weighs_the_parts(weight: float) -> None:
    heatmaps = torch.rand(2, 4, SIZE, SIZE)
    loss, parts = pdnet_loss(random_outputs(), square(), heatmaps, LossConfig(weight=weight))
    expected = weight * parts["seg_loss"] + (1 - weight) * parts["heatmap_loss"]
    torch.testing.assert_close(loss, expected)
    assert set(parts) == {"seg_loss", "heatmap_loss"}


def test_the_papers_lambda() -> None:
    assert LossConfig().weight == 0.01


def test_by_hand() -> None:
    # Logits 0 everywhere: probability 1/2 in all 1024 pixels, half of which are lesion.
    labels = torch.zeros(1, 1, SIZE, SIZE, dtype=torch.long)
    labels[..., : SIZE // 2] = 1
    outputs = Outputs(
        [torch.zeros(1, 1, SIZE // s, SIZE // s) for s in STRIDES],
        [torch.full((1, 4, SIZE // s, SIZE // s), 0.5) for s in (4, 2, 1)],
    )
    _, parts = pdnet_loss(outputs, labels, torch.zeros(1, 4, SIZE, SIZE), LossConfig())
    iou = 1 - 256 / (512 + 512 - 256)
    assert parts["seg_loss"].item() == pytest.approx(11 * (0.25 + iou), rel=1e-5)
    assert parts["heatmap_loss"].item() == pytest.approx(3 * 0.25, rel=1e-5)


def test_six_masks_are_a_sum_of_six() -> None:
    outputs = random_outputs()
    heatmaps = torch.zeros(2, 4, SIZE, SIZE)
    _, one = pdnet_loss(
        Outputs(outputs.masks[-1:], outputs.heatmaps), square(), heatmaps, LossConfig()
    )
    _, six = pdnet_loss(
        Outputs(outputs.masks[-1:] * 6, outputs.heatmaps), square(), heatmaps, LossConfig()
    )
    torch.testing.assert_close(six["seg_loss"], 6 * one["seg_loss"])


def test_a_perfect_prediction_costs_nothing() -> None:
    heatmaps = torch.rand(2, 4, SIZE, SIZE)
    loss, parts = pdnet_loss(full_size(square(), heatmaps), square(), heatmaps, LossConfig())
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert parts["seg_loss"].item() == pytest.approx(0, abs=1e-5)


def test_uncertain_pixels_are_ignored() -> None:
    labels, heatmaps = square(), torch.zeros(2, 4, SIZE, SIZE)
    logits = torch.randn(2, 1, SIZE, SIZE, requires_grad=True)
    labels[:, :, 4:10, 4:30] = 255
    outputs = Outputs([logits], [heatmaps])
    loss, _ = pdnet_loss(outputs, labels, heatmaps, LossConfig())
    torch.autograd.backward(loss)
    assert logits.grad is not None
    assert (logits.grad[labels == 255] == 0).all()
    assert (logits.grad[labels != 255] != 0).all()


@pytest.mark.parametrize("value", [0, 255])
def test_no_lesion_at_all_stays_finite(value: int) -> None:
    labels = torch.full((2, 1, SIZE, SIZE), value, dtype=torch.uint8)
    outputs = random_outputs()
    for output in [*outputs.masks, *outputs.heatmaps]:
        output.requires_grad_()
    loss, parts = pdnet_loss(outputs, labels, torch.zeros(2, 4, SIZE, SIZE), LossConfig())
    torch.autograd.backward(loss)
    assert all(math.isfinite(part.item()) for part in parts.values())
    assert all(m.grad is not None and m.grad.isfinite().all() for m in outputs.masks)
    if value == 255:
        assert parts["seg_loss"].item() == 0


def test_bfloat16_outputs_are_weighed_in_float32() -> None:
    outputs, heatmaps = random_outputs(), torch.rand(2, 4, SIZE, SIZE)
    half = Outputs([m.bfloat16() for m in outputs.masks], [m.bfloat16() for m in outputs.heatmaps])
    same = Outputs([m.float() for m in half.masks], [m.float() for m in half.heatmaps])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss, _ = pdnet_loss(half, square(), heatmaps, LossConfig())
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, pdnet_loss(same, square(), heatmaps, LossConfig())[0])


@pytest.mark.parametrize("weight", [-0.1, 1.1, math.nan])
def test_an_impossible_lambda_is_refused(weight: float) -> None:
    with pytest.raises(InputError, match="must lie in"):
        LossConfig(weight=weight)
