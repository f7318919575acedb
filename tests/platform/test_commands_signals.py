"""Ctrl-C and SIGTERM mean "go on later" to each command that works long: real processes.

A sweep's are in test_sweep_signals.py.
"""

import csv
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow import MlflowClient

from dashboards.recorded.runs import runs_of_kind
from lesions.sample import ROOT as SAMPLE
from platform.running.driving import LOCK
from platform.running.training import read_history
from tests.discs import Checkpoints
from tests.platform.conftest import TINY, started, wait_for_line, wait_until
from tests.platform.stopping import check_said, stop, temporary_folder

CTRL_C, SCHEDULER, KILL = (signal.SIGINT, True), (signal.SIGTERM, True), (signal.SIGTERM, False)
NOTHING_KEPT = "give the same command again: nothing of it is kept"
EPOCHS = 25


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Where a command keeps what goes with it: nothing, once it has ended."""
    with temporary_folder() as folder:
        yield folder
        assert list(folder.iterdir()) == []


def runs_in(storage: Path, experiment: str, kind: str) -> list[Any]:
    client = MlflowClient(tracking_uri=f"sqlite:///{storage / 'mlflow.db'}")
    found = client.get_experiment_by_name(experiment)
    return runs_of_kind(client, found.experiment_id, kind)


def states(storage: Path, experiment: str, kind: str) -> list[tuple[str, str]]:
    """What MLflow says of the runs of a kind, in the order of their starts."""
    found = sorted(runs_in(storage, experiment, kind), key=lambda run: run.info.start_time)
    return [(run.info.status, run.data.tags["lesion.state"]) for run in found]


INTERRUPTED, FINISHED = ("KILLED", "interrupted"), ("FINISHED", "finished")


def wait_for_worker(process: subprocess.Popen[str], word: str) -> None:
    """Wait until a process of the command's cluster does what `word` names: Ray calls it by it."""

    def works() -> bool:
        assert process.poll() is None
        lines = [" ".join(one.cmdline()) for one in alive(process.pid)]
        return any(line.startswith("ray::") and word in line for line in lines)

    wait_until(works, 90, word)


def alive(pid: int) -> Iterator[psutil.Process]:
    for one in psutil.Process(pid).children(recursive=True):
        if one.is_running() and one.status() != psutil.STATUS_ZOMBIE:
            yield one


