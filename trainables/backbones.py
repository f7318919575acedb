"""Image backbones: feature maps of the strides that a system wants, finest first, from timm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

import timm
from timm.models import FeatureListNet, vgg
from torch import Tensor, nn

from lesions.errors import InputError, shown
from trainables.blocks import BatchNorm
from trainables.split_attention import without_copies
from trainables.stored import read_state_dict, said

STRIDES = (2, 4, 8, 16, 32)
NO_PRETRAINED = "--config.model.backbone.no-pretrained"
MOST_WIDTH = 16
_RESNET_CHANNELS = (64, 128, 256, 512)
_VGG_HEAD = 4096
_WITH_WIDTH = ("resnest", "resnet", "vgg")


@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """Which backbone, and where its weights come from.

    Attributes:
        name: a timm model with feature maps of the strides that the system wants.
        pretrained: start from ImageNet weights, fetched by timm from its hub.
        weights_file: a .pth or .safetensors state dict of `name` to read instead of the hub, 4 GiB
            at most.
        width: factor on the channels, 16 at most, of ResNeSt, ResNet and VGG; other than 1 there
            are no pretrained weights.
    """

    name: str = "resnest50d"
    pretrained: bool = True
    weights_file: Path | None = None
    width: float = 1.0

    def __post_init__(self) -> None:
        """InputError, with the choices, for what no backbone can be."""
        if not timm.is_model(self.name):
            name = shown(self.name)
            near = get_close_matches(name, timm.list_models(), n=3, cutoff=0.5)
            near = near or timm.list_models("resnest*")
            raise InputError(f"timm has no model {name!r}", remedy="try " + ", ".join(near))
        if not 0 < self.width <= MOST_WIDTH:
            raise InputError(
                f"the backbone's width is {self.width:g}; it must be above 0, and at most "
                f"{MOST_WIDTH}"
            )
        if self.width != 1 and not self.name.startswith(_WITH_WIDTH):
            raise InputError(
                f"{self.name} has only width 1", remedy="width is for ResNeSt, ResNet and VGG alone"
            )
        if self.width != 1 and self.pretrained:
            raise InputError(
                f"no pretrained weights exist at width {self.width:g}",
                remedy=f"set the width to 1, or start from random weights with {NO_PRETRAINED}",
            )
        if self.weights_file is not None and not self.pretrained:
            raise InputError(
                "weights_file is given but pretrained is off", remedy="leave one of them out"
            )

    @property
    def bare(self) -> "BackboneConfig":
        """The same network with random weights."""
        return replace(self, pretrained=False, weights_file=None)


class Backbone(nn.Module):
    """Feature maps, finest first.

    Attributes:
        channels: the channels of each map.
    """

    def __init__(self, network: nn.Module, channels: list[int]) -> None:
        super().__init__()
        self.network = network
        self.channels = channels

    def forward(self, image: Tensor) -> list[Tensor]:
        """Features of `image` (N, in_channels, H, W); H and W multiples of the last stride."""
        return cast("list[Tensor]", self.network(image))


def backbone(
    config: BackboneConfig,
    in_channels: int,
    strides: Sequence[int] = STRIDES,
    **options: object,
) -> Backbone:
    """Build the backbone; with other than 3 input channels timm adapts the first layer's weights.

    Intensities need no ImageNet mean and standard deviation when `in_channels` is 1: the first
    convolution feeds a batch normalisation, which undoes any scale and shift.

    Args:
        config: which, and its weights.
        in_channels: of the image.
        strides: of the maps: VGG-16 has (1, 2, 4, 8, 16, 32); at an output stride of 8 a ResNet
            has (2, 4, 8, 8, 8).
        options: of timm's model, as `output_stride=8`.

    Raises:
        InputError: the hub of pretrained weights cannot be reached, `weights_file` is no state
            dict of the model, or the model has other strides.
    """
    if config.weights_file is not None:
        network = _from_file(config, in_channels, config.weights_file, options)
    elif config.pretrained:
        network = _from_hub(config, in_channels, options)
    else:
        network = _create(config, in_channels, pretrained=False, **options)
    info = cast("Any", network).feature_info
    if tuple(info.reduction()) != tuple(strides):
        raise InputError(f"{config.name} has strides {info.reduction()}, not {list(strides)}")
    return Backbone(network, info.channels())


def _create(config: BackboneConfig, in_channels: int, **options: object) -> nn.Module:
    if config.width != 1 and config.name.startswith("vgg"):
        return _any_batch(_narrow_vgg(config, in_channels, **options))
    if config.width != 1:
        channels = [_scaled(width, config.width) for width in _RESNET_CHANNELS]
        options |= {"channels": channels}
        options |= {"stem_width": channels[0] // 2} if config.name.startswith("resnest") else {}
    model = timm.create_model(config.name, features_only=True, in_chans=in_channels, **options)
    return _any_batch(without_copies(model))


def _narrow_vgg(config: BackboneConfig, in_channels: int, **options: Any) -> nn.Module:
    """A VGG of other channels, which timm's own names do not have."""
    layers = [
        layer if isinstance(layer, str) else _scaled(layer, config.width)
        for layer in vgg.cfgs[config.name.partition("_")[0]]
    ]
    norm = nn.BatchNorm2d if config.name.endswith("_bn") else None
    # Of the head, which is dropped, as little as can be made.
    network = vgg.VGG(layers, 0, in_channels, mlp_ratio=1 / _VGG_HEAD, norm_layer=norm)
    options = {"out_indices": tuple(range(6))} | {
        name: value for name, value in options.items() if name != "pretrained"
    }
    return cast("nn.Module", FeatureListNet(network, flatten_sequential=True, **options))


def _scaled(channels: int, width: float) -> int:
    return max(8, 8 * round(width * channels / 8))


def _any_batch(network: nn.Module) -> nn.Module:
    """The network with batch normalisations that train on a batch of 1 too, in place.

    Split attention normalises a 1×1 map; so does each network whose last map is one.
    """
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:  # not timm's own, which add an activation
            module.__class__ = BatchNorm
    return network


def _from_hub(config: BackboneConfig, in_channels: int, options: Mapping[str, object]) -> nn.Module:
    try:
        return _create(config, in_channels, pretrained=True, **options)
    except OSError as error:
        raise InputError(
            f"the pretrained weights of {config.name} cannot be fetched ({type(error).__name__})",
            remedy=f"start from random weights with {NO_PRETRAINED}, or name a local file with "
            "--config.model.backbone.weights-file",
        ) from error


def _from_file(
    config: BackboneConfig, in_channels: int, file: Path, options: Mapping[str, object]
) -> nn.Module:
    try:
        weights = read_state_dict(file)
        # timm gets tensors, not a file: it would read one in its own way. It edits what it gets.
        given = {"state_dict": dict(weights)}
        network = _create(
            config, in_channels, pretrained=True, pretrained_cfg_overlay=given, **options
        )
    except Exception as error:  # each format fails in its own way
        raise InputError(
            f"cannot be read as weights of {config.name}: {said(error)}", file=file
        ) from error
    cast("Any", network).pretrained_cfg.pop("state_dict")  # timm would keep a copy for good
    # timm loads feature extractors loosely: a foreign file would leave random weights unsaid.
    # Files of before torch 0.4 count no batches, and nothing here asks for that count.
    wanted = (name for name in network.state_dict() if not name.endswith("num_batches_tracked"))
    if missing := sorted(set(wanted) - set(weights)):
        raise InputError(
            f"is no state dict of {config.name}: it lacks {len(missing)} entries, "
            f"{missing[0]} among them",
            file=file,
        )
    return network
