"""Training batches: who sees which sample when is a function of seed, epoch and place alone."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from lesions import Lesion
from trainables.kept import MOST_BYTES, Kept
from trainables.roles import Collates, Draw, OwnSamples, Samples
from trainables.system import Batch, Sample, System
from trainables.training import TrainingConfig

# A sample takes a core 2 to 3 ms: these keep a GPU of 2,000 images/s busy.
MOST_PROCESSES = 8
VALID = "valid"


class LesionSamples:
    """The data set of a system without its own: a lesion a sample."""

    def __init__(self, system: System, config: Any, lesions: Sequence[Lesion]) -> None:
        self.system, self.config, self.lesions = system, config, lesions

    def __len__(self) -> int:
        """How many lesions."""
        return len(self.lesions)

    def __getitem__(self, draw: Draw) -> Sample:
        """The sample of a lesion: its augmentation does not depend on who draws it."""
        return self.system.sample(self.config, self.lesions[draw.index], draw.rng)


def samples_of(system: System, config: Any, lesions: Sequence[Lesion]) -> Samples:
    """What a system trains on."""
    if isinstance(system, OwnSamples):
        return system.samples(config, lesions)
    return LesionSamples(system, config, lesions)


def batches(
    samples: int, batch_size: int, seed: int, epoch: int, rank: int = 0, world: int = 1
) -> list[list[Draw]]:
    """One worker's batches of an epoch.

    Every worker gets equally many samples (the order wraps around), so that the mean of the
    workers' gradients is the gradient of the mean. A last batch of one joins the batch before it:
    BatchNorm has no variance of a single value.
    """
    order = np.random.default_rng([seed, epoch]).permutation(samples)
    each = -(-samples // world)
    mine = np.resize(order, each * world)[rank::world].tolist()
    groups = [mine[at : at + batch_size] for at in range(0, len(mine), batch_size)]
    if len(groups) > 1 and len(groups[-1]) == 1 < batch_size:
        groups[-2:] = [groups[-2] + groups[-1]]
    return [
        [Draw(seed=seed, epoch=epoch, index=index, batch=at * world + rank) for index in group]
        for at, group in enumerate(groups)
    ]


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


class EpochOrder(Sampler[list[Draw]]):
    """This worker's batches of `epoch`, which the loop sets before each."""

    def __init__(self, samples: int, training: TrainingConfig) -> None:
        self.samples, self.training, self.epoch = samples, training, 0

    def __iter__(self) -> Iterator[list[Draw]]:
        """See `batches`."""
        ranks = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        training = self.training
        yield from batches(self.samples, training.batch_size, training.seed, self.epoch, *ranks)


class _AsDataset(Dataset[Sample]):
    """Samples for torch's loader, which asks by the sampler's own keys."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    def __getitem__(self, draw: Draw) -> Sample:
        return self.samples[draw]


class TrainingLoader:
    """This worker's batches on the device, epoch after epoch by the same loader processes.

    Attributes:
        lesions: those that it trains on, some of which stay decoded.
    """

    def __init__(
        self, system: System, config: Any, lesions: Sequence[Lesion], device: torch.device
    ) -> None:
        processes = loader_processes(config.training, device)
        self.lesions = Kept(lesions, MOST_BYTES // max(1, processes))
        samples = samples_of(system, config, self.lesions)
        self.device, self.order = device, EpochOrder(len(samples), config.training)
        self.loader: DataLoader[Any] = DataLoader(
            _AsDataset(samples),
            batch_sampler=self.order,
            num_workers=processes,
            persistent_workers=processes > 0,
            pin_memory=device.type == "cuda",
            collate_fn=system.collate if isinstance(system, Collates) else default_collate,
        )

    def epoch(self, epoch: int) -> Iterator[dict[str, Tensor]]:
        """The batches of an epoch."""
        self.order.epoch = epoch
        for batch in self.loader:
            yield {name: _moved(value, self.device) for name, value in batch.items()}


def padded(samples: Sequence[Sample], fill: Mapping[str, float]) -> Batch:
    """The batch of samples of unequal sizes, each padded at its far ends to the largest.

    Args:
        samples: tensors (…, H, W) by name, all of a sample of one H and W.
        fill: what a name is padded with, 0 without: 255 for labels, so that they count nowhere.

    Returns:
        The tensors by name, and bool `VALID` (N, 1, H, W): where a sample itself is.
    """
    sizes = [next(iter(sample.values())).shape[-2:] for sample in samples]
    height, width = (max(size[axis] for size in sizes) for axis in (0, 1))
    batch = {
        name: torch.stack(
            [
                F.pad(sample[name], (0, width - w, 0, height - h), value=fill.get(name, 0))
                for sample, (h, w) in zip(samples, sizes, strict=True)
            ]
        )
        for name in samples[0]
    }
    valid = torch.zeros(len(samples), 1, height, width, dtype=torch.bool)
    for one, (h, w) in zip(valid, sizes, strict=True):
        one[:, :h, :w] = True
    return {**batch, VALID: valid}


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
