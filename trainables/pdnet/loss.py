"""PDNet's loss: deep mask supervision and deep diameter supervision (section 2 of the paper)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from lesions.errors import InputError
from lesions.metrics import UNCERTAIN
from trainables.losses import full_size, iou_loss, masked_mse
from trainables.pdnet.model import Outputs


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """How the two tasks weigh.

    Attributes:
        weight: λ, the share of the segmentation loss, in [0, 1]; heat maps get 1 − λ.
    """

    weight: float = 0.01

    def __post_init__(self) -> None:
        """InputError for a λ that is no share."""
        if not 0 <= self.weight <= 1:
            raise InputError(f"the loss weight λ is {self.weight:g}; it must lie in [0, 1]")


def loss_weights(config: LossConfig) -> dict[str, float]:
    """λ for the segmentation, 1 − λ for the heat maps."""
    return {"seg_loss": config.weight, "heatmap_loss": 1 - config.weight}


def loss_terms(outputs: Outputs, labels: Tensor, heatmaps: Tensor) -> dict[str, Tensor]:
    """Segmentation and heat maps before weighing, every side output resized to full size.

    Args:
        outputs: what PDNet returns.
        labels: (N, 1, S, S), 0 background, 1 lesion, 255 uncertain (ignored), of any integer type.
        heatmaps: (N, 4, S, S), the truth.
    """
    return {
        "seg_loss": _segmentation(outputs.masks, labels),
        "heatmap_loss": _heatmap(outputs.heatmaps, heatmaps),
    }


def _segmentation(masks: Sequence[Tensor], labels: Tensor) -> Tensor:
    """Σ (MSE + IoU loss): the side outputs are channels, over which both losses average."""
    logits = torch.cat([full_size(mask, labels) for mask in masks], dim=1)
    prediction, target, valid = torch.sigmoid(logits), labels == 1, labels != UNCERTAIN
    losses = masked_mse(prediction, target, valid) + iou_loss(prediction, target, valid)
    return len(masks) * losses


def _heatmap(predictions: Sequence[Tensor], heatmaps: Tensor) -> Tensor:
    truth = heatmaps.float()
    losses = [F.mse_loss(full_size(prediction, truth), truth) for prediction in predictions]
    return torch.stack(losses).sum()
