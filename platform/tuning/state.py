"""Tune's own state of a sweep: whole, or mended, or said to be lost.

Tune writes it in a scratch folder and then copies it over the sweep's, file by file and in place.
A driver killed at that moment leaves a cut-off file, and Tune would start anew without a word.
It also deletes a trial's checkpoint before it notes the next one: a driver killed in between leaves
a state that names a checkpoint that is gone, and Tune would give the trial up. And its state is
three files: a driver killed between two of them leaves one that still counts a trial that another
calls ended, and Tune would wait for it for ever; or one that does not count a trial that another
says is running, and Optuna would never be told how it ended.
"""

import json
import pickletools  # nosec B403: it reads opcodes, and makes nothing
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

from lesions import InputError
from lesions.files import replace_with, write_text
from lesions.readers.bounded import read_bytes
from platform.running.doors import check_ours
from trainables.checkpoint import read_history, read_run, read_score
from trainables.trial_workers import for_tune

STATE = "experiment_state-*.json"
FILES = (STATE, "search_gen_state-*.json", "searcher-state-*.pkl")
SCRATCH = "scratch.txt"
# A state names our classes by their modules: those of a version before, and where they are now.
_MOVED = {
    "platform.sweep_callback": "platform.tuning.callback",
    "platform.searching": "platform.tuning.searcher",
}


def note_scratch(folder: Path, scratch: str) -> None:
    """Remember where Tune writes the state of the sweep in `folder` first."""
    write_text(folder / SCRATCH, scratch)


def mend_state(folder: Path) -> None:
    """Take the scratch folder's state where the sweep's own is cut off; at most one of them is.

    Raises:
        InputError: it is cut off, and the scratch folder is gone or another machine's.
    """
    if _is_whole(folder):
        return
    note = folder / SCRATCH
    scratch = Path(note.read_text()) if note.exists() else folder
    if not _is_whole(scratch) or not any(scratch.glob(STATE)):
        raise InputError(
            "the sweep's state was cut off by a kill", file=folder,
            remedy="its trials are in MLflow; start a new sweep",
        )  # fmt: skip
    check_ours(scratch)
    for pattern in FILES:
        for path in scratch.glob(pattern):
            with replace_with(folder / path.name) as file:
                file.write(read_bytes(path))


@contextmanager
def read_as_before() -> Iterator[None]:
    """Let states of a version before be read inside the block."""
    with patch.dict(sys.modules, {old: import_module(new) for old, new in _MOVED.items()}):
        yield


@contextmanager
def counted_as_noted(folder: Path) -> Iterator[None]:
    """Let Tune count the trials, as it is restored in the block, by its newest state of them.

    Further trials lie where the sweep is now: Tune moves those that it has, not those that come.
    """
    from ray.tune.search import ConcurrencyLimiter
    from ray.tune.search.search_generator import SearchGenerator

    trials = noted(folder)
    going = {trial["trial_id"] for trial in trials if trial["status"] != "TERMINATED"}
    limit, count = ConcurrencyLimiter.set_state, SearchGenerator.set_state

    def set_live(limiter: Any, state: dict[str, Any]) -> None:
        limit(limiter, state | {"live_trials": going, "num_unfinished_live_trials": len(going)})

    def set_count(generator: Any, state: dict[str, Any]) -> None:
        count(generator, state | {"counter": len(trials)})
        place = generator._experiment.spec["storage"]
        place.storage_fs_path, place.experiment_dir_name = str(folder.parent), folder.name

    with (
        patch.object(ConcurrencyLimiter, "set_state", set_live),
        patch.object(SearchGenerator, "set_state", set_count),
    ):
        yield


def noted(folder: Path) -> list[dict[str, Any]]:
    """The trials of the newest state; none where no trial has begun."""
    newest = max(folder.glob(STATE), default=None)
    found = [] if newest is None else json.loads(newest.read_text())["trial_data"]
    return [json.loads(trial) for trial, _ in found]


def _is_whole(folder: Path) -> bool:
    """Whether the newest of each file is whole; no state at all is: no trial has begun."""
    newest = (max(folder.glob(pattern), default=None) for pattern in FILES)
    return all(path is None or _reads(path) for path in newest)


def _reads(path: Path) -> bool:
    """Whether a file of Tune's state reaches its end; what is pickled in it is not made."""
    content = read_bytes(path)
    try:
        if path.match(STATE):
            return bool(json.loads(content))
        for _ in pickletools.genops(content):
            pass
    except ValueError:
        return False
    return True


def mend_checkpoint(trial: Any) -> None:
    """Let a trial go on from its newest whole checkpoint, if the one that it names is not."""
    noted = trial.latest_checkpoint_result
    if trial.is_finished() or noted is None or _last_metrics(Path(noted.checkpoint.path)):
        return
    for path in sorted(Path(trial.storage.trial_fs_path).glob("checkpoint_[0-9]*"), reverse=True):
        if last := _last_metrics(path):
            noted.checkpoint = type(noted.checkpoint)(str(path), noted.checkpoint.filesystem)
            noted.metrics = noted.metrics | last | {"training_iteration": int(last["epoch"])}
            trial.storage.current_checkpoint_index = int(path.name.partition("_")[2])
            trial.invalidate_json_state()
            trial.run_metadata.invalidate_cache()
            return


def _last_metrics(checkpoint: Path) -> dict[str, float] | None:
    """Of its last epoch; None when a kill cut its writing or its deletion off."""
    try:
        read_run(checkpoint), read_score(checkpoint)
        return for_tune(read_history(checkpoint)[-1])
    except InputError:
        return None
