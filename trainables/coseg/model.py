"""The Siamese network (section 3.2 of the paper), and the baseline that sees one image."""

from dataclasses import dataclass, field
from typing import Literal, Self, cast

import torch
from torch import Tensor, nn

from trainables.configs import check_range
from trainables.coseg.attention import Attention, Gate, Spatial
from trainables.coseg.decoder import Decoder
from trainables.coseg.encoders import Encoder, EncoderConfig
from trainables.coseg.fcn import FCN16
from trainables.coseg.memory import Memory
from trainables.embedding.network import Embedder, EmbedderConfig

LEARNS = ("network.",)  # the embedder is as its data set's
MOST_WIDTH, MOST_MEMORY = 16384, 1 << 20


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The network's structure; the defaults are the paper's best row, DRN-101 + CSA.

    Attributes:
        network: "coseg", or "fcn", FCN-16s on the encoder's VGG, which sees one image.
        encoder: see `EncoderConfig`.
        attention: "channel", in every row of the paper; "none" leaves two separate images.
        gate: a channel is weighed by the partner's gate ("swapped") or by both ("fused").
        spatial: beside it the "mean" map of CSA, a "learned" one, or "none".
        squeeze: hidden width of the gate, 16384 at most.
        hidden: channels of FCN-16's classifier, 16384 at most.
        memory: training lesions that it keeps to compare with, evenly chosen where there are more.
    """

    network: Literal["coseg", "fcn"] = "coseg"
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    attention: Literal["channel", "none"] = "channel"
    gate: Gate = "swapped"
    spatial: Spatial = "mean"
    squeeze: int = 4096
    hidden: int = 4096
    memory: int = 32768

    def __post_init__(self) -> None:
        """InputError for what no network can be."""
        check_range("model.squeeze", self.squeeze, 1, MOST_WIDTH)
        check_range("model.hidden", self.hidden, 1, MOST_WIDTH)
        check_range("model.memory", self.memory, 1, MOST_MEMORY)


class Siamese(nn.Module):
    """Encoder, attention and decoder, shared by both lesions of a pair."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        features = config.encoder.features
        self.encoder = Encoder(config.encoder)
        self.attention = (
            Attention(features, config.squeeze, config.gate, config.spatial)
            if config.attention == "channel"
            else None
        )
        self.decoder = Decoder(features, self.encoder.stride)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (2N, 2, H, W): first all first lesions, then their partners, as in `images`."""
        features = self.encoder(images)
        first, second = self.gates(features).chunk(2)
        return self.masks(features, torch.cat([second, first]))

    def gates(self, features: Tensor) -> Tensor:
        """What each image tells its partner (N, channels), of its `features`; ones without."""
        if self.attention is None:
            return features.new_ones(features.shape[:2])
        return self.attention.gate(features)

    def masks(self, features: Tensor, partners: Tensor) -> Tensor:
        """Logits (N, 2, H, W) of `features` (N, channels, h, w) beside the partners' gates."""
        attended = features if self.attention is None else self.attention(features, partners)
        return cast("Tensor", self.decoder(attended))


class CoSeg(nn.Module):
    """A pair of lesions → both masks; and what is needed to find a new lesion's partners.

    Attributes:
        network: what learns.
        embedder: how lesions are compared; as it was made for the data set, never trained here;
            None where they are paired at random.
        memory: of the training lesions.
    """

    network: Siamese
    embedder: Embedder | None
    memory: Memory

    def __init__(self, config: ModelConfig, embedder: EmbedderConfig | None) -> None:
        super().__init__()
        self.network = Siamese(config)
        self.embedder, dimension = None, 0
        if embedder is not None:
            self.embedder = Embedder(embedder).requires_grad_(False).eval()
            dimension = embedder.dimension
        self.memory = Memory(config.memory, dimension, config.encoder.features)

    def train(self, mode: bool = True) -> Self:
        """The network alone: the embedder's statistics stay."""
        super().train(mode)
        if self.embedder is not None:
            self.embedder.eval()
        return self

    def forward(self, pairs: Tensor) -> Tensor:
        """Logits (N, 2, 2, S, S) of background and lesion, for `pairs` (N, 2, 1, S, S) of 0…1.

        Swapping a pair swaps its logits: to rounding in evaluation mode; in training the
        statistics of batch normalisation are those of both images together.
        """
        return in_pairs(self.network(both(pairs)))


class Alone(nn.Module):
    """FCN-16 for the images of pairs: each by itself."""

    network: FCN16

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.network = FCN16(config.encoder, config.hidden)

    def forward(self, pairs: Tensor) -> Tensor:
        """As `CoSeg`'s, without any word between the two."""
        return in_pairs(self.network(both(pairs)))


def both(pairs: Tensor) -> Tensor:
    """(N, 2, 1, S, S) → (2N, 1, S, S): all first images, then all second ones."""
    images = torch.cat([pairs[:, 0], pairs[:, 1]])
    return images.contiguous(memory_format=torch.channels_last)


def in_pairs(logits: Tensor) -> Tensor:
    """(2N, 2, S, S), in the order of `both`, → (N, 2, 2, S, S)."""
    return logits.reshape(2, -1, *logits.shape[1:]).transpose(0, 1)
