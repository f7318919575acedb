"""The smallest PDNet there is, and runs of it: what a test's own processes import as well."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn

from lesions import Lesion, Recist
from lesions.ellipse import ellipse
from lesions.readers.png import encode_labels, encode_slice
from trainables.backbones import BackboneConfig
from trainables.loop import Report, Run
from trainables.parts import Parts
from trainables.pdnet import PDNetSystem
from trainables.pdnet.config import PDNetConfig, tiny
from trainables.recipe import Objective
from trainables.system import Batch, How, System, Trained

CPU = torch.device("cpu")
TIMES = ("epoch_seconds", "images_per_second")


def small(*, size: int = 32, **training: Any) -> PDNetConfig:
    """PDNet's structure with as few channels as it can have."""
    config = tiny()
    backbone = BackboneConfig(name="resnest14d", width=0.125, pretrained=False)
    settings: dict[str, Any] = {"epochs": 3, "batch_size": 4, "warmup": 0, **training}
    return replace(
        config,
        model=replace(config.model, backbone=backbone, features=8, rates=(1, 2)),
        samples=replace(config.samples, input_size=size),
        training=replace(config.training, **settings),
    )


def a_run(
    directory: Path,
    config: PDNetConfig,
    train: Sequence[Lesion],
    validation: Sequence[Lesion] = (),
    report: Report = lambda metrics, checkpoint: None,
    resume: Path | None = None,
    system: System | None = None,
) -> Run:
    """A run on the CPU."""
    return Run(
        system=system or PDNetSystem(),
        config=config,
        train=train,
        validation=validation,
        directory=directory,
        device=CPU,
        report=report,
        resume=resume,
    )


def alone(system: System, config: Any, model: nn.Module) -> Parts:
    """A network that answers by itself on the CPU."""
    trained = Trained(config=config, model=model)
    return Parts(system=system, trained=(trained,), how=How(device=CPU))


def curve(history: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """A run's metrics without what the clock says."""
    return [{k: v for k, v in metrics.items() if k not in TIMES} for metrics in history]


def lesion(
    recist: Sequence[Sequence[float]],
    shape: tuple[int, int] = (100, 100),
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    **fields: Any,
) -> Lesion:
    """A bright ellipse on a dark slice, its RECIST, and its own mask as "snakes"."""
    measured = Recist(recist)
    mask = ellipse(measured, shape)
    given: dict[str, Any] = {
        "file": "900001_01_01_001.png",
        "row": 1,
        "masks": {"snakes": encode_labels(mask.astype(np.uint8))},
        **fields,
    }
    return Lesion(
        **given,
        recist=measured,
        spacing=spacing,
        window=(-100.0, 100.0),
        shape=shape,
        encoded=encode_slice((mask * 200 - 100).astype(np.int16)),
    )


def ellipses(count: int) -> list[Lesion]:
    """Ellipses of different sizes and places, one patient each."""
    rng = np.random.default_rng(7)
    found = []
    for n in range(count):
        x, y = rng.uniform(35, 65, 2)
        long, short = rng.uniform(10, 18), rng.uniform(5, 9)
        ends = [[x - long, y], [x + long, y], [x, y - short], [x, y + short]]
        found.append(lesion(ends, file=f"{900000 + n}_01_01_001.png", patient=str(900000 + n)))
    return found


class Kept(PDNetSystem):
    """PDNet whose network can be looked into after a run.

    Attributes:
        network: the last one made.
    """

    network: nn.Module

    def model(self, config: PDNetConfig, *, pretrained: bool = True) -> nn.Module:
        """The network, kept."""
        self.network = super().model(config, pretrained=pretrained)
        return self.network


class FixedStatistics(Kept):
    """PDNet with BatchNorm at its running statistics, so that samples do not see each other."""

    def terms(
        self, config: PDNetConfig, model: nn.Module, batch: Batch, objective: Objective
    ) -> dict[str, Tensor]:
        """The terms of the network in evaluation mode."""
        return super().terms(config, model.eval(), batch, objective)


def gradients(model: nn.Module) -> dict[str, Tensor]:
    """Every parameter's gradient."""
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def together(worker: Callable[[int, Path], None], directory: Path, count: int) -> list[Any]:
    """What each of some processes that train together has saved as `seen-RANK.pt`."""
    spawn(worker, (directory,), nprocs=count)  # type: ignore[no-untyped-call]
    return [torch.load(directory / f"seen-{rank}.pt") for rank in range(count)]


def one_thread() -> None:
    """Keep torch and OpenCV to one core, as small networks are fastest."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
