"""Training batches: who sees which lesion when is a function of seed, epoch and place alone."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lesions import Lesion
from trainables.system import Sample, System


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


def epoch_loader(
    system: System, config: Any, lesions: Sequence[Lesion], epoch: int, device: torch.device
) -> Iterator[dict[str, Tensor]]:
    """This worker's batches of an epoch, on the device."""
    training = config.training
    rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    loader = DataLoader(
        TrainingSamples(system, config, lesions),
        batch_sampler=batches(len(lesions), training.batch_size, training.seed, epoch, rank, world),
        num_workers=training.loader_workers,
        pin_memory=device.type == "cuda",
    )
    for batch in loader:
        yield {name: value.to(device, non_blocking=True) for name, value in batch.items()}
