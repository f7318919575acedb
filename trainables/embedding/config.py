"""How an embedder is trained; where the papers say nothing, the values are ours."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from trainables.configs import check_range
from trainables.embedding.network import EmbedderConfig
from trainables.embedding.triplets import LikenessConfig
from trainables.training import RANGES


@dataclass(frozen=True, kw_only=True)
class EmbeddingConfig:
    """An embedder's training.

    Attributes:
        embedder, likeness: see each.
        margin: of the triplet loss (LesaNet: 0.1).
        epochs: each lesion is an anchor once in each.
        batch_size: triplets a step.
        learning_rate: Adam's.
        weight_decay: L2.
        jitter: each edge of a box moves by up to this fraction of its side, as new boxes are not
            drawn as radiologists mark.
        precision: as of `TrainingConfig`.
        seed: of weights, triplets and jitter.
    """

    embedder: EmbedderConfig = field(default_factory=EmbedderConfig)
    likeness: LikenessConfig = field(default_factory=LikenessConfig)
    margin: float = 0.1
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 1e-4
    weight_decay: float = 5e-4
    jitter: float = 0.1
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        """InputError for settings that cannot train."""
        for name in ("epochs", "batch_size", "weight_decay", "seed"):
            check_range(name, getattr(self, name), *RANGES[name])
        check_range("margin", self.margin, 0, 2)
        check_range("learning_rate", self.learning_rate, 1e-9, 10)
        check_range("jitter", self.jitter, 0, 0.4)


def paper() -> EmbeddingConfig:
    """LesaNet's network on ImageNet's weights."""
    return EmbeddingConfig()


def tiny() -> EmbeddingConfig:
    """For CPUs: an eighth of the channels, pixels of 2 mm; the sample within a minute."""
    embedder = EmbedderConfig(width=1 / 8, dimension=64, pixel_mm=2.0, pretrained=False)
    return EmbeddingConfig(embedder=embedder, epochs=12, learning_rate=1e-3)


PRESETS: Mapping[str, Callable[[], EmbeddingConfig]] = {"paper": paper, "tiny": tiny}
