"""Training batches: who sees which lesion when is a function of seed, epoch and place alone."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from lesions import Lesion
from trainables.system import Sample, System
from trainables.training import TrainingConfig

# A sample takes a core 2 to 3 ms: these keep a GPU of 2,000 images/s busy.
MOST_PROCESSES = 8


class TrainingSamples(Dataset[Sample]):
    """Samples by (epoch, index): the augmentation does not depend on who draws it."""

    def __init__(self, system: System, config: Any, lesions: Sequence[Lesion]) -> None:
        self.system, self.config, self.lesions = system, config, lesions

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        """The sample of a lesion in an epoch."""
        epoch, index = key
        # From 1: numpy takes [seed, epoch, 0] for [seed, epoch], which is the order's.
        rng = np.random.default_rng([self.config.training.seed, epoch, index + 1])
        return self.system.sample(self.config, self.lesions[index], rng)


def batches(
    lesions: int, batch_size: int, seed: int, epoch: int, rank: int = 0, world: int = 1
) -> list[list[tuple[int, int]]]:
    """One worker's batches of an epoch, as (epoch, index).

    Every worker gets equally many lesions (the order wraps around), so that the mean of the
    workers' gradients is the gradient of the mean. A last batch of one joins the batch before it:
    BatchNorm has no variance of a single value.
    """
    order = np.random.default_rng([seed, epoch]).permutation(lesions)
    each = -(-lesions // world)
    mine = np.resize(order, each * world)[rank::world]
    keys = [(epoch, int(index)) for index in mine]
    groups = [keys[at : at + batch_size] for at in range(0, len(keys), batch_size)]
    if len(groups) > 1 and len(groups[-1]) == 1 < batch_size:
        groups[-2:] = [groups[-2] + groups[-1]]
    return groups


class Share(Sequence[Lesion]):
    """Every `world`-th lesion from the `rank`-th on, read when asked for."""

    def __init__(self, whole: Sequence[Lesion], rank: int, world: int) -> None:
        self.whole, self.places = whole, range(rank, len(whole), world)

    def __len__(self) -> int:
        """How many lesions."""
        return len(self.places)

    def __getitem__(self, at: Any) -> Any:
        """The lesion at an index, or those of a slice."""
        places = self.places[at]
        if isinstance(places, range):
            return [self.whole[place] for place in places]
        return self.whole[places]


class EpochOrder(Sampler[list[tuple[int, int]]]):
    """This worker's batches of `epoch`, which the loop sets before each."""

    def __init__(self, lesions: int, training: TrainingConfig) -> None:
        self.lesions, self.training, self.epoch = lesions, training, 0

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        """See `batches`."""
        ranks = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        training = self.training
        yield from batches(self.lesions, training.batch_size, training.seed, self.epoch, *ranks)


class TrainingLoader:
    """This worker's batches on the device, epoch after epoch by the same loader processes."""

    def __init__(
        self, system: System, config: Any, lesions: Sequence[Lesion], device: torch.device
    ) -> None:
        self.device, self.order = device, EpochOrder(len(lesions), config.training)
        processes = loader_processes(config.training, device)
        self.loader: DataLoader[Any] = DataLoader(
            TrainingSamples(system, config, lesions),
            batch_sampler=self.order,
            num_workers=processes,
            persistent_workers=processes > 0,
            pin_memory=device.type == "cuda",
        )

    def epoch(self, epoch: int) -> Iterator[dict[str, Tensor]]:
        """The batches of an epoch."""
        self.order.epoch = epoch
        for batch in self.loader:
            yield {name: _moved(value, self.device) for name, value in batch.items()}


def loader_processes(training: TrainingConfig, device: torch.device) -> int:
    """How many prepare samples: as said, else none on a CPU and up to MOST_PROCESSES for a GPU."""
    if training.loader_workers is not None:
        return training.loader_workers
    if device.type != "cuda":
        return 0
    return max(1, min(MOST_PROCESSES, len(os.sched_getaffinity(0)) - 1))


def _moved(value: Tensor, device: torch.device) -> Tensor:
    """On the device; images in the order of axes that convolutions are fastest in."""
    order = torch.channels_last if value.dim() == 4 else torch.preserve_format
    return value.to(device, non_blocking=True, memory_format=order)
