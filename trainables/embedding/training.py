"""The training of an embedder: triplets of a set's training lesions, by a short loop of its own.

One sample is three lesions, and no mask is learned from: the house's loop has no place for either.
What is drawn is a function of seed and epoch alone, so a training that was killed goes on to the
same weights.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from trainables.configs import flatten
from trainables.embedding.config import EmbeddingConfig
from trainables.embedding.looked import Looked
from trainables.embedding.network import Embedder
from trainables.embedding.resumed import restore, save_state
from trainables.embedding.triplets import Triplets
from trainables.training import autocast_dtype


class EmbedderTraining:
    """A training that goes on epoch by epoch, from where it was killed.

    Args:
        looked: the training lesions.
        config: how.
        folder: of the training's own files.
        device: where.

    Attributes:
        done: epochs.
        model: so far.

    Raises:
        InputError: no triplet can be drawn, weights cannot be had, or `folder` is damaged.
    """

    def __init__(
        self, looked: Looked, config: EmbeddingConfig, folder: Path, device: torch.device
    ) -> None:
        self.looked, self.config, self.folder, self.device = looked, config, folder, device
        self.triplets = Triplets(looked.cues, config.likeness)
        self.model = fresh(config).to(device)
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.dtype = autocast_dtype(config.precision, device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.dtype is torch.float16)
        self.of = _identity(looked, config)
        self.done = restore(folder, self.of, self.model, self.optimizer, self.scaler)

    def epoch(self) -> float:
        """Train one epoch, and keep it; its mean loss."""
        self.model.train()
        losses = []
        for patches, boxes in batches(
            self.looked, self.triplets, self.config, self.done, self.device
        ):
            with torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype is not None):
                loss = triplet_loss(self.model(patches, boxes), self.config.margin)
            self.optimizer.zero_grad(set_to_none=True)
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            self.scaler.step(self.optimizer)
            self.scaler.update()
            losses.append(loss.detach())
        self.model.eval()
        self.done += 1
        save_state(self.folder, self.of, self.done, self.model, self.optimizer, self.scaler)
        return float(torch.stack(losses).mean())


def fresh(config: EmbeddingConfig) -> Embedder:
    """The embedder before its training; of random weights, those of the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return Embedder(config.embedder).eval()


def triplet_loss(vectors: Tensor, margin: float) -> Tensor:
    """The mean over triplets of max(0, |a − p| − |a − n| + margin).

    Args:
        vectors: (3 · T, D): all anchors, then those like them, then those unlike.
        margin: by which those unlike are to be farther away.
    """
    anchor, alike, unlike = vectors.chunk(3)
    return F.triplet_margin_loss(anchor, alike, unlike, margin=margin)


def batches(
    looked: Looked, triplets: Triplets, config: EmbeddingConfig, epoch: int, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """An epoch's batches, as `triplet_loss` takes them: patches (3 · T, 1, S, S), boxes."""
    drawn = triplets.draw(config.seed, epoch)
    rng = np.random.default_rng([config.seed, epoch, 1])
    for at in range(0, len(drawn), config.batch_size):
        places = drawn[at : at + config.batch_size].T.ravel()
        moves = rng.uniform(-config.jitter, config.jitter, (len(places), 4))
        yield looked.batch(places, device, moves)


def _identity(looked: Looked, config: EmbeddingConfig) -> str:
    """What tells a training from others: its settings and its lesions."""
    digest = hashlib.sha256(json.dumps(flatten(config), sort_keys=True).encode())
    cues = looked.cues
    arrays: list[NDArray[np.generic]] = [
        looked.patches, looked.boxes, cues.places, cues.sizes, cues.patients, cues.types
    ]  # fmt: skip
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
    return digest.hexdigest()
