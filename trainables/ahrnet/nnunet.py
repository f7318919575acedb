"""The baseline beside AHRNet: nnU-Net's network with AHRNet's input and outputs."""

from typing import cast

from torch import Tensor, nn

from trainables.ahrnet.model import LESION_SHARE
from trainables.blocks import start_masks
from trainables.nnunet import NNUNetConfig, heads, nnunet


class NNUNet(nn.Module):
    """CT about a lesion → its mask at every supervised scale.

    It is planned for `size`, the smallest that it is to see, in pixels: sizes that its coarsest
    stage divides work as well.
    """

    def __init__(self, config: NNUNetConfig, size: int, lesion_share: float = LESION_SHARE) -> None:
        super().__init__()
        self.network = nnunet(config, size, 1, 1)
        # As AHRNet's heads start: the loss is AHRNet's too.
        for head in heads(self.network):
            start_masks(cast("Tensor", head.bias), lesion_share)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Logits from coarse to fine, the last one (N, 1, H, W), for `image` of that shape."""
        masks: list[Tensor] = self.network(image)
        return masks[::-1]
