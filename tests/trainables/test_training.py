"""The loop's settings: the learning rate by hand, and what is refused."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from lesions import InputError
from trainables.optimisers import rate_at
from trainables.training import TrainingConfig, autocast_dtype, recipe_of

PAPER = TrainingConfig()


def learning_rate(config: TrainingConfig, epoch: int) -> float:
    (phase,) = recipe_of(config)
    rate = phase.objectives[0].optimizer.learning_rate
    return rate_at(rate, phase.schedule, epoch, phase.epochs)


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [(0, 1e-3), (59, 1e-3), (60, 1e-4), (89, 1e-4), (90, 1e-5), (119, 1e-5)],
)
def test_the_papers_steps(epoch: int, expected: float) -> None:
    """Section 3: 0.001, divided by 10 at epochs 60 and 90 of 120."""
    assert learning_rate(PAPER, epoch) == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ["steps", "cosine"])
def test_warm_up_rises_linearly_to_the_full_rate(schedule: Any) -> None:
    config = replace(PAPER, schedule=schedule, warmup=4)
    rates = [learning_rate(config, epoch) for epoch in range(5)]
    assert rates == pytest.approx([0.25e-3, 0.5e-3, 0.75e-3, 1e-3, 1e-3])


def test_cosine_falls_from_the_full_rate_to_nearly_nothing() -> None:
    config = replace(PAPER, schedule="cosine", epochs=100)
    rates = [learning_rate(config, epoch) for epoch in range(100)]
    assert rates[0] == 1e-3
    assert rates[50] == pytest.approx(0.5e-3)
    assert rates[25] == pytest.approx(1e-3 * (1 + math.sqrt(0.5)) / 2)
    assert 0 < rates[-1] < 1e-6
    assert rates == sorted(rates, reverse=True)


def test_a_single_epoch_and_a_warm_up_longer_than_the_run() -> None:
    assert learning_rate(TrainingConfig(epochs=1, schedule="cosine"), 0) == 1e-3
    assert learning_rate(TrainingConfig(epochs=1, schedule="cosine", warmup=1), 0) == 1e-3
    assert learning_rate(TrainingConfig(epochs=2, schedule="cosine", warmup=4), 1) == 0.5e-3


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"checkpoint_every": 0},
        {"learning_rate": 0.0},
        {"learning_rate": -1.0},
        {"learning_rate": math.nan},
        {"learning_rate": math.inf},
        {"warmup": -1},
        {"clip_norm": -1.0},
        {"clip_norm": math.nan},
        {"loader_workers": -1},
        {"seed": -1},
        {"decay": -0.1},
    ],
    ids=str,
)
def test_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=rf"training\.{next(iter(wrong))}"):
        TrainingConfig(**wrong)


def test_the_dtype_of_the_forward_pass() -> None:
    cpu = torch.device("cpu")
    assert autocast_dtype("auto", cpu) is None
    assert autocast_dtype("fp32", cpu) is None
    assert autocast_dtype("bf16", cpu) is torch.bfloat16
    assert autocast_dtype("fp16", cpu) is torch.float16


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_the_dtype_on_a_gpu() -> None:
    native = torch.cuda.get_device_capability() >= (8, 0)
    expected = torch.bfloat16 if native else torch.float16
    assert autocast_dtype("auto", torch.device("cuda")) is expected
