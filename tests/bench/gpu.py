"""Every system at its paper's sizes on this machine's GPU; see `gpu`.

It needs torch, torchvision, timm, numpy, OpenCV, scipy and pyarrow, and no more.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lesions import Lesion
from tests.bench.loops import (
    a_learner,
    changed,
    house,
    in_turn,
    kept_batches,
    plain,
    sample_lesions,
    spent,
)
from trainables.loader import TrainingLoader
from trainables.loop import Run, fit
from trainables.registry import SYSTEMS
from trainables.steps import weighted
from trainables.system import Batch, System

PEAK = {"H200": 989e12, "H100": 989e12, "A100": 312e12}  # FLOP/s in bf16 without sparsity
STEPS, LESIONS = 20, 64
CPU = torch.device("cpu")
HEADINGS = (
    "system", "part", "batch", "plain fp32", "ours", "×", "compiled", "loader", "of peak", "memory",
    "loss fp32 → bf16", "GPU → CPU",
)  # fmt: skip


@dataclass(kw_only=True)
class Figures:
    """One line of the table.

    Attributes:
        plain, ours, compiled: images/s; `compiled` is None unless `--compile` asks for it, and
            where it does not work.
        loader: samples/s of the training data alone.
        share: of the device's peak, of the faster of ours; None where that is not known.
        memory: the most that ours took on the device, GB.
        losses: of one epoch, in fp32 and in bf16.
        resumed: the loss of an epoch on the CPU, after one on the device.
    """

    system: str
    part: str
    batch: str
    plain: float = 0.0
    ours: float = 0.0
    compiled: float | None = None
    loader: float = 0.0
    share: float | None = None
    memory: float | None = None
    losses: tuple[float, float] = (0.0, 0.0)
    resumed: str = ""
    seconds: float = 0.0
    trouble: list[str] = field(default_factory=list)

    def cells(self) -> list[str]:
        """As the table shows it."""
        return [
            self.system, self.part or "–", self.batch, f"{self.plain:.1f}", f"{self.ours:.1f}",
            f"{max(self.ours, self.compiled or 0) / self.plain:.2f}" if self.plain else "–",
            "–" if self.compiled is None else f"{self.compiled:.1f}", f"{self.loader:.0f}",
            "–" if self.share is None else f"{self.share:.1%}",
            "–" if self.memory is None else f"{self.memory:.1f} GB",
            f"{self.losses[0]:.4f} → {self.losses[1]:.4f}", self.resumed,
        ]  # fmt: skip


# What the machine lacks: scikit-learn, so that pairs are not of clusters; they cost the same.
WITHOUT = {"coseg": {"pairs.by": "random"}}


def gpu() -> None:
    """A table: images/s of a plain fp32 loop and of ours, and what else a GPU is asked.

    Each part is told as soon as it is measured. `--small` takes the "tiny" presets and few steps,
    for a machine without one; `--compile` compiles the networks too, which takes minutes each (on
    an H200 more than three for PDNet's first stage).
    """
    small = "--small" in sys.argv
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu" and not small:
        print("there is no GPU here: say --small")
        return
    started, found = time.perf_counter(), []
    for system in SYSTEMS.values():
        paper = system.presets()["tiny" if small else "paper"]()
        for part, fields in (system.parts or {"": {}}).items():
            config = changed(paper, {**fields, **WITHOUT.get(system.name, {})})
            found.append(measure(system, part, config, device, small))
            told = zip(HEADINGS, found[-1].cells(), strict=True)
            print(", ".join(f"{name} {cell}" for name, cell in told),
                  f"({found[-1].seconds:.0f} s)", flush=True)  # fmt: skip
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    print(f"\n{name}, torch {torch.__version__}, {os.cpu_count()} cores, "
          f"{time.perf_counter() - started:.0f} s in all; images/s")  # fmt: skip
    print_table([HEADINGS, *(figures.cells() for figures in found)])
    for figures in found:
        for line in figures.trouble:
            print(f"{figures.system} {figures.part}: {line}")


@dataclass(frozen=True, kw_only=True)
class Bench:
    """One part of a system, and what it is measured on."""

    system: System
    config: Any
    lesions: Sequence[Lesion]
    batches: Sequence[Batch]
    device: torch.device
    steps: int

    @property
    def images(self) -> int:
        """How many an epoch has."""
        return self.steps * self.config.training.batch_size

    def rate(self, call: Callable[[], object]) -> float:
        """Images/s of an epoch, after another one."""
        call()
        return self.images / spent(call, self.device)

    def plain(self, found: Figures) -> None:
        """A loop as one writes it first: fp32, axes as torch has them."""
        model = a_learner(
            self.system, self.config, self.device, order=torch.contiguous_format
        ).model
        batches = [
            {name: value.contiguous() for name, value in batch.items()} for batch in self.batches
        ]
        found.plain = self.rate(
            plain(self.system, self.config, model, in_turn(batches, self.steps))
        )

    def ours(self, found: Figures) -> None:
        """Mixed precision and channels last; its memory, and its share of the device's peak."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        own = a_learner(self.system, self.config, self.device, order=torch.channels_last)
        found.ours = self.rate(house(own, self.batches, self.steps))
        if self.device.type != "cuda":
            return
        found.memory = torch.cuda.max_memory_allocated() / 1e9
        name = torch.cuda.get_device_name()
        peak = next((peak for device, peak in PEAK.items() if device in name), None)
        if peak is not None:
            found.share = self.flops() * found.ours / peak

    def compiled(self, found: Figures) -> None:
        """The same, its network compiled; a CPU gains nothing by it."""
        if self.device.type != "cuda":
            return
        own = a_learner(self.system, self.config, self.device, order=torch.channels_last)
        own.model.compile()  # type: ignore[no-untyped-call]
        found.compiled = self.rate(house(own, self.batches, self.steps))

    def flops(self) -> float:
        """Forward and backward of an image, each objective once."""
        own = a_learner(self.system, self.config, self.device, order=torch.channels_last)
        own.model.train()
        with FlopCounterMode(display=False) as counter:
            for objective in own.phase.objectives:
                terms = self.system.terms(self.config, own.model, self.batches[0], objective)
                weighted(terms, objective).backward()  # type: ignore[no-untyped-call]
        return float(counter.get_total_flops() / self.config.training.batch_size)

    def losses(self, found: Figures) -> None:
        """Of one epoch from the same weights, in fp32 and in bf16."""
        seen = []
        for precision in ("fp32", "bf16"):
            config = changed(self.config, {"training.precision": precision})
            own = a_learner(self.system, config, self.device, order=torch.channels_last)
            epoch = house(own, self.batches, self.steps)()
            assert isinstance(epoch, dict)
            seen.append(epoch["train_loss"])
        found.losses = seen[0], seen[1]

    def loader(self, found: Figures) -> None:
        """Samples/s, with as many processes as training has here."""
        loader = TrainingLoader(self.system, self.config, self.lesions, self.device)
        for _ in loader.epoch(0):  # the processes start
            pass
        started = time.perf_counter()
        for _ in loader.epoch(1):
            pass
        found.loader = len(self.lesions) / (time.perf_counter() - started)

    def resumed(self, found: Figures) -> None:
        """An epoch on the device, then one on the CPU from its checkpoint."""
        changes = {"epochs": 2, "batch_size": 2, "precision": "fp32", "loader_workers": 0}
        config = changed(self.config, {f"training.{name}": to for name, to in changes.items()})
        losses: list[float] = []

        def report(metrics: dict[str, float], checkpoint: Path | None) -> None:
            losses.append(metrics["train_loss"])
            raise SystemExit

        with tempfile.TemporaryDirectory() as folder:
            run = Run(
                system=without_weights(self.system), config=config, train=self.lesions[:2],
                validation=[], directory=Path(folder), device=self.device, report=report,
                scratch=Path(folder) / "scratch",
            )  # fmt: skip
            for each in (run, replace(run, device=CPU, resume=run.directory)):
                with suppress(SystemExit):
                    fit(each)
        found.resumed = " → ".join(f"{loss:.4f}" for loss in losses)


def without_weights(system: System) -> System:
    """The system without its backbones' own weights, which come from a hub."""

    class Kind(type(system)):  # type: ignore[misc]
        def model(self, config: Any, *, pretrained: bool = True) -> nn.Module:
            return super().model(config, pretrained=False)  # type: ignore[no-any-return]

    return Kind()


def measure(system: System, part: str, config: Any, device: torch.device, small: bool) -> Figures:
    """All figures of a part; one that fails says why, and the others are there."""
    started = time.perf_counter()
    lesions = sample_lesions(8 if small else LESIONS, config.pseudo_mask)
    batches = kept_batches(system, config, lesions, device)
    shape = "×".join(map(str, next(iter(batches[0].values())).shape))
    found = Figures(system=system.title, part=part, batch=shape)
    bench = Bench(
        system=system, config=config, lesions=lesions, batches=batches, device=device,
        steps=2 if small else STEPS,
    )  # fmt: skip
    last = ("compiled",) if "--compile" in sys.argv else ()
    for name in ("plain", "ours", "losses", "loader", "resumed", *last):
        try:
            getattr(bench, name)(found)
        except Exception as error:  # the other figures are wanted all the same
            found.trouble.append(f"{name}: {type(error).__name__}: {error}")
        if device.type == "cuda":
            torch.cuda.empty_cache()
    found.seconds = time.perf_counter() - started
    return found


def print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
