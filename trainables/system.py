"""What a system is to the rest of the house: five functions of its config."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lesions import Lesion, Recist
from trainables.crops import Crop
from trainables.tables import PaperTable

Sample = Mapping[str, Any]
Batch = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a system says of one lesion, in its slice's own pixels.

    Attributes:
        mask: uint8 (H, W), 1 = lesion.
        recist: the four endpoints, or None when the network's endpoints coincide.
    """

    mask: NDArray[np.uint8]
    recist: Recist | None


@dataclass(frozen=True, kw_only=True)
class Refined:
    """The mask of a lesion for the next training round.

    Attributes:
        refined: uint8 (H, W), 0 or 1: what the model's mask became at the CT's edges.
        mask: uint8 (H, W), what is trained on: 0, 1, or 255 where it is uncertain.
    """

    refined: NDArray[np.uint8]
    mask: NDArray[np.uint8]


class System(ABC):
    """One published system."""

    name: str
    paper: str
    in_rounds = False  # whether it has a `next_mask`

    @abstractmethod
    def presets(self) -> Mapping[str, Callable[[], Any]]:
        """Full configs by name: "paper", and "tiny" for CPUs."""

    def variants(self) -> Mapping[str, Callable[[Any], Any]]:
        """Ablations and baselines by name: each makes its full config from any preset's."""
        return {}

    def tables(self) -> Mapping[str, PaperTable]:
        """The paper's tables that its variants make, by number."""
        return {}

    @abstractmethod
    def model(self, config: Any, *, pretrained: bool = True) -> nn.Module:
        """The network; `pretrained=False` leaves out the backbone's weights from the hub."""

    @abstractmethod
    def sample(self, config: Any, lesion: Lesion, rng: np.random.Generator) -> Sample:
        """One augmented training sample; tensors without the batch axis."""

    @abstractmethod
    def loss(self, config: Any, model: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch, a mean over its samples, and its named parts (detached)."""

    @abstractmethod
    def protocol(self, config: Any) -> str:
        """One sentence for those who read its results: what `predict` is told of a lesion."""

    @abstractmethod
    def view(self, config: Any, lesion: Lesion) -> Crop:
        """The part of the slice that `predict` sees."""

    @abstractmethod
    def predict(
        self, config: Any, model: nn.Module, lesions: Sequence[Lesion], device: torch.device
    ) -> Iterator[Prediction]:
        """One prediction a lesion, in order; what is random at test time is fixed by the lesion."""

    def predict_together(
        self, checkpoints: Sequence[Path], lesions: Sequence[Lesion], device: torch.device
    ) -> Iterator[Prediction]:
        """The same by several trained parts that answer in order, as a table's `together` says."""
        raise NotImplementedError(f"{self.name} has no parts that answer in order")

    def next_mask(self, lesion: Lesion, predicted: NDArray[np.uint8]) -> Refined:
        """What a lesion is trained on in the next round, from the model's mask (H, W) of it."""
        raise NotImplementedError(f"{self.name} is trained in one round")
