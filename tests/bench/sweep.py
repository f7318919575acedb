"""A sweep's own cost: trials that sleep, by our whole path and by Optuna in two processes."""

import multiprocessing
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from tests.bench.timing import show
from tests.platform.conftest import ROOT, sample_rows, write_source

TRIALS, SECONDS, AT_ONCE = 64, 0.5, 2
Span = tuple[float, float, float]  # s from the first asking: to the first end, to the last; all


def sweep() -> None:
    """64 trials of half a second, two at a time."""
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = _ours(Path(folder)), _bare(Path(folder))
    ideal = TRIALS / AT_ONCE * SECONDS
    for words, mine, peer in (
        ("from the first end to the last", ours[1] - ours[0], theirs[1] - theirs[0]),
        ("from the first asking to the last end", ours[1], theirs[1]),
        ("the whole command", ours[2], theirs[2]),
    ):
        show(f"{TRIALS} trials of {SECONDS} s, {words}", mine, "Optuna alone", peer)
    each = (ours[1] - ours[0]) / (TRIALS / AT_ONCE - 1)
    print(f"  a trial of ours takes {each:.3f} s of its {SECONDS} s; its workers start in "
          f"{ours[0] - SECONDS:.1f} s; before and after the search {ours[2] - ours[1]:.1f} s; "
          f"sleeping alone would take {ideal:.0f} s")  # fmt: skip


def _ours(folder: Path) -> Span:
    source = write_source(folder / "source", sample_rows(train=8, validation=4, test=4))
    data, store = folder / "data", folder / "store"
    _run("prepare", "--source", source, "--out", data)
    begun = time.perf_counter()
    _run("sweep", "tests.sleeper:Sleeper", "--storage", store, "--data", data, "--name", "ours",
         "--trials", TRIALS, "--concurrent", AT_ONCE, "--pruner", "none", "--no-pictures",
         "--cpus-per-trial", 0.5, "--config.seconds", SECONDS,
         "--config.training.epochs", 1)  # fmt: skip
    took = time.perf_counter() - begun
    return *_span(_load(store / "sweeps" / "ours" / "study.log", "ours")), took


def _run(command: str, *words: object) -> None:
    subprocess.run(
        [sys.executable, "-m", f"platform.{command}", *map(str, words)],
        check=True, cwd=ROOT, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def _bare(folder: Path) -> Span:
    journal = str(folder / "bare.log")
    optuna.create_study(storage=_storage(journal), study_name="bare", direction="maximize")
    begun = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    each = TRIALS // AT_ONCE
    processes = [context.Process(target=_work, args=(journal, each)) for _ in range(AT_ONCE)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    took = time.perf_counter() - begun
    return *_span(_load(Path(journal), "bare")), took


def _work(journal: str, count: int) -> None:
    """One of the two processes: asks, sleeps, tells."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    _load(Path(journal), "bare").optimize(_sleep, n_trials=count)


def _sleep(trial: optuna.Trial) -> float:
    width = trial.suggest_float("x", 0.0, 30.0)
    time.sleep(SECONDS)
    trial.report(width, 1)
    trial.should_prune()
    return width


def _storage(journal: str) -> JournalStorage:
    return JournalStorage(JournalFileBackend(journal))


def _load(journal: Path, name: str) -> optuna.Study:
    return optuna.load_study(study_name=name, storage=_storage(str(journal)))


def _span(study: optuna.Study) -> tuple[float, float]:
    trials = study.trials
    assert len(trials) == TRIALS
    first = min(trial.datetime_start or datetime.max for trial in trials)
    ends = sorted(trial.datetime_complete or datetime.max for trial in trials)
    return (ends[0] - first).total_seconds(), (ends[-1] - first).total_seconds()
