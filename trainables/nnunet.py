"""nnU-Net's 2D network, by its authors' package, planned as nnU-Net plans it (Isensee et al. 2021).

Its training recipe is not here: it is a network among others, trained by the house's one loop.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from torch import nn

from trainables.configs import check_range

if TYPE_CHECKING:
    from dynamic_network_architectures.architectures.unet import (  # type: ignore[import-untyped]
        PlainConvUNet,
    )

COARSEST = 4  # pixels of the coarsest map, at least
CONVOLUTIONS = 2  # a stage
MOST_FEATURES = 512


@dataclass(frozen=True, kw_only=True)
class NNUNetConfig:
    """Its size; the number of stages follows from the input's.

    Attributes:
        features: channels of the finest stage, 512 at most; each stage doubles them, up to 512.
    """

    features: int = 32

    def __post_init__(self) -> None:
        """InputError for what no network can be."""
        check_range("nnunet.features", self.features, 1, MOST_FEATURES)


def stages_for(size: int) -> int:
    """How many stages: halve the input while that divides it and leaves 4 pixels at least."""
    stages = 1
    while size % 2 == 0 and size // 2 >= COARSEST:
        stages, size = stages + 1, size // 2
    return stages


def nnunet(config: NNUNetConfig, size: int, in_channels: int, out_channels: int) -> "PlainConvUNet":
    """The network for inputs (N, in_channels, size, size).

    It gives a list of (N, out_channels, h, w), linear, from full size to the coarsest stage but
    one: nnU-Net's deep supervision.
    """
    # The other networks do without the package.
    from dynamic_network_architectures.architectures.unet import PlainConvUNet

    stages = stages_for(size)
    network = PlainConvUNet(
        input_channels=in_channels,
        n_stages=stages,
        features_per_stage=[min(config.features << k, MOST_FEATURES) for k in range(stages)],
        conv_op=nn.Conv2d,
        kernel_sizes=3,
        strides=[1] + [2] * (stages - 1),
        n_conv_per_stage=CONVOLUTIONS,
        num_classes=out_channels,
        n_conv_per_stage_decoder=CONVOLUTIONS,
        conv_bias=True,
        norm_op=nn.InstanceNorm2d,
        norm_op_kwargs={"eps": 1e-5, "affine": True},
        nonlin=nn.LeakyReLU,
        nonlin_kwargs={"inplace": True},
        deep_supervision=True,
    )
    network.apply(network.initialize)
    return network


def heads(network: "PlainConvUNet") -> list[nn.Conv2d]:
    """The 1×1 convolutions that give its outputs, from full size to coarse."""
    return cast("list[nn.Conv2d]", list(network.decoder.seg_layers)[::-1])
