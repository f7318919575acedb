"""Position attention as DANet writes it, all of its weights held at once."""

import torch
from torch import Tensor

from trainables.blocks import PositionAttention


def plain(block: PositionAttention, features: Tensor) -> Tensor:
    """What `block` gives of `features` (N, C, H, W)."""
    pixels = features.flatten(2).transpose(1, 2)
    energy = block.query(pixels) @ block.key(pixels).transpose(1, 2)
    gathered = torch.softmax(energy, dim=2) @ block.value(pixels)
    return block.gamma * gathered.transpose(1, 2).reshape(features.shape) + features
