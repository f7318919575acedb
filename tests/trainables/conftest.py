"""A run so small that it takes a second, on real lesions."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lesions import Lesion
from lesions.prepared import PreparedSet
from trainables.configs import edited
from trainables.loop import Report, Run
from trainables.registry import find_system

SMALL = {
    "samples.input_size": 32,
    "model.features": 4,
    "training.epochs": 3,
    "training.batch_size": 3,
    "training.warmup": 0,
}


@pytest.fixture(scope="session")
def few_lesions(training_lesions: PreparedSet) -> list[Lesion]:
    """Seven lesions of several patients."""
    return [training_lesions[i] for i in (0, 25, 50, 75, 100, 125, 165)]


@pytest.fixture
def make_run(few_lesions: list[Lesion], tmp_path: Path) -> Callable[..., Run]:
    """A run of the small config; keywords are fields of Run, `edits` fields of its config."""

    def make(
        report: Report = lambda metrics, checkpoint: None,
        *,
        directory: str = "run",
        edits: dict[str, Any] | None = None,
        **fields: Any,
    ) -> Run:
        system = find_system("pdnet")
        config = edited(system.presets()["tiny"](), SMALL | (edits or {}))
        given = {"train": few_lesions[:5], "validation": few_lesions[5:]} | fields
        (tmp_path / directory).mkdir(exist_ok=True)
        return Run(
            system=system,
            config=config,
            directory=tmp_path / directory,
            device=torch.device("cpu"),
            report=report,
            **given,
        )

    return make
