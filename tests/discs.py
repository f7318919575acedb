"""Slices with one bright ellipse in each quadrant, and tiny networks that learn to find them."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import default_collate

from lesions import Lesion, Recist
from lesions.metrics import segmentation
from lesions.readers.png import encode_labels, encode_slice
from trainables.pdnet import PDNetSystem
from trainables.pdnet.config import PDNetConfig, tiny
from trainables.resuming import Progress, save_checkpoint
from trainables.steps import learner, weighted
from trainables.system import System

SHAPE = (112, 144)
WINDOW = (-160.0, 240.0)
SPACING = (0.8, 0.8, 5.0)
BATCH = 4
Corners = list[NDArray[np.uint8]]
Checkpoints = tuple[Path, Path]  # stage 1, stage 2


def slice_with_discs(seed: int) -> tuple[NDArray[np.int16], Corners]:
    """HU (H, W), and each ellipse's mask: top left, top right, bottom left, bottom right."""
    rng = np.random.default_rng(seed)
    height, width = SHAPE
    hu, masks = rng.normal(0, 10, SHAPE), []
    for y in (height // 4, height - height // 4):
        for x in (width // 4, width - width // 4):
            mask = np.zeros(SHAPE, np.uint8)
            middle = x + int(rng.integers(-8, 9)), y + int(rng.integers(-6, 7))
            axes = int(rng.integers(9, 13)), int(rng.integers(5, 8))
            cv2.ellipse(mask, middle, axes, float(rng.uniform(-60, 60)), 0, 360, 1, -1)
            hu[mask == 1] += 120
            masks.append(mask)
    return hu.astype(np.int16), masks


def middle_of(mask: NDArray[np.uint8]) -> tuple[int, int]:
    """(x, y) of a pixel in the middle of a mask."""
    rows, columns = np.nonzero(mask)
    return round(columns.mean()), round(rows.mean())


def lesions_of(seed: int) -> list[Lesion]:
    """The four lesions of a slice; each one's mask is "snakes" and "human" alike."""
    hu, masks = slice_with_discs(seed)
    return [
        Lesion(
            file=f"discs_{seed}.png", row=row, recist=Recist.from_mask(mask, SPACING),
            spacing=SPACING, window=WINDOW, shape=SHAPE, encoded=encode_slice(hu),
            masks=dict.fromkeys(("snakes", "human"), encode_labels(mask)),
        )
        for row, mask in enumerate(masks, start=1)
    ]  # fmt: skip


def config_of(stage: Literal[1, 2]) -> PDNetConfig:
    config = tiny()
    size = 96 if stage == 1 else 64
    samples = replace(config.samples, input_size=size, click_sigma=5.0, rotation=10.0)
    return replace(
        config,
        stage=stage,
        model=replace(config.model, features=8),
        loss=replace(config.loss, weight=0.1),
        samples=replace(samples, sigma=2.5 if stage == 1 else 4.0),
    )


def train(stage: Literal[1, 2], folder: Path, steps: int) -> Path:
    """A checkpoint of a stage of PDNet after `steps` steps on discs."""
    return teach(PDNetSystem(), config_of(stage), folder, steps, seed=stage)


def teach(system: System, config: Any, folder: Path, steps: int, seed: int = 0) -> Path:
    """A checkpoint of a system's first phase, after `steps` steps on discs."""
    rng = np.random.default_rng(seed)
    lesions = [lesion for seed in range(8) for lesion in lesions_of(seed)]
    torch.manual_seed(0)
    model = system.model(config).train()
    phase = system.recipe(config)[0]
    own = learner(system, config, phase, model, torch.device("cpu"))
    (objective,), (optimizer,) = phase.objectives, own.optimizers
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 5e-3 * min(1.0, 2 * (1 - step / steps))
        chosen = rng.choice(len(lesions), BATCH, replace=False)
        batch = default_collate([dict(system.sample(config, lesions[i], rng)) for i in chosen])
        loss = weighted(system.terms(config, model, batch, objective), objective)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    progress = Progress(
        epoch=1, in_phase=1, best_epoch=1, best_model=model.state_dict(),
        history=[{"epoch": 1.0, "train_loss": loss.item()}],
    )  # fmt: skip
    save_checkpoint(folder, system, config, progress, own)
    return folder


def dice(mask: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    return segmentation(mask, truth)["dice"]
