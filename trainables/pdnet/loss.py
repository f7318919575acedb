"""PDNet's loss: deep mask supervision and deep diameter supervision (section 2 of the paper)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from lesions.errors import InputError
from trainables.losses import iou_loss, masked_mse
from trainables.pdnet.model import Outputs

UNCERTAIN = 255


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


def pdnet_loss(
    outputs: Outputs, labels: Tensor, heatmaps: Tensor, config: LossConfig
) -> tuple[Tensor, dict[str, Tensor]]:
    """λ · segmentation + (1 − λ) · heat maps, every side output resized to full size.

    Args:
        outputs: what PDNet returns.
        labels: (N, 1, S, S), 0 background, 1 lesion, 255 uncertain (ignored), of any integer type.
        heatmaps: (N, 4, S, S), the truth.
        config: λ.

    Returns:
        The loss, and its two parts before weighing, detached: "seg_loss" and "heatmap_loss".
    """
    segmentation = _segmentation(outputs.masks, labels)
    heatmap = _heatmap(outputs.heatmaps, heatmaps)
    loss = config.weight * segmentation + (1 - config.weight) * heatmap
    return loss, {"seg_loss": segmentation.detach(), "heatmap_loss": heatmap.detach()}


def _segmentation(masks: Sequence[Tensor], labels: Tensor) -> Tensor:
    """Σ (MSE + IoU loss): the side outputs are channels, over which both losses average."""
    logits = torch.cat([_full_size(mask, labels) for mask in masks], dim=1)
    prediction, target, valid = torch.sigmoid(logits), labels == 1, labels != UNCERTAIN
    losses = masked_mse(prediction, target, valid) + iou_loss(prediction, target, valid)
    return len(masks) * losses


def _heatmap(predictions: Sequence[Tensor], heatmaps: Tensor) -> Tensor:
    truth = heatmaps.float()
    losses = [F.mse_loss(_full_size(prediction, truth), truth) for prediction in predictions]
    return torch.stack(losses).sum()


def _full_size(output: Tensor, like: Tensor) -> Tensor:
    output, size = output.float(), like.shape[-2:]
    if output.shape[-2:] == size:
        return output
    return F.interpolate(output, size=size, mode="bilinear", align_corners=False)
