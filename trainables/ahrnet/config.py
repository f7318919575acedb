"""AHRNet's settings; the defaults are the paper's (section 3), and ours where it says nothing."""

from dataclasses import dataclass, field, replace
from typing import Literal

from lesions import InputError
from trainables.ahrnet.model import ModelConfig
from trainables.backbones import BackboneConfig
from trainables.configs import check_range, check_sides, check_sizes
from trainables.level_set import LevelSetConfig, switched_on
from trainables.nnunet import NNUNetConfig
from trainables.training import TrainingConfig

STRIDE = 32  # of the coarsest features: sizes are multiples of it
MOST_ROUNDS, MOST_SIZES, MOST_PIXELS, MOST_SIDES = 100, 100, 4096, 100.0


@dataclass(frozen=True, kw_only=True)
class SamplesConfig:
    """How lesions in their boxes become network inputs.

    Attributes:
        sizes: of the view, network pixels, ascending multiples of 32, 4096 at most: one a batch in
            training; at test any multiple of 32 from the first to the last.
        side: side of the view in training, in long sides of the lesion's box, 100 at most.
        shift: how far the view's middle lies from the box's at most, along x and along y, in long
            sides of the box, as long as the box is inside; 100 at most. The middle of the view is
            all that tells the network which of two lesions is meant.
        test_side: at test, in long sides of the box that is told.
        rotation: largest angle, degrees either way, 360 at most.
        flips: mirror at random; the paper does not.
        intensity: largest change of contrast and brightness, a fraction of the window, either way.
        blur: largest standard deviation of a Gaussian blur, network pixels, 100 at most.
    """

    sizes: tuple[int, ...] = (128, 160, 192, 224, 256)
    side: tuple[float, float] = (2.0, 3.5)
    shift: float = 0.25
    test_side: float = 2.5
    rotation: float = 15.0
    flips: bool = False
    intensity: float = 0.1
    blur: float = 1.0

    def __post_init__(self) -> None:
        """InputError for what no sample can be."""
        if not 1 <= len(self.sizes) <= MOST_SIZES:
            raise InputError(f"there are {len(self.sizes)} sizes; say 1 to {MOST_SIZES}")
        check_sizes(self.sizes, STRIDE, MOST_PIXELS, STRIDE)
        if list(self.sizes) != sorted(set(self.sizes)):
            raise InputError(f"the sizes {self.sizes} do not ascend")
        check_sides(self.side, MOST_SIDES)
        check_range("shift", self.shift, 0, MOST_SIDES)
        check_range("test_side", self.test_side, 1, MOST_SIDES)
        check_range("rotation", self.rotation, 0, 360)
        check_range("intensity", self.intensity, 0, 10)
        check_range("blur", self.blur, 0, 100)


@dataclass(frozen=True, kw_only=True)
class AHRNetConfig:
    """AHRNet.

    Attributes:
        pseudo_mask: the mask it learns from.
        rounds: trainings in a row, up to 100; each but the first learns from where the model of the
            one before and the ellipse agree. The paper's are 3.
        network: AHRNet's own, of `model`, or the baseline beside it, of `nnunet`.
        model, nnunet, rls, samples, training: see each.
    """

    pseudo_mask: str = "ellipse"
    rounds: int = 3
    network: Literal["ahrnet", "nnunet"] = "ahrnet"
    model: ModelConfig = field(default_factory=ModelConfig)
    nnunet: NNUNetConfig = field(default_factory=NNUNetConfig)
    rls: LevelSetConfig = field(default_factory=lambda: switched_on(LevelSetConfig()))
    samples: SamplesConfig = field(default_factory=SamplesConfig)
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(epochs=80, milestones=(0.5, 0.75))
    )

    def __post_init__(self) -> None:
        """InputError for what no training can be."""
        check_range("rounds", self.rounds, 1, MOST_ROUNDS)


def paper() -> AHRNetConfig:
    """The paper's settings: HRNet-W32 with ImageNet weights, three rounds; wants a GPU."""
    return AHRNetConfig()


def tiny() -> AHRNetConfig:
    """The same structure, small enough for a CPU core: about two minutes a run on the sample.

    Nine training patients want more augmentation, and random weights a start without a jump.
    """
    config = paper()
    backbone = BackboneConfig(name="hrnet_w18_small", pretrained=False)
    return replace(
        config,
        rounds=1,
        model=replace(config.model, backbone=backbone, features=16),
        nnunet=replace(config.nnunet, features=8),
        samples=replace(
            config.samples, sizes=(64, 96), rotation=30.0, flips=True, intensity=0.4, blur=0.5
        ),
        training=replace(
            config.training,
            epochs=16,
            learning_rate=3e-3,
            schedule="cosine",
            warmup=1,
            batch_size=4,
        ),
    )
