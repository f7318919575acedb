"""STN + SHN's settings; the defaults are the paper's, and ours where it says nothing."""

from dataclasses import dataclass, field, replace

from lesions import InputError
from trainables.backbones import BackboneConfig
from trainables.configs import check_range, check_sides, check_sizes
from trainables.stn_shn.hourglass import HourglassConfig
from trainables.stn_shn.localisation import LocalisationConfig
from trainables.training import TrainingConfig

STRIDE = 32  # of the coarsest features
MOST_PIXELS, MOST_SIDES, MOST_WEIGHT = 1024, 100.0, 1e6


@dataclass(frozen=True, kw_only=True)
class SamplesConfig:
    """How lesions in rough boxes become network inputs.

    Attributes:
        size: of the crop and of the view, network pixels, a multiple of 32, 1024 at most.
        side: side of the crop in training, in long sides of the marks' box, which stays inside;
            100 at most. At test it is the box that is told.
        rotation: largest angle, degrees either way, 360 at most.
        flips: mirror at random; the paper does not.
        intensity: largest change of contrast and brightness, a fraction of the window, either way.
        jitter_shift: how far off the views of the SHN alone are at most, of half the crop.
        jitter_turn: how far they are turned at most, degrees.
        jitter_scale: least and largest factor on their size.
    """

    size: int = 128
    side: tuple[float, float] = (2.0, 2.5)
    rotation: float = 180.0
    flips: bool = False
    intensity: float = 0.1
    jitter_shift: float = 0.1
    jitter_turn: float = 15.0
    jitter_scale: tuple[float, float] = (0.85, 1.15)

    def __post_init__(self) -> None:
        """InputError for what no sample can be."""
        check_sizes([self.size], STRIDE, MOST_PIXELS, STRIDE)
        check_sides(self.side, MOST_SIDES)
        check_range("rotation", self.rotation, 0, 360)
        check_range("intensity", self.intensity, 0, 10)
        check_range("jitter_shift", self.jitter_shift, 0, 1)
        check_range("jitter_turn", self.jitter_turn, 0, 90)
        low, high = self.jitter_scale
        if not 0.1 <= low <= high <= 10:
            raise InputError(f"jitter_scale is {low:g} to {high:g}; it must be 0.1 to 10")


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """How the losses weigh (section 2.3).

    Attributes:
        first_region: of the lesion's region (LRP) in the STN's first phase, beside 1 of the layout.
        then_layout: of the layout (TPP) in its second phase, beside 1 of the region.
        region: whether the region is learned at all.
        cosine: of the axes' cosine, beside 1 of the heat maps; 0 = without.
        through: whether the SHN's losses reach the STN when both train together. Their targets
            follow the view, so that they drive it away as soon as the layout's loss is outweighed.
    """

    first_region: float = 10.0
    then_layout: float = 10.0
    region: bool = True
    cosine: float = 1.0
    through: bool = True

    def __post_init__(self) -> None:
        """InputError for what no loss can be."""
        check_range("loss.first_region", self.first_region, 0, MOST_WEIGHT)
        check_range("loss.then_layout", self.then_layout, 0, MOST_WEIGHT)
        check_range("loss.cosine", self.cosine, 0, MOST_WEIGHT)


@dataclass(frozen=True, kw_only=True)
class STNSHNConfig:
    """STN + SHN.

    Attributes:
        pseudo_mask: the mask that the STN learns the lesion's region from.
        stn: whether there is an STN; without it the SHN sees the crop.
        sigma: of the heat maps' Gaussians, heat map pixels, 100 at most.
        localisation, hourglass, samples, loss, training: see each. Each of four phases has
            `training.epochs` at most, and begins at `training.learning_rate`.
    """

    pseudo_mask: str = "ellipse"
    stn: bool = True
    sigma: float = 1.0
    localisation: LocalisationConfig = field(default_factory=LocalisationConfig)
    hourglass: HourglassConfig = field(default_factory=HourglassConfig)
    samples: SamplesConfig = field(default_factory=SamplesConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(
            epochs=120, batch_size=8, optimizer="sgd", learning_rate=5e-4, schedule="plateau",
            patience=5, gain=0.001, drops=2, longest=40,
        )
    )  # fmt: skip

    def __post_init__(self) -> None:
        """InputError for what no network can be."""
        check_range("sigma", self.sigma, 0.1, 100)
        finest = self.samples.size // 4
        if finest % 2**self.hourglass.depth:
            raise InputError(
                f"heat maps of {finest} pixels cannot be halved {self.hourglass.depth} times",
                remedy="choose a smaller hourglass.depth or another samples.size",
            )


def paper() -> STNSHNConfig:
    """The paper's settings: ResNet-50 with ImageNet weights, 128 × 128; wants a GPU."""
    return STNSHNConfig()


def tiny() -> STNSHNConfig:
    """The same structure, small enough for a CPU core: minutes a run on the sample.

    Few patients want more augmentation, and random weights a faster optimiser than SGD at 5e-4.
    """
    config = paper()
    backbone = BackboneConfig(name="test_resnet", pretrained=False)
    return replace(
        config,
        localisation=replace(config.localisation, backbone=backbone, features=32),
        hourglass=replace(config.hourglass, features=32, stacks=2, depth=3),
        samples=replace(config.samples, size=64, flips=True, intensity=0.4),
        loss=replace(config.loss, through=False),
        training=replace(
            config.training,
            epochs=40,
            optimizer="adam",
            learning_rate=3e-3,
            schedule="cosine",
        ),
    )
