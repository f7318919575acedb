"""What a system is, as the rest of the house sees it: five answers, and a few optional roles."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lesions import Lesion, Recist
from lesions.metrics.merit import DIAMETERS, DICE, SEGMENTATION, Merit
from lesions.prompts import Case, Prompt, Telling
from trainables.recipe import Objective, Recipe
from trainables.tables import PaperTable
from trainables.training import recipe_of

Sample = Mapping[str, Any]
Batch = Mapping[str, Tensor]
Square = tuple[tuple[float, float], float]  # middle (x, y) and side, slice pixels
View = tuple[NDArray[np.float64], int]  # (2, 3), a view's pixels → the slice's; the view's side


@dataclass(frozen=True, kw_only=True, eq=False)
class Attended:
    """What a network weighed of a lesion and of those beside it, for pictures of its inside.

    Attributes:
        own: (C,), the weight of each channel that the lesion itself gives, 0…1.
        partners: (C,), the mean of those that its partners give.
        where: float32 (h, w), the weight of each place in the view; None where all count alike.
    """

    own: NDArray[np.float32]
    partners: NDArray[np.float32]
    where: NDArray[np.float32] | None = None


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a system says of one case, in its slice's own pixels.

    Attributes:
        mask: uint8 (H, W), 1 = lesion; None of a system that segments nothing.
        probability: float32 (H, W), the mask's, before it was cut; likewise.
        recist: the four endpoints; None when those of an axis coincide, or none are predicted. Of
            an answer the long axis is the longer one, and both are in the image: see `settled`.
        spread_mm: of each endpoint, in the order of `recist`: its uncertainty; None where it has
            none. Empty of a system without.
        peaks: how sure the network is of each endpoint; 1 is what it was trained for.
        volume: uint8 (D, H, W), the mask on all slices of the case's volume.
        volume_probability: float32 (D, H, W), likewise.
        square: the part of the slice that was looked at; None = all of it.
        view: how it was turned and scaled to be looked at, where the system chose that itself.
        found: whether the lesion was found; else what there is beside is a guess, and `doubt`
            says what it rests on.
        doubt: what is doubtful about it, a sentence without its full stop.
        seconds: taken by each part.
        attended: what was weighed on the way, of a system with attention between lesions.
    """

    mask: NDArray[np.uint8] | None = None
    probability: NDArray[np.float32] | None = None
    recist: Recist | None = None
    spread_mm: tuple[float | None, ...] = ()
    peaks: tuple[float, ...] = ()
    volume: NDArray[np.uint8] | None = None
    volume_probability: NDArray[np.float32] | None = None
    square: Square | None = None
    view: View | None = None
    found: bool = True
    doubt: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    attended: Attended | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """A trained part: its config, and its model, on its device and in evaluation mode."""

    config: Any
    model: nn.Module


@dataclass(frozen=True, kw_only=True)
class How:
    """How a prediction is computed.

    Attributes:
        device: where the models are.
        precision: of the forward pass; None = float32.
        tta: average over mirrored views, where the system does so.
        perpendicular: turn the shorter axis to be perpendicular to the longer one; the house does.
    """

    device: torch.device
    precision: torch.dtype | None = None
    tta: bool = False
    perpendicular: bool = False


class System(ABC):
    """One published system.

    Attributes:
        name: how it is called on the command line; letters, digits and _.
        title: how tables call it.
        paper: its key in the papers' tables; "" where no paper's are kept.
        prompt: 1. what it is told of a lesion.
        endpoints: 2. whether it predicts RECIST endpoints; else they are measured from its mask.
        parts: 3. those that are trained apart and answer in this order, each with the fields of
            the config that make it; none where the system is one thing.
        reported: 5. the metrics that it is judged by.
        merit: the one that chooses its best epoch and steers a sweep.
        chosen_by_human: whether validation lesions are judged by human masks, where they have some;
            else by the masks that are learned from, and human ones serve evaluation alone.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    paper: ClassVar[str] = ""
    prompt: ClassVar[type[Prompt]]
    endpoints: ClassVar[bool] = False
    parts: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    reported: ClassVar[tuple[str, ...]] = (*SEGMENTATION, *DIAMETERS)
    merit: ClassVar[Merit] = DICE
    chosen_by_human: ClassVar[bool] = True

    @abstractmethod
    def presets(self) -> Mapping[str, Callable[[], Any]]:
        """Full configs by name: "paper", and "tiny" for CPUs.

        A config is a frozen dataclass with the fields `training` (`TrainingConfig`) and
        `pseudo_mask`, the name of the mask that is learned from.
        """

    def variants(self) -> Mapping[str, Callable[[Any], Any]]:
        """Ablations and baselines by name: each makes its full config from any preset's."""
        return {}

    def tables(self) -> Mapping[str, PaperTable]:
        """The paper's tables that its variants make, by number."""
        return {}

    def method(self, config: Any) -> str:
        """How the paper's tables call the network of this config."""
        return self.title

    @abstractmethod
    def telling(self, configs: Sequence[Any]) -> Telling:
        """1. How evaluation tells these parts of a lesion: a prompt of the kind `prompt`.

        A part that is judged alone may be told more than all of them together.

        Args:
            configs: of the parts that answer, in order.
        """

    def part(self, config: Any) -> str:
        """3. Which part a config makes; "" of a system without parts."""
        return ""

    @abstractmethod
    def model(self, config: Any, *, pretrained: bool = True) -> nn.Module:
        """The network of a part; `pretrained=False` leaves out the backbone's weights."""

    def recipe(self, config: Any) -> Recipe:
        """4. How a part is trained; by default in one phase, as `config.training` says."""
        return recipe_of(config.training)

    @abstractmethod
    def sample(self, config: Any, lesion: Lesion, rng: np.random.Generator) -> Sample:
        """One augmented training sample of a lesion; tensors without the batch axis."""

    @abstractmethod
    def terms(
        self, config: Any, model: nn.Module, batch: Batch, objective: Objective
    ) -> Mapping[str, Tensor]:
        """The terms of an objective's loss by name, each a mean over the batch's samples.

        The loss is their sum, each times its weight in the objective.
        """

    @abstractmethod
    def predict(
        self, parts: Sequence[Trained], cases: Iterable[Case], how: How
    ) -> Iterator[Prediction]:
        """2. One prediction a case, in order; all that is known of the lesion is in the case.

        Args:
            parts: one that answers alone, or all in order.
            cases: each with a prompt of the kind `prompt`.
            how: device, precision and averaging.
        """
