"""The four mirrored views of an image, over which a network's answers are averaged."""

from collections.abc import Sequence

import torch
from torch import Tensor

FLIPS = ((False, False), (True, False), (False, True), (True, True))  # along x, along y


def flipped(image: Tensor, flip_x: bool, flip_y: bool) -> Tensor:
    """An image (…, S, S) mirrored along x, y, both or neither."""
    return image.flip([axis for axis, flip in ((-1, flip_x), (-2, flip_y)) if flip])


def sum_of(tensors: Sequence[Tensor]) -> Tensor:
    """Their sum, in order."""
    return torch.stack(list(tensors)).sum(dim=0)
