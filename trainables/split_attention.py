"""Split attention of ResNeSt (Zhang et al. 2020) as timm builds it, computed without copies."""

import torch
from timm.layers.split_attn import SplitAttn
from torch import Tensor, nn


class SplitAttention(SplitAttn):  # type: ignore[misc]
    """timm's block with other arithmetic for the same result, and the same state dict.

    timm views the channels as (radix, C) and sums over radix, a reduction that torch computes ten
    times slower where channels are last; and it returns them first, which the next block undoes.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Attended features (N, C, h, w), their channels last or first as those of `features`."""
        features = self.act0(self.drop(self.bn0(self.conv(features))))
        splits = features.chunk(self.radix, dim=1)
        pooled = [split.mean((2, 3), keepdim=True) for split in splits]
        hidden = self.act1(self.bn1(self.fc1(torch.stack(pooled).sum(dim=0))))
        weights = self.rsoftmax(self.fc2(hidden)).flatten(1)[..., None, None]
        weights = weights.chunk(self.radix, dim=1)
        attended: Tensor = splits[0] * weights[0]
        for split, weight in zip(splits[1:], weights[1:], strict=True):
            attended = torch.addcmul(attended, split, weight)
        return attended


def without_copies(network: nn.Module) -> nn.Module:
    """The network with every split attention block of timm's computed so, in place."""
    for module in network.modules():
        if type(module) is SplitAttn:
            module.__class__ = SplitAttention  # as torch's own parametrizations do
    return network
