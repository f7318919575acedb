"""A run in a process of its own, to be killed: `python -m tests.trainables.killed DATA FOLDER`."""

import sys
from pathlib import Path

import torch

from lesions.prepared import PreparedSet
from tests.trainables.conftest import SMALL
from trainables.configs import edited
from trainables.loop import Run, fit
from trainables.registry import find_system


def make(data: Path, folder: Path, resume: Path | None = None) -> Run:
    """Long enough to be killed in the middle: 12 epochs of one step."""
    torch.set_num_threads(1)
    system = find_system("pdnet")
    folder.mkdir(exist_ok=True)
    edits = SMALL | {"training.epochs": 12}
    return Run(
        system=system,
        config=edited(system.presets()["tiny"](), edits),
        train=PreparedSet(data, "train")[:3],
        validation=PreparedSet(data, "validation")[:2],
        directory=folder,
        device=torch.device("cpu"),
        report=lambda metrics, checkpoint: None,
        resume=resume,
    )


if __name__ == "__main__":
    fit(make(Path(sys.argv[1]), Path(sys.argv[2])))
