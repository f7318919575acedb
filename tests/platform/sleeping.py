"""Short real sweeps of a system that sleeps, and what it slept."""

import json
from collections import Counter
from pathlib import Path

from tests.platform.agreement import runs_of_sweep
from tests.sleeper import EPOCHS

SYSTEM = "tests.sleeper:Sleeper"


def new(storage: Path, data: Path, name: str, *more: object, trials: int = 4) -> tuple[object, ...]:
    """The words of a sweep, two trials at a time, none stopped early; it notes what it sleeps."""
    return (
        SYSTEM, "--storage", storage, "--data", data, "--name", name, "--trials", trials,
        "--concurrent", 2, "--cpus-per-trial", 0.5, "--pruner", "none", "--no-pictures",
        "--config.log", log_of(storage), *more,
    )  # fmt: skip


def again(storage: Path, name: str, *more: object) -> tuple[object, ...]:
    """The words that go on with it."""
    return (SYSTEM, "--storage", storage, "--resume", name, *more)


def log_of(storage: Path) -> Path:
    """Where its trials note every epoch that they sleep: beside the storage."""
    return storage.with_name("epochs.log")


def slept(storage: Path) -> Counter[str]:
    """How many epochs were slept, by x, which no two trials share."""
    return Counter(line.split()[1] for line in log_of(storage).read_text().splitlines())


def check_slept(storage: Path, trials: int, twice: int = 0) -> None:
    """Every trial slept its epochs; `twice` are the most that were slept again after a cut."""
    epochs = slept(storage)
    assert len(epochs) == trials
    assert min(epochs.values()) >= EPOCHS
    assert sum(epochs.values()) <= trials * EPOCHS + twice, epochs


def check_interrupted(storage: Path, name: str) -> None:
    """Its folder and MLflow say that it is to be gone on with."""
    said = json.loads((storage / "sweeps" / name / "state.json").read_text())
    parent, trials = runs_of_sweep(storage, "sleeper", name)
    states = {run.data.tags["lesion.state"] for run in trials.values()}
    assert (said["state"], parent.data.tags["lesion.state"]) == ("interrupted", "interrupted")
    assert parent.info.status == "KILLED"
    assert "lesion.measured" not in parent.data.tags
    assert states <= {"finished", "interrupted"}


def files_of(folder: Path) -> dict[Path, bytes]:
    """All that lies in a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
