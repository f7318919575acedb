"""PDNet: training beside a plain fp32 loop, and the time that a click takes."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from lesions import Lesion
from lesions.prepared import PreparedSet
from platform.running.datasets import find_data
from tests.bench.timing import seconds, show
from trainables.loader import TrainingSamples, batches
from trainables.loop import Run, fit
from trainables.pdnet import PDNetSystem
from trainables.pdnet.answers import fast_precision
from trainables.pdnet.config import PDNetConfig, paper, tiny
from trainables.pdnet.samples import evaluation_click
from trainables.pdnet.two_stages import Stage, TwoStages

SYSTEM = PDNetSystem()
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
PEAK = {"H200": 989e12, "H100": 989e12, "A100": 312e12}  # FLOP/s in bf16 without sparsity
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
            print(f"  {ours:.1f} images/s{_share_of_peak(config, ours)}")


def click() -> None:
    """A click after loading, both stages at full size with random weights, on two cores."""
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as folder:
        lesion = PreparedSet(find_data(None, Path(folder), "snakes").root, "test")[0]
    at, spacing, window = evaluation_click(lesion), lesion.spacing, lesion.window
    slice_hu = lesion.slice_hu
    ours, plain = _both(fast_precision(DEVICE), torch.channels_last), _both(None)
    spent = seconds(lambda: ours(slice_hu, window, spacing, at), runs=3)
    theirs = seconds(lambda: plain(slice_hu, window, spacing, at), runs=3)
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
    model = SYSTEM.model(config, pretrained=False).to(DEVICE)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    rate = 0.0
    for epoch in range(2):
        started = time.perf_counter()
        order = batches(len(lesions), config.training.batch_size, 0, epoch)
        for batch in DataLoader(TrainingSamples(SYSTEM, config, lesions), batch_sampler=order):
            on_device = {name: value.to(DEVICE) for name, value in batch.items()}
            loss, _ = SYSTEM.loss(config, model, on_device)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            loss.item()
        rate = len(lesions) / (time.perf_counter() - started)
    return rate


def _share_of_peak(config: PDNetConfig, images_per_second: float) -> str:
    """Of the device's peak in bf16, where that is known."""
    if DEVICE.type != "cuda":
        return ""
    name = torch.cuda.get_device_name()
    peak = next((peak for device, peak in PEAK.items() if device in name), None)
    model = SYSTEM.model(config, pretrained=False).to(DEVICE)
    inputs = torch.zeros(1, 3, config.input_size, config.input_size, device=DEVICE)
    with FlopCounterMode(display=False) as counter:
        outputs = model.eval()(inputs)
        sum(output.sum() for output in [*outputs.masks, *outputs.heatmaps]).backward()
    spent = counter.get_total_flops() * images_per_second
    share = f", {spent / peak:.1%} of its peak" if peak else ""
    return f" on {name}: {spent / 1e12:.2f} TFLOP/s{share}"


def _both(
    precision: torch.dtype | None, order: torch.memory_format = torch.contiguous_format
) -> TwoStages:
    stages = [
        Stage(config=_paper(number), model=SYSTEM.model(_paper(number)).eval()) for number in (1, 2)
    ]
    for stage in stages:
        stage.model.to(DEVICE, memory_format=order)  # type: ignore[call-overload]
    return TwoStages(stage1=stages[0], stage2=stages[1], device=DEVICE, precision=precision)
