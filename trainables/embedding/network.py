"""The network that embeds a lesion, after LesaNet (Yan et al. 2019).

VGG-16 with batch normalisation; RoI pooling 5 × 5 of the lesion's box after each of its five
stages, a linear layer of each, and one of all together; the vector has unit length.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import roi_align

from lesions import InputError
from lesions.prepared.embeddings import MOST_DIMENSION
from trainables.backbones import BackboneConfig, backbone
from trainables.configs import check_range
from trainables.stored import check_shapes, read_state_dict, said

_STRIDES = (1, 2, 4, 8, 16)  # of each stage's map, before it is pooled
_POOLED = 5  # cells a side of a box
_SAMPLES = 2  # a side of a cell
_OTHERWISE = (
    "name a file of vgg16_bn's weights with --imagenet-file, start from random ones with "
    "--no-pretrained, or take --preset tiny"
)
MOST_WIDTH = 4.0
MOST_PIXELS = 512  # a side of a patch


@dataclass(frozen=True, kw_only=True)
class EmbedderConfig:
    """The network, and what it sees; the defaults are the paper's, as far as they are known.

    Attributes:
        dimension: of the vector, and of each stage's part; 4096 at most.
        width: factor on VGG-16's channels, 4 at most; other than 1 there are no ImageNet weights.
        side_mm: of the patch around a lesion; a larger box widens it.
        pixel_mm: of the patch's pixels.
        pretrained: start from ImageNet weights, fetched by timm from its hub.
        imagenet_file: a state dict of vgg16_bn to read instead of the hub.
        weights_file: a trained embedder's, all of them; then no others are asked for.
    """

    dimension: int = 256
    width: float = 1.0
    side_mm: float = 120.0
    pixel_mm: float = 1.0
    pretrained: bool = True
    imagenet_file: Path | None = None
    weights_file: Path | None = None

    def __post_init__(self) -> None:
        """InputError for what no embedder can be."""
        check_range("embedder.dimension", self.dimension, 1, MOST_DIMENSION)
        check_range("embedder.pixel_mm", self.pixel_mm, 0.1, 10)
        check_range("embedder.side_mm", self.side_mm, 16 * self.pixel_mm, 1000)
        check_range("embedder.side_mm / pixel_mm", self.pixels, 16, MOST_PIXELS)
        if not 0 < self.width <= MOST_WIDTH:
            raise InputError(f"embedder.width is {self.width:g}; it must be above 0, and at most "
                             f"{MOST_WIDTH:g}")  # fmt: skip
        if self.width != 1 and self.pretrained:
            raise InputError(
                f"no pretrained weights exist at width {self.width:g}",
                remedy="set the width to 1, or start from random weights",
            )
        if self.imagenet_file is not None and not self.pretrained:
            raise InputError("imagenet_file is given but pretrained is off",
                             remedy="leave one of them out")  # fmt: skip

    @property
    def pixels(self) -> int:
        """A side of the patch."""
        return round(self.side_mm / self.pixel_mm)

    @property
    def bare(self) -> "EmbedderConfig":
        """The same network with random weights."""
        return replace(self, pretrained=False, imagenet_file=None, weights_file=None)


class Embedder(nn.Module):
    """Patches and boxes in, unit vectors out.

    Args:
        config: which; its weights, but for `pretrained=False`.
        pretrained: read the weights that the config names.

    Raises:
        InputError: these cannot be had.
    """

    def __init__(self, config: EmbedderConfig, *, pretrained: bool = True) -> None:
        super().__init__()
        trained = config.weights_file if pretrained else None
        self.config = config
        self.stages, channels = _stages(config if pretrained and trained is None else config.bare)
        cells = _POOLED**2
        self.parts = nn.ModuleList(nn.Linear(cells * each, config.dimension) for each in channels)
        self.whole = nn.Linear(len(channels) * config.dimension, config.dimension)
        if trained is not None:
            _load(self, trained)

    def forward(self, patches: Tensor, boxes: Tensor) -> Tensor:
        """Embed lesions.

        Args:
            patches: (N, 1, S, S), 0…1, S at least 16.
            boxes: (N, 4), x0, y0, x1, y1, pixels of the patch, centres at integers.

        Returns:
            (N, dimension), of unit length.
        """
        # roi_align counts from the outer edge of the first pixel.
        where = torch.cat([torch.arange(len(boxes), device=boxes.device)[:, None].to(boxes),
                           boxes + 0.5], dim=1)  # fmt: skip
        maps = cast("list[Tensor]", self.stages(patches))
        vectors = []
        for features, stride, part in zip(maps, _STRIDES, self.parts, strict=False):
            pooled = roi_align(features.float(), where.float(), _POOLED, 1 / stride, _SAMPLES, True)
            vectors.append(part(pooled.flatten(1)))
        return F.normalize(self.whole(torch.cat(vectors, dim=1)).float(), dim=1)


def _stages(config: EmbedderConfig) -> tuple[nn.Module, list[int]]:
    """What makes the maps, and the channels of the five."""
    wanted = BackboneConfig(
        name="vgg16_bn", width=config.width, pretrained=config.pretrained,
        weights_file=config.imagenet_file,
    )  # fmt: skip
    try:
        made = backbone(wanted, 1, (*_STRIDES, 32))  # the sixth is the fifth, pooled
    except InputError as error:
        raise InputError(error.reason, file=error.file, remedy=_OTHERWISE) from error
    return made, made.channels[: len(_STRIDES)]


def _load(model: Embedder, file: Path) -> None:
    """Put a trained embedder's weights into the network; InputError where they are another's."""
    try:
        weights = read_state_dict(file)
        check_shapes(weights, model.state_dict())
    except Exception as error:  # each format fails in its own way
        raise InputError(f"cannot be read as the embedder's weights: {said(error)}",
                         file=file) from error  # fmt: skip
    model.load_state_dict(weights)
