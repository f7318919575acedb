"""Co-segmentation's settings; the defaults are the paper's (section 4), ours where it is silent."""

from dataclasses import dataclass, field, replace
from typing import Literal

from lesions import InputError
from lesions.masks.dense_crf import CrfParameters
from trainables.backbones import BackboneConfig
from trainables.configs import check_range, check_sides, check_sizes
from trainables.coseg.encoders import EncoderConfig
from trainables.coseg.model import ModelConfig
from trainables.embedding.network import EmbedderConfig
from trainables.training import TrainingConfig

STRIDE = 32  # of the coarsest features
LEAST_PIXELS, MOST_PIXELS, MOST_SIDES = 64, 1024, 100.0
MOST_CLUSTERS, MOST_DRAWS, MOST_NEIGHBOURS = 100_000, 1 << 31, 1000


@dataclass(frozen=True, kw_only=True)
class SamplesConfig:
    """How lesions in their boxes become network inputs.

    Attributes:
        size: of the view, network pixels, a multiple of 32 from 64 to 1024.
        side: side of the view in training, in long sides of the lesion's box, 100 at most *(ours:
            a box that is told is up to 1.2 times as large as the lesion's)*.
        shift: how far the view's middle lies from the box's at most, along x and along y, in long
            sides of the box, as long as the box is inside; 100 at most.
        test_side: at test, in long sides of the box that is told.
        rotation: largest angle, degrees either way, 360 at most; the paper turns nothing.
        flips: mirror at random; the paper does not.
        intensity: largest change of contrast and brightness, a fraction of the window, either way.
    """

    size: int = 128
    side: tuple[float, float] = (2.0, 2.4)
    shift: float = 0.1
    test_side: float = 2.0
    rotation: float = 0.0
    flips: bool = False
    intensity: float = 0.0

    def __post_init__(self) -> None:
        """InputError for what no sample can be."""
        check_sizes([self.size], LEAST_PIXELS, MOST_PIXELS, STRIDE)
        check_sides(self.side, MOST_SIDES)
        check_range("samples.shift", self.shift, 0, MOST_SIDES)
        check_range("samples.test_side", self.test_side, 1, MOST_SIDES)
        check_range("samples.rotation", self.rotation, 0, 360)
        check_range("samples.intensity", self.intensity, 0, 10)


@dataclass(frozen=True, kw_only=True)
class PairsConfig:
    """Which lesions are learned from together.

    Attributes:
        by: lesions of one "cluster", or any two at "random", one row of Table 1; of two patients
            either way.
        clusters: how many, 100,000 at most; 0 = as many as the paper's 200 of 32,735 lesions.
        draws: pairs an epoch, each training lesion as often as the next.
    """

    by: Literal["cluster", "random"] = "cluster"
    clusters: int = 0
    draws: int = 240_000

    def __post_init__(self) -> None:
        """InputError for what no pairs can be."""
        check_range("pairs.clusters", self.clusters, 0, MOST_CLUSTERS)
        check_range("pairs.draws", self.draws, 1, MOST_DRAWS)


@dataclass(frozen=True, kw_only=True)
class NeighboursConfig:
    """Beside whom a lesion is segmented; the paper does not say *(ours)*.

    Attributes:
        count: training lesions, up to 1000: the nearest ones, or any where pairs are random.
        form: the probabilities of one pass a neighbour are averaged ("pairs"), or their gates, for
            one pass ("group", as the authors' code segments groups).
    """

    count: int = 5
    form: Literal["pairs", "group"] = "pairs"

    def __post_init__(self) -> None:
        """InputError for what no neighbours can be."""
        check_range("neighbours.count", self.count, 1, MOST_NEIGHBOURS)


@dataclass(frozen=True, kw_only=True)
class CrfConfig(CrfParameters):
    """The dense CRF after the network, on its probability in the view; the same for every row.

    Attributes:
        on: whether there is one.
        smoothness, smoothness_px, appearance, appearance_px, appearance_level, iterations: see
            `CrfParameters`, pixels of the view. The defaults erase a lesion of this size; these
            were chosen on training patients, see docs/coseg.md.
    """

    on: bool = True
    smoothness: float = 10.0
    smoothness_px: float = 1.0
    appearance: float = 5.0
    appearance_px: float = 9.0
    appearance_level: float = 0.05

    def __post_init__(self) -> None:
        """InputError for what is no kernel."""
        try:
            super().__post_init__()
        except ValueError as error:
            raise InputError(f"crf: {error}") from None


@dataclass(frozen=True, kw_only=True)
class CoSegConfig:
    """Attention-based co-segmentation.

    Attributes:
        pseudo_mask: the mask it learns from, and is chosen by: human masks serve evaluation alone.
        model, samples, pairs, neighbours, crf, embedder, training: see each. The embedder is its
            data set's, see `platform.embed`.
    """

    pseudo_mask: str = "grabcut_r"
    model: ModelConfig = field(default_factory=ModelConfig)
    samples: SamplesConfig = field(default_factory=SamplesConfig)
    pairs: PairsConfig = field(default_factory=PairsConfig)
    neighbours: NeighboursConfig = field(default_factory=NeighboursConfig)
    crf: CrfConfig = field(default_factory=CrfConfig)
    embedder: EmbedderConfig = field(default_factory=EmbedderConfig)
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(
            epochs=2, batch_size=20, learning_rate=1e-5, weight_decay=5e-4, schedule="constant"
        )
    )

    @property
    def compares(self) -> bool:
        """Whether it is asked which lesions look alike."""
        return self.model.network == "coseg" and self.pairs.by == "cluster"


def paper() -> CoSegConfig:
    """The paper's settings: encoders with ImageNet weights, 240,000 pairs an epoch; wants a GPU."""
    return CoSegConfig()


def tiny() -> CoSegConfig:
    """The same structure with narrow encoders of random weights, small enough for a CPU core.

    ResNet-26 stands for ResNet-101. Few patients want more augmentation, and random weights a
    higher learning rate, and batch normalisation in VGG-16.
    """
    config = paper()
    encoder = EncoderConfig(
        vgg=BackboneConfig(name="vgg16_bn", width=0.125, pretrained=False),
        resnet=BackboneConfig(name="resnet26", width=0.125, pretrained=False),
        features=64,
    )
    return replace(
        config,
        model=replace(config.model, encoder=encoder, squeeze=256, hidden=64, memory=512),
        samples=replace(
            config.samples, shift=0.25, side=(1.8, 2.6), rotation=30.0, flips=True, intensity=0.4
        ),
        pairs=replace(config.pairs, draws=160),
        neighbours=replace(config.neighbours, count=3),
        embedder=EmbedderConfig(width=0.125, pretrained=False),
        training=replace(
            config.training,
            epochs=10,
            batch_size=8,
            learning_rate=1e-3,
            schedule="cosine",
            warmup=1,
        ),
    )
