"""AHRNet's segmentation loss (Equation 3), over every output."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lesions.metrics import UNCERTAIN
from trainables.losses import full_size, iou_loss, masked_bce


def segmentation_terms(outputs: Sequence[Tensor], labels: Tensor) -> dict[str, Tensor]:
    """Cross-entropy and IoU loss, each summed over the outputs.

    Args:
        outputs: logits (N, 1, h, w), which are up-sampled to the labels' size *(ours)*: labels with
            uncertain pixels cannot be averaged.
        labels: (N, 1, S, S): 0 background, 1 lesion, 255 uncertain (ignored), of any integer type.
    """
    logits = torch.cat([full_size(output, labels) for output in outputs], dim=1)
    target, valid = labels == 1, labels != UNCERTAIN
    return {
        "bce_loss": len(outputs) * masked_bce(logits, target, valid),
        "iou_loss": len(outputs) * iou_loss(torch.sigmoid(logits), target, valid),
    }
