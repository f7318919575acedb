"""The loss: pixel-wise cross-entropy of both lesions of a pair."""

from torch import Tensor
from torch.nn import functional as F

from lesions.metrics import UNCERTAIN


def pair_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean over the batch's pairs of both images' cross-entropies, summed.

    Each is a mean over the pixels that are not uncertain; an image without any costs 0.

    Args:
        logits: (N, 2, 2, S, S): of each image background and lesion.
        labels: (N, 2, S, S): 0 background, 1 lesion, 255 uncertain (ignored), of any integer type.
    """
    costs = F.cross_entropy(
        logits.float().flatten(0, 1), labels.flatten(0, 1).long(),
        ignore_index=UNCERTAIN, reduction="none",
    ).reshape(labels.shape)  # fmt: skip
    pixels = (labels != UNCERTAIN).sum(dim=(2, 3)).clamp(min=1)
    each = costs.sum(dim=(2, 3)) / pixels
    return each.sum(dim=1).mean()
