"""The baseline beside PDNet: nnU-Net's network with PDNet's inputs and outputs."""

from typing import cast

from torch import Tensor, nn

from trainables.blocks import start_masks
from trainables.nnunet import NNUNetConfig, heads, nnunet
from trainables.pdnet.model import (
    HEATMAP_CHANNELS,
    HEATMAP_SCALES,
    INPUT_CHANNELS,
    Outputs,
    start_heatmaps,
)


class NNUNet(nn.Module):
    """CT, click image and distance image → a mask and four heat maps at every supervised scale."""

    def __init__(self, config: NNUNetConfig, size: int, lesion_share: float) -> None:
        super().__init__()
        self.network = nnunet(config, size, INPUT_CHANNELS, 1 + HEATMAP_CHANNELS)
        # As PDNet's heads start: the loss is PDNet's too.
        for head in heads(self.network):
            start_heatmaps(head.weight[1:])
            start_masks(cast("Tensor", head.bias)[:1], lesion_share)

    def forward(self, inputs: Tensor) -> Outputs:
        """Masks of all scales and heat maps of the three finest, for `inputs` (N, 3, S, S)."""
        outputs: list[Tensor] = self.network(inputs)
        masks = [output[:, :1] for output in outputs]
        heatmaps = [output[:, 1:] for output in outputs[:HEATMAP_SCALES]]
        return Outputs(masks[::-1], heatmaps[::-1])
