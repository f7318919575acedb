"""A small embedder, and lesions on made slices, for tests of embedding."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from lesions import Lesion, Recist
from lesions.readers.png import encode_slice
from trainables.embedding.config import EmbeddingConfig
from trainables.embedding.looked import Looked
from trainables.embedding.network import Embedder, EmbedderConfig
from trainables.embedding.training import EmbedderTraining

NARROW = EmbedderConfig(width=1 / 16, dimension=8, pretrained=False, side_mm=64, pixel_mm=2)
CPU = torch.device("cpu")


def narrow(seed: int = 0) -> Embedder:
    torch.manual_seed(seed)
    return Embedder(NARROW).eval()


def lesion(
    middle: tuple[float, float] = (60, 50),
    half: tuple[float, float] = (8, 5),
    spacing: tuple[float, float, float] = (0.8, 0.8, 5.0),
    shape: tuple[int, int] = (100, 120),
    **facts: object,
) -> Lesion:
    """A bright ellipse, upright, on a body of 0 HU; `half` its half axes in pixels."""
    (x, y), (a, b) = middle, half
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    hu = np.full(shape, -1000, np.int16)
    hu[5:-5, 10:-10] = 0
    hu[((columns - x) / a) ** 2 + ((rows - y) / b) ** 2 <= 1] = 120
    recist = Recist(np.array([[x - a, y], [x + a, y], [x, y - b], [x, y + b]]))
    return Lesion(
        **{"file": "made.png", "row": 1, "recist": recist, "spacing": spacing, "shape": shape,
           "window": (-160.0, 240.0), "encoded": encode_slice(hu)} | facts
    )  # type: ignore[arg-type]  # fmt: skip


def fit_embedder(
    looked: Looked,
    config: EmbeddingConfig,
    folder: Path,
    device: torch.device,
    tell: Callable[[int, float], object] = lambda epoch, loss: None,
) -> Embedder:
    """An embedder trained to its end, in evaluation mode; see `EmbedderTraining`."""
    training = EmbedderTraining(looked, config, folder, device)
    while training.done < config.epochs:
        loss = training.epoch()
        tell(training.done, loss)
    return training.model.eval()
