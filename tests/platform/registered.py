"""Models registered as a training leaves them, with the validation figure that a test wants."""

import shutil
from pathlib import Path

import torch

from platform.tracking.champions import DATA, log_checkpoint, register
from platform.tracking.runs import find_or_create_run
from platform.tracking.store import Store
from trainables.checkpoint import BEST


def scored(checkpoint: Path, value: float, folder: Path) -> Path:
    """A copy of a checkpoint with another validation figure, which is Dice where none is named."""
    shutil.copytree(checkpoint, folder)
    best = torch.load(folder / BEST, weights_only=True)
    torch.save(best | {"value": value}, folder / BEST)
    return folder


def trained(
    store: Store,
    name: str,
    checkpoint: Path,
    *,
    data: str = "a" * 64,
    register_as: str | None = None,
) -> str:
    """The run of a training as `platform.train` leaves it, registered."""
    tags = {"lesion.system": "pdnet", "lesion.preset": "tiny", "lesion.data": "discs, 4 slices",
            DATA: data, "lesion.truth": "human masks", "lesion.git_commit": "c0ffee"}  # fmt: skip
    run_id = find_or_create_run(store, {"lesion.train": name}, tags, {})
    log_checkpoint(store, run_id, checkpoint)
    register(store, run_id, checkpoint, register_as)
    return run_id


def champion(store: Store, model: str) -> str:
    return str(store.client.get_model_version_by_alias(model, "champion").version)
