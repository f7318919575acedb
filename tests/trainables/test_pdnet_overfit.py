"""One batch of four real lesions is learned by heart: model, loss and targets belong together."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import default_collate

from lesions import Lesion
from lesions.heatmaps import endpoints
from lesions.metrics import segmentation
from lesions.prepared import PreparedSet
from trainables.pdnet import PDNetSystem
from trainables.pdnet.config import tiny
from trainables.steps import weighted

MOST_STEPS, LEARNING_RATE, FURTHEST_PX = 150, 3e-3, 2.5


def one_of_each_patient(lesions: PreparedSet, count: int) -> list[Lesion]:
    first = {row["patient"]: at for at, row in reversed(list(enumerate(lesions.rows)))}
    return [lesions[at] for at in sorted(first.values())[:count]]


@torch.no_grad()
def agreement(model: nn.Module, batch: dict[str, Tensor]) -> tuple[float, float]:
    """Mean Dice against the labels trained on, and mean distance of the endpoints, pixels."""
    outputs = model(batch["inputs"])
    found = (outputs.masks[-1] > 0).numpy().astype(np.uint8)
    dice = [
        segmentation(*pair)["dice"] for pair in zip(found, batch["labels"].numpy(), strict=True)
    ]
    ours, theirs = (
        np.concatenate([endpoints(maps)[0] for maps in each.numpy()])
        for each in (outputs.heatmaps[-1], batch["heatmaps"])
    )
    return float(np.mean(dice)), float(np.hypot(*(ours - theirs).T).mean())


@pytest.mark.slow  # tests/discs.py learns both stages too, and every test of an answer judges it
@pytest.mark.parametrize("stage", [1, 2])
def test_four_lesions_by_heart(training_lesions: PreparedSet, stage: Any) -> None:
    """Usually within 60 steps; the tiny preset's structure and samples."""
    system, config = PDNetSystem(), replace(tiny(), stage=stage)
    lesions = one_of_each_patient(training_lesions, 4)
    batch = default_collate(
        [dict(system.sample(config, each, np.random.default_rng(0))) for each in lesions]
    )
    torch.manual_seed(0)
    model = system.model(config).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    objective = system.recipe(config)[0].objectives[0]
    dice = distance = 0.0
    for step in range(1, MOST_STEPS + 1):
        loss = weighted(system.terms(config, model, batch, objective), objective)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % 10 == 0:
            dice, distance = agreement(model, batch)
            print(f"step {step}: Dice {dice:.3f}, endpoints {distance:.2f} px")
            if dice >= 0.95 and distance <= FURTHEST_PX:
                break
    assert dice >= 0.95
    assert distance <= FURTHEST_PX
