"""Roles that a system has or has not, each a small protocol, and what they speak of."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lesions import Lesion
from lesions.prompts import Case
from trainables.embedding.network import EmbedderConfig
from trainables.system import Batch, How, Prediction, Sample, Trained


@dataclass(frozen=True, kw_only=True)
class NewMask:
    """A training mask made anew.

    Attributes:
        mask: uint8 (H, W), what is trained on: 0, 1, or 255 where it is uncertain.
        refined: uint8 (H, W), 0 or 1, what the model's mask became before anything was made
            uncertain, where that is measured.
    """

    mask: NDArray[np.uint8]
    refined: NDArray[np.uint8] | None = None


@runtime_checkable
class Relabels(Protocol):
    """A role: makes a lesion's training masks from what the model so far predicts of it."""

    def relabel(self, config: Any, lesion: Lesion, prediction: Prediction) -> Mapping[str, NewMask]:
        """The masks that take the place of those of the same names, or join them."""


@dataclass(frozen=True)
class Draw:
    """Which sample is drawn: what is random about it depends on nothing else.

    Attributes:
        seed: the run's.
        epoch: 0 = the first of the recipe.
        index: of the sample, in the data set.
        batch: of the sample's batch, in the epoch.
    """

    seed: int
    epoch: int
    index: int
    batch: int = 0

    @property
    def rng(self) -> np.random.Generator:
        """The sample's own."""
        # From 1: numpy takes [seed, epoch, 0] for [seed, epoch], which is the order's.
        return np.random.default_rng([self.seed, self.epoch, self.index + 1])

    @property
    def batch_rng(self) -> np.random.Generator:
        """The same for all samples of a batch."""
        return np.random.default_rng([self.seed, self.epoch, self.batch + 1, 1])


class Samples(Protocol):
    """A data set of a system's own: pairs, neighbouring slices, patches."""

    def __len__(self) -> int:
        """How many samples an epoch has."""

    def __getitem__(self, draw: Draw) -> Sample:
        """The sample at `draw.index`."""


@runtime_checkable
class OwnSamples(Protocol):
    """A role: trains on something else than one lesion a sample."""

    def samples(self, config: Any, lesions: Sequence[Lesion]) -> Samples:
        """The data set of these training lesions."""


@runtime_checkable
class Collates(Protocol):
    """A role: makes batches in its own way, as by padding: see `trainables.loader.padded`."""

    def collate(self, samples: Sequence[Sample]) -> Batch:
        """The batch of some samples."""


@runtime_checkable
class TakesParts(Protocol):
    """A role: begins a phase from the trained weights of other parts."""

    def take(self, config: Any, model: nn.Module, part: str, weights: Mapping[str, Tensor]) -> None:
        """Put the weights of another part's model where they belong in this one."""


@runtime_checkable
class Remembers(Protocol):
    """A role: its network keeps something of the training lesions, to answer by."""

    def remember(
        self, config: Any, model: nn.Module, lesions: Sequence[Lesion], device: torch.device
    ) -> None:
        """Put it into the network's buffers; after each epoch, before it is validated."""


@runtime_checkable
class Encodes(Protocol):
    """A role: has an encoder whose features can be pooled, so that lesions are compared by them."""

    def encode(
        self, trained: Trained, cases: Iterable[Case], how: How
    ) -> Iterator[NDArray[np.float32]]:
        """One vector (D,) a case, in order; of any length."""


@runtime_checkable
class ByLooks(Protocol):
    """A role: learns from lesions that look alike, by the embeddings of their set."""

    def by_looks(self, config: Any) -> bool:
        """Whether this config does; another needs no embedder."""

    def with_embedder(self, config: Any, embedder: EmbedderConfig) -> Any:
        """The config with the embedder that made these, which is to embed new lesions, too."""


@runtime_checkable
class Searches(Protocol):
    """A role, for a system from elsewhere: has a search space of its own.

    This repository's systems have theirs in `search_spaces`. A method `first(config)` may say which
    trials are to come early, as a module there may.
    """

    def space(self, config: Any) -> Mapping[str, Any]:
        """Optuna's distributions of the searched fields, by their dotted names."""
