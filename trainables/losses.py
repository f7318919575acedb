"""Segmentation losses that several systems share.

Each takes prediction (N, C, H, W), target (N, C or 1, H, W) and valid (N, 1, H, W), bool or float,
and is the mean over the batch of a value per sample: equal shards of a batch average to the whole
batch's value. Pixels that are not valid count nowhere and get no gradient; a sample without a
valid pixel costs 0. All is computed in float32, also under autocast.
"""

from torch import Tensor
from torch.nn import functional as F

from trainables.blocks import resize

EMPTY_PX = 1.0


def masked_mse(prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Mean squared error over the channels and the valid pixels of each sample; a scalar ≥ 0."""
    weight = valid.float()
    squares = (prediction.float() - target.float()).square() * weight
    pixels = weight.sum(dim=(1, 2, 3)).clamp(min=1.0)
    return (squares.sum(dim=(1, 2, 3)) / (pixels * prediction.shape[1])).mean()


def masked_bce(logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Mean binary cross-entropy of logits over the channels and the valid pixels; a scalar ≥ 0."""
    weight, truth = valid.float(), target.float().expand_as(logits)
    costs = F.binary_cross_entropy_with_logits(logits.float(), truth, reduction="none") * weight
    pixels = weight.sum(dim=(1, 2, 3)).clamp(min=1.0)
    return (costs.sum(dim=(1, 2, 3)) / (pixels * logits.shape[1])).mean()


def iou_loss(prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """1 − soft intersection over union, of each channel of each sample; a scalar in [0, 1].

    `prediction` holds probabilities. Where the truth is empty, and there alone, both areas get
    `EMPTY_PX` pixel more: an empty prediction costs 0 and a larger one nearly 1. With it everywhere
    a small lesion's empty prediction would cost less than any even one: 1/31 is shared by 30
    pixels of truth and none, 30/9216 by them and the whole of a view.
    """
    weight = valid.float()
    probability, truth = prediction.float() * weight, target.float() * weight
    intersection = (probability * truth).sum(dim=(2, 3))
    area = truth.sum(dim=(2, 3))
    union = probability.sum(dim=(2, 3)) + area - intersection
    more = EMPTY_PX * (area == 0)
    return (1 - (intersection + more) / (union + more)).mean()


def full_size(output: Tensor, like: Tensor) -> Tensor:
    """An output (N, C, h, w) in float32, up-sampled to the height and width of `like`."""
    output = output.float()
    return output if output.shape[-2:] == like.shape[-2:] else resize(output, like)
