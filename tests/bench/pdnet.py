"""PDNet: training beside a plain fp32 loop, and the time that a click takes."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from lesions import Lesion
from lesions.prepared import PreparedSet
from lesions.prompts import case_of
from platform.running.datasets import find_data
from tests.bench.loops import plain
from tests.bench.timing import seconds, show
from trainables.answering.precision import fast_precision
from trainables.loader import TrainingLoader
from trainables.loop import Run, fit
from trainables.parts import Parts
from trainables.pdnet import PDNetSystem
from trainables.pdnet.config import PDNetConfig, paper, tiny
from trainables.system import Batch, How, Trained

SYSTEM = PDNetSystem()
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
LIMIT_S = 1.5  # a click on two cores


def training() -> None:
    """Images/s of the second epoch, data included: our loop, and a loop as one writes it first."""
    with tempfile.TemporaryDirectory() as folder:
        lesions = PreparedSet(find_data(None, Path(folder), "snakes").root, "train")
        if DEVICE.type == "cuda":
            cases = [("paper", _paper(2), 176), ("paper", _paper(1), 176)]
        else:
            cases = [("tiny", tiny(), 48), ("paper", _paper(2), 8)]
        for name, config, count in cases:
            few = lesions[:: max(1, len(lesions) // count)]
            ours, theirs = _ours(config, few), _plain(config, few)
            size = f"{config.input_size}²"
            show(f"train PDNet {name}, stage {config.stage}, {size}", 1 / ours,
                 f"plain fp32 loop, {theirs:.1f} images/s", 1 / theirs)  # fmt: skip


def click() -> None:
    """A click after loading, both stages at full size with random weights, on two cores."""
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as folder:
        lesion = PreparedSet(find_data(None, Path(folder), "snakes").root, "test")[0]
    ours, plainly = _both(fast_precision(DEVICE), torch.channels_last), _both(None)
    case = case_of(lesion, ours.telling)
    spent = seconds(lambda: list(ours.predict([case])), runs=3)
    theirs = seconds(lambda: list(plainly.predict([case])), runs=3)
    show(
        "a click, PDNet with ResNeSt-50, both stages", spent, "fp32, axes as torch has them", theirs
    )
    print(f"  {LIMIT_S / spent:.1f} × below the limit of {LIMIT_S} s")


def _paper(stage: Any) -> PDNetConfig:
    config = replace(paper(), stage=stage)
    backbone = replace(config.model.backbone, pretrained=False)
    return replace(config, model=replace(config.model, backbone=backbone))


def _ours(config: PDNetConfig, lesions: Sequence[Lesion]) -> float:
    found: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        training = replace(config.training, epochs=2, checkpoint_every=9, precision="auto")
        run = Run(
            system=SYSTEM, config=replace(config, training=training), train=lesions,
            validation=[], directory=Path(folder), device=DEVICE,
            report=lambda metrics, _: found.append(metrics),
        )  # fmt: skip
        fit(run)
    return found[-1]["images_per_second"]


def _plain(config: PDNetConfig, lesions: Sequence[Lesion]) -> float:
    """Its data comes by torch's loader within the loop's own process."""
    torch.manual_seed(0)
    model = SYSTEM.model(config, pretrained=False).to(DEVICE)
    alone = replace(config, training=replace(config.training, loader_workers=0))
    loader = TrainingLoader(SYSTEM, alone, lesions, DEVICE).loader

    def batches() -> Iterator[Batch]:
        for batch in loader:
            yield {name: value.to(DEVICE) for name, value in batch.items()}

    epoch = plain(SYSTEM, config, model, batches)
    epoch()
    started = time.perf_counter()
    epoch()
    return len(lesions) / (time.perf_counter() - started)


def _both(
    precision: torch.dtype | None, order: torch.memory_format = torch.contiguous_format
) -> Parts:
    trained = []
    for number in (1, 2):
        config = _paper(number)
        model = SYSTEM.model(config, pretrained=False).eval()
        model.to(DEVICE, memory_format=order)  # type: ignore[call-overload]
        trained.append(Trained(config=config, model=model))
    return Parts(system=SYSTEM, trained=tuple(trained), how=How(device=DEVICE, precision=precision))
