"""A sweep whose trials this process plays itself: no Ray, and checkpoints of one number."""

from pathlib import Path
from typing import Any

import torch

from lesions.files import make_folder, replace_with
from platform.running.datasets import Data
from platform.tuning.opening import open_trials
from platform.tuning.sweeps import Sweep
from platform.tuning.trials import State, Trial, Trials
from trainables.checkpoint import LAST
from trainables.configs import edited
from trainables.registry import SYSTEMS

EPOCHS = 3
MERIT = "best_val_dice"


def sweep_of(folder: Path, **changes: Any) -> Sweep:
    """Four trials of PDNet's stage 2, of three epochs each."""
    system = changes.pop("system", SYSTEMS["pdnet"])
    config = changes.pop("config", None) or edited(
        system.presets()["tiny"](), {"training.epochs": EPOCHS}
    )
    root = changes.pop("root", folder)
    data = Data(root=root, fingerprint="f", description="made", truth="human masks")
    given: dict[str, Any] = {
        "trials": 4, "concurrent": 1, "cpus_per_trial": 1, "gpus_per_trial": None, "grace": 1,
        "seed": 0, "pruner": "none",
    }  # fmt: skip
    return Sweep(name=folder.name, folder=make_folder(folder), system=system, preset="tiny",
                 config=config, data=data, **given | changes)  # fmt: skip


def opened(folder: Path, **changes: Any) -> Trials:
    """What a new driver of the sweep in a folder has before it."""
    return open_trials(sweep_of(folder, **changes))


def metrics_after(trial: Trial, epoch: int) -> dict[str, float]:
    """A figure that is the trial's own, and grows."""
    dice = 0.1 * trial.number + 0.01 * epoch
    return {"epoch": float(epoch), "phase": 1.0, "train_loss": 1.0 / epoch, "val_dice": dice,
            MERIT: dice, "epoch_seconds": 1.0, "done": float(epoch == EPOCHS)}  # fmt: skip


def write_checkpoint(folder: Path, history: list[dict[str, float]]) -> Path:
    """What a training of a network of one number leaves after the last of these epochs."""
    epoch = int(history[-1]["epoch"])
    last = {
        "epoch": epoch, "phase": 0, "in_phase": epoch, "ended": False, "plateau": {},
        "history": history, "model": {"w": torch.zeros(1)}, "optimizers": [], "scaler": {},
        "random": torch.get_rng_state(), "random_cuda": [],
    }  # fmt: skip
    with replace_with(folder / LAST) as file:  # as trainings do: what was kept is a link to it
        torch.save(last, file)
    return folder


def train(trials: Trials, trial: Trial, scratch: Path, until: int = EPOCHS) -> bool:
    """Do what the trial's process does, to an epoch; whether the study stopped it."""
    resume = trial.folder.go_on()
    begun = 0 if resume is None else int(trial.folder.history()[-1]["epoch"])
    history = trial.folder.history()
    for epoch in range(begun + 1, until + 1):
        history.append(metrics_after(trial, epoch))
        trial.folder.keep(write_checkpoint(scratch / "checkpoint", history), epoch)
        trial.folder.add(history[-1])
        if trials.report(trial, history[-1]):
            return True
    return False


def run(trials: Trials, scratch: Path, ends: dict[int, State] | None = None) -> list[int]:
    """Play a whole driver: which trials it trained, by number."""
    trained = []
    while (trial := trials.take()) is not None:
        trained.append(trial.number)
        end = (ends or {}).get(trial.number, "finished")
        train(trials, trial, scratch, EPOCHS if end == "finished" else 1)
        trials.end(trial, end, "it blew up" if end == "failed" else "")
    return trained


def all_of(trials: Trials) -> dict[int, tuple[State, list[float], dict[str, Any]]]:
    """State, objectives and values of each trial."""
    return {number: (one.state, one.objectives, one.values) for number, one in trials.all.items()}
