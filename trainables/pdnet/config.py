"""PDNet's settings; the defaults are the paper's (section 3)."""

from dataclasses import dataclass, field, replace
from typing import Literal

from lesions import InputError
from trainables.backbones import BackboneConfig
from trainables.configs import check_range
from trainables.level_set import LevelSetConfig
from trainables.nnunet import NNUNetConfig
from trainables.pdnet.loss import LossConfig
from trainables.pdnet.model import ModelConfig
from trainables.training import TrainingConfig

PAPER_SIZE = {1: 512, 2: 256}
PAPER_SIGMA = {1: 3.0, 2: 7.0}
LESION_SHARE = {1: 0.005, 2: 0.12}  # of a view's pixels, about
MOST_ROUNDS = 100
MOST_PIXELS, MOST_SIDES = 4096, 100.0  # a slice has no more pixels a side


@dataclass(frozen=True, kw_only=True)
class SamplesConfig:
    """How lesions become network inputs.

    Attributes:
        input_size: network pixels, a multiple of 32, 4096 at most; None = 512 at stage 1, 256 at
            stage 2.
        sigma: heat map standard deviation, network pixels; None = 3 at stage 1, 7 at stage 2.
        click_sigma: standard deviation of the click image, network pixels.
        rotation: largest angle, degrees either way, 360 at most.
        stage1_side: crop side at stage 1, as a fraction of the slice: 480…512 of 512.
        stage2_side: crop side at stage 2, in long sides of the lesion; 100 at most, as all sides.
        test_side: crop side at stage 2 when testing, in long sides of the lesion.
        test_place: the crop's middle when stage 2 is tested alone: the click, as a user gives it,
            or the middle of the RECIST's ellipse, which tells the lesion's place.
        flips: mirror at random; the paper does not.
        intensity: largest change of contrast and brightness, a fraction of the window, either
            way; the paper changes neither.
    """

    input_size: int | None = None
    sigma: float | None = None
    click_sigma: float = 10.0
    rotation: float = 10.0
    stage1_side: tuple[float, float] = (0.9375, 1.0)
    stage2_side: tuple[float, float] = (1.5, 3.5)
    test_side: float = 2.5
    test_place: Literal["click", "ellipse"] = "click"
    flips: bool = False
    intensity: float = 0.0

    def __post_init__(self) -> None:
        """InputError for what no sample can be."""
        if self.input_size is not None and (self.input_size < 32 or self.input_size % 32):
            raise InputError(f"input_size is {self.input_size}; it must be a multiple of 32")
        check_range("input_size", self.input_size, 32, MOST_PIXELS)
        for name in ("sigma", "click_sigma"):
            if (sigma := getattr(self, name)) is not None and not 0 < sigma <= MOST_PIXELS:
                raise InputError(
                    f"{name} is {sigma:g}; it must be above 0, and at most {MOST_PIXELS}"
                )
        check_range("rotation", self.rotation, 0, 360)
        check_range("intensity", self.intensity, 0, 10)
        for side in (*self.stage1_side, *self.stage2_side, self.test_side):
            if not 0 < side <= MOST_SIDES:
                raise InputError(
                    f"a crop's side is {side:g}; it must be above 0, and at most {MOST_SIDES:g}"
                )


@dataclass(frozen=True, kw_only=True)
class PDNetConfig:
    """One stage of PDNet; the two stages are trained apart.

    Attributes:
        stage: 1 sees the whole slice, 2 a crop around the lesion.
        pseudo_mask: the mask it learns from.
        rounds: trainings in a row, up to 100; each but the first learns from masks that the model
            of the one before has refined. The paper's are 3.
        network: PDNet's own, of `model`, or the baseline beside it, of `nnunet`.
        model, nnunet, loss, rls, samples, training: see each.
    """

    stage: Literal[1, 2] = 2
    pseudo_mask: str = "snakes"
    rounds: int = 1
    network: Literal["pdnet", "nnunet"] = "pdnet"
    model: ModelConfig = field(default_factory=ModelConfig)
    nnunet: NNUNetConfig = field(default_factory=NNUNetConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    rls: LevelSetConfig = field(default_factory=LevelSetConfig)
    samples: SamplesConfig = field(default_factory=SamplesConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        """InputError for what no training can be."""
        check_range("rounds", self.rounds, 1, MOST_ROUNDS)

    @property
    def input_size(self) -> int:
        """Network pixels."""
        return self.samples.input_size or PAPER_SIZE[self.stage]

    @property
    def sigma(self) -> float:
        """Heat map standard deviation, network pixels."""
        return self.samples.sigma or PAPER_SIGMA[self.stage]

    @property
    def lesion_share(self) -> float:
        """The probability with which masks start, so that their sum is about a lesion's area."""
        return LESION_SHARE[self.stage]


def paper() -> PDNetConfig:
    """The paper's settings: ResNeSt-50 with ImageNet weights, 120 epochs; wants a GPU."""
    return PDNetConfig()


def tiny() -> PDNetConfig:
    """The same structure, small enough for a CPU core: two to three minutes a run on the sample.

    Nine training patients want more augmentation than the paper's, and a narrower range of crops.
    """
    config = paper()
    backbone = BackboneConfig(name="resnest14d", width=0.25, pretrained=False)
    return replace(
        config,
        model=replace(config.model, backbone=backbone, features=16, rates=(1, 2, 3)),
        nnunet=replace(config.nnunet, features=8),
        samples=replace(
            config.samples,
            input_size=96,
            rotation=30.0,
            stage2_side=(2.0, 3.0),
            flips=True,
            intensity=0.4,
        ),
        training=replace(config.training, epochs=16, schedule="cosine", warmup=1, batch_size=4),
    )