def run_again(log: Path, name: str, *words: object) -> str:
    """The same command, to its end; what it said."""
    with started(log, name, *words, address="local") as process:
        assert process.wait(150) == 0, log.read_text()
    return log.read_text()


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize(("number", "to_all"), [CTRL_C, SCHEDULER, KILL])
def test_train(
    number: signal.Signals, to_all: bool, tiny_set: Path, storage: Path, temporary: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    log, words = tmp_path / "log", ("pdnet", "--storage", storage, "--data", tiny_set,
        "--resume-or-start", "night", "--config.training.epochs", EPOCHS, *TINY)  # fmt: skip
    with started(log, "train", *words, address="local") as process:
        wait_for_line(process, log, "epoch 2 ", 90)
        stop(process, number, to_all=to_all)
    check_said(log, "go on with --resume night")
    history = storage / "trainings" / "night" / "history.jsonl"
    before = read_history(history)
    assert 2 <= len(before) < EPOCHS
    assert states(storage, "pdnet", "train") == [INTERRUPTED]

    run_again(log, "train", *words)
    after = read_history(history)
    assert [row["epoch"] for row in after] == [*range(1, EPOCHS + 1)]
    assert after[: len(before) - 1] == before[:-1], "trained once"
    assert states(storage, "pdnet", "train") == [FINISHED]


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize(
    ("at", "trained", "number", "to_all"),
    [
        (("[2/3]", "epoch 1 "), 1, *CTRL_C),
        (("[2/3]", "epoch 1 "), 1, *SCHEDULER),
        (("[3/3]", "measuring"), 3, *KILL),
    ],
)
def test_reproduce(
    at: tuple[str, str], trained: int, number: signal.Signals, to_all: bool, tiny_set: Path,
    storage: Path, temporary: Path, tmp_path: Path,
) -> None:  # fmt: skip
    log, words = tmp_path / "log", ("pdnet-1", "--storage", storage, "--data", tiny_set,
        "--resume-or-start", "night", "--config.training.epochs", 3, "--no-pictures", *TINY,
        "--config.nnunet.features", 4)  # fmt: skip
    with started(log, "reproduce", *words, address="local") as process:
        wait_for_line(process, log, at[0], 120)
        wait_until(lambda: at[1] in log.read_text().partition(at[0])[2], 90, at[1])
        stop(process, number, to_all=to_all)
    check_said(log, "go on with --resume night")
    assert states(storage, "pdnet", "reproduce") == [INTERRUPTED]
    cut = [INTERRUPTED] if trained < 3 else []
    assert states(storage, "pdnet", "part") == [FINISHED] * trained + cut
    before = {run.info.run_id: run for run in runs_in(storage, "pdnet", "part")}

    said = run_again(log, "reproduce", *words)
    assert said.count("is finished\n") == trained
    assert states(storage, "pdnet", "reproduce") == [FINISHED]
    assert states(storage, "pdnet", "part") == [FINISHED] * 3
    assert set(states(storage, "pdnet", "measured")) == {FINISHED}
    for run in runs_in(storage, "pdnet", "part"):
        old = before.get(run.info.run_id)
        if old is not None and old.info.status == "FINISHED":
            assert run.to_dictionary() == old.to_dictionary(), "not touched again"


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "worker", "number", "to_all"),
    [
        ("evaluate", "Evaluator", *CTRL_C),
        ("evaluate", "Evaluator", *SCHEDULER),
        ("masks", "measure", *CTRL_C),
        ("masks", "measure", *SCHEDULER),
    ],
)
def test_what_is_measured_at_once_begins_again(
    name: str, worker: str, number: signal.Signals, to_all: bool, prepared_sample: Path,
    two_checkpoints: Checkpoints, storage: Path, temporary: Path, tmp_path: Path,
) -> None:  # fmt: skip
    log, kept = tmp_path / "log", ("--name", "night", "--no-pictures", "--storage", storage)
    words: tuple[object, ...] = ("--methods", "snakes,best", *kept)
    experiment, place = "masks", storage / "masks"
    if name == "evaluate":
        words = ("pdnet", "--model", *two_checkpoints, "--data", prepared_sample, "--tta", *kept)
        experiment, place = "pdnet", storage / "evaluations"
    with started(log, name, *words, address="local") as process:
        wait_for_worker(process, worker)
        stop(process, number, to_all=to_all)
    check_said(log, NOTHING_KEPT)
    assert list(place.iterdir()) == []
    assert runs_in(storage, experiment, name) == []

    run_again(log, name, *words)
    assert states(storage, experiment, name) == [FINISHED]
    assert not list((place / "night").glob(f"{LOCK}*"))
    with (place / "night" / "lesions.csv").open() as file:
        assert len(list(csv.reader(file))) > 60


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("name", ["evaluate", "masks"])
def test_what_is_measured_is_written_whole(
    name: str, prepared_sample: Path, two_checkpoints: Checkpoints, storage: Path,
    temporary: Path, tmp_path: Path,
) -> None:  # fmt: skip
    """Stopped as it writes and records its result, it does so first."""
    log, kept = tmp_path / "log", ("--name", "night", "--storage", storage)
    words: tuple[object, ...] = ("--methods", "ellipse", "--splits", "test", *kept)
    experiment, place = "masks", storage / "masks"
    if name == "evaluate":
        words = ("pdnet", "--model", *two_checkpoints, "--data", prepared_sample, *kept)
        experiment, place = "pdnet", storage / "evaluations"
    result = place / "night"
    with started(log, name, *words, address="local") as process:
        wait_until((result / "lesions.csv").exists, 120, "the result")
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(30) == 130
    check_said(log, f"the result is whole: {result / 'report.html'}")
    assert (result / "report.html").read_text().rstrip().endswith("</html>")
    assert states(storage, experiment, name) == [FINISHED]


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize(("number", "to_all"), [CTRL_C, SCHEDULER])
def test_prepare(number: signal.Signals, to_all: bool, temporary: Path, tmp_path: Path) -> None:
    log, out = tmp_path / "log", tmp_path / "out"
    words = ("--source", SAMPLE, "--out", out, "--masks", "snakes,best")
    with started(log, "prepare", *words, address="local") as process:
        wait_until(lambda: any(out.rglob("part-*.parquet")) or process.poll(), 120, "a part")
        stop(process, number, to_all=to_all)
    check_said(log, "go on with the same command: what is done is kept")
    assert not (out / "manifest.json").exists()
    before = {path: path.stat().st_mtime_ns for path in out.rglob("part-*.parquet")}
    assert before

    assert "252 lesions of 252 rows" in run_again(log, "prepare", *words)
    assert {path: path.stat().st_mtime_ns for path in before} == before, "not made again"
    assert not [path for path in out.rglob("*") if path.name.startswith((".", "tmp"))]


@pytest.mark.parametrize("name", ["train", "prepare", "evaluate"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_while_a_command_imports(name: str, number: signal.Signals, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with started(log, name, "--help", address="local") as process:
        maps = Path(f"/proc/{process.pid}/maps")
        wait_until(lambda: "numpy" in maps.read_text(), 30, "an import")
        began = time.monotonic()
        os.killpg(process.pid, number)
        assert process.wait(30) == 128 + number
        assert time.monotonic() - began < 5
    assert log.read_text() == "interrupted\n"
