"""The encoders of Table 1: VGG-16, ResNet-101, and ResNet-101 dilated to a stride of 8."""

from dataclasses import dataclass, field
from typing import Literal, cast

import torch
from torch import Tensor, nn

from trainables.backbones import BackboneConfig, backbone
from trainables.blocks import ConvBNReLU
from trainables.configs import check_range

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and deviation of R, G, B
LAST = (5, 4)  # timm's number of the last map: of VGG, whose first has a stride of 1, of ResNet
MOST_FEATURES = 4096

Which = Literal["vgg", "resnet", "drn"]
STRIDES: dict[Which, int] = {"vgg": 32, "resnet": 32, "drn": 8}


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """Which encoder a row has.

    Attributes:
        which: "vgg" up to and including its fifth pooling, "resnet", or "drn", the same ResNet
            with atrous convolutions in its last two blocks: an output stride of 8.
        vgg, resnet: the two backbones; a "drn" loads the weights of `resnet` whole.
        features: channels that the attention sees, 4096 at most: a 1 × 1 convolution makes them
            where the backbone has another number *(ours)*.
    """

    which: Which = "drn"
    vgg: BackboneConfig = field(default_factory=lambda: BackboneConfig(name="vgg16"))
    resnet: BackboneConfig = field(default_factory=lambda: BackboneConfig(name="resnet101"))
    features: int = 512

    def __post_init__(self) -> None:
        """InputError for what no encoder can be."""
        check_range("encoder.features", self.features, 8, MOST_FEATURES)

    @property
    def backbone(self) -> BackboneConfig:
        """The one that is meant."""
        return self.vgg if self.which == "vgg" else self.resnet

    @property
    def stride(self) -> int:
        """Of its features."""
        return STRIDES[self.which]


class Normalised(nn.Module):
    """A grey image three times over, as ImageNet's weights want it."""

    def __init__(self) -> None:
        super().__init__()
        for name, values in zip(("mean", "deviation"), IMAGENET, strict=True):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W), for `image` (N, 1, H, W) of 0…1."""
        return (image - cast("Tensor", self.mean)) / cast("Tensor", self.deviation)


class Encoder(nn.Module):
    """CT about a lesion → features that two of them can be compared by.

    Attributes:
        stride: of the features.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.stride = config.stride
        self.normalised = Normalised()
        options: dict[str, object] = {"out_indices": (LAST[config.which != "vgg"],)}
        if config.which == "drn":
            options["output_stride"] = config.stride
        self.backbone = backbone(config.backbone, 3, (config.stride,), **options)
        (channels,) = self.backbone.channels
        same = channels == config.features
        self.reduced = nn.Identity() if same else ConvBNReLU(channels, config.features, kernel=1)

    def forward(self, image: Tensor) -> Tensor:
        """(N, features, H / stride, W / stride), for `image` (N, 1, H, W) of 0…1."""
        (features,) = self.backbone(self.normalised(image))
        return cast("Tensor", self.reduced(features))
