"""The baseline of Table 1: FCN-16s on VGG-16, one image at a time (Long et al. 2015)."""

from torch import Tensor, nn
from torch.nn import functional as F

from trainables.backbones import backbone
from trainables.blocks import resize
from trainables.coseg.encoders import EncoderConfig, Normalised

DROPPED = 0.5
POOLED = (8, 32)  # strides of the maps before the fourth pooling, and after the fifth


class FCN16(nn.Module):
    """CT about a lesion → its mask, from a stride of 32 with a skip from the fourth pooling.

    Args:
        config: its VGG is the backbone.
        hidden: channels of the two layers that were VGG's fully connected ones.
    """

    def __init__(self, config: EncoderConfig, hidden: int) -> None:
        super().__init__()
        self.normalised = Normalised()
        self.backbone = backbone(config.vgg, 3, POOLED, out_indices=(3, 5))
        fourth, fifth = self.backbone.channels
        self.classifier = nn.Sequential(
            nn.Conv2d(fifth, hidden, 7, padding=3), nn.ReLU(inplace=True), nn.Dropout2d(DROPPED),
            nn.Conv2d(hidden, hidden, 1), nn.ReLU(inplace=True), nn.Dropout2d(DROPPED),
            nn.Conv2d(hidden, 2, 1),
        )  # fmt: skip
        self.skip = nn.Conv2d(fourth, 2, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Logits (N, 2, H, W), for `image` (N, 1, H, W) of 0…1; H and W multiples of 32."""
        before, last = self.backbone(self.normalised(image))
        skip = self.skip(F.max_pool2d(before, 2))
        return resize(resize(self.classifier(last), skip) + skip, image)
