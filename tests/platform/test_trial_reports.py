"""What a trial reports: which report is its last, and what of it MLflow gets."""

import json
import pickle
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from ray.tune.search import ConcurrencyLimiter
from ray.tune.search.search_generator import SearchGenerator

from lesions import InputError
from platform.tracking.outbox import Outbox
from platform.tracking.store import Store
from platform.tuning.callback import SweepCallback
from platform.tuning.finishing import best_result
from platform.tuning.reports import is_whole, recorded
from platform.tuning.searcher import PrunedOptunaSearch
from platform.tuning.searching import Room, room_of
from platform.tuning.spaces import space_of
from platform.tuning.state import counted_as_noted, read_as_before
from tests.platform.made import Millimetres
from trainables.trial_workers import for_tune

EPOCH = {"epoch": 3.0, "phase": 1.0, "done": 1.0, "train_loss": 0.5, "a_term": 0.25, "val_vs": 0.5}
TUNES = {"training_iteration": 3, "time_total_s": 1.5, "timestamp": 7, "pid": 9, "done": True,
         "date": "today", "trial_id": "a", "config": {}, "timesteps_total": None}  # fmt: skip


def test_tune_is_told_of_the_end_by_a_word_of_ours() -> None:
    """A result with Tune's own `done` stops its trial; that of a stopped trial is true as well."""
    assert for_tune(EPOCH) == {k: v for k, v in EPOCH.items() if k != "done"} | {"whole": 1.0}
    assert for_tune({"epoch": 1.0}) == {"epoch": 1.0}


@pytest.mark.parametrize(
    ("report", "whole"),
    [
        ({"whole": 1.0, "epoch": 2.0, "done": False}, True),  # a plateau ended it early
        ({"whole": 0.0, "epoch": 2.0, "done": True}, False),  # stopped
        ({"epoch": 5.0, "done": True}, True),  # of a version before
        ({"epoch": 4.0, "done": True}, False),
        ({}, False),
    ],
)
def test_which_report_is_the_last(report: dict[str, Any], whole: bool) -> None:
    assert is_whole(report, 5) is whole


def test_every_number_of_the_trials_own_is_recorded() -> None:
    assert recorded(for_tune(EPOCH) | TUNES) == {
        "epoch": 3.0, "phase": 1.0, "train_loss": 0.5, "a_term": 0.25, "val_vs": 0.5,
    }  # fmt: skip


def result(trial: str, error: float, whole: float = 1.0) -> Any:
    metrics = {"trial_id": trial, "best_val_long_axis_error": error, "whole": whole, "epoch": 1}
    return SimpleNamespace(metrics=metrics, checkpoint="there")


class Results(list[Any]):
    errors: tuple[str, ...] = ("first\nlast line",)
    experiment_path = "sweeps/night"


def test_the_best_is_the_lowest_of_the_whole_trials() -> None:
    sweep: Any = SimpleNamespace(system=Millimetres(), epochs=9)
    results = Results([result("a", 4), result("b", 3), result("c", 5), result("d", 1, whole=0)])
    assert best_result(results, sweep).metrics["trial_id"] == "b"
    assert best_result(Results(results[3:]), sweep).metrics["trial_id"] == "d"
    with pytest.raises(InputError, match="every trial failed, the first with: last line"):
        best_result(Results(), sweep)


def test_optuna_minimises_an_error() -> None:
    system = Millimetres()
    search = PrunedOptunaSearch(
        epochs=2, space=space_of(system, system.presets()["tiny"]()), metric=system.merit.best,
        mode=system.merit.mode, study_name="lower", seed=0,
    )  # fmt: skip
    study: optuna.Study = search._ot_study
    for trial, error, whole in (("a", 4.0, 1.0), ("b", 3.0, 1.0), ("c", 2.0, 0.0)):
        search.suggest(trial)
        told = {system.merit.best: error, "whole": whole, "training_iteration": 1, "epoch": 2}
        search.on_trial_result(trial, told)
        search.on_trial_complete(trial, told)
    assert study.best_value == 3.0, "c was stopped"


def sweep_of(**changes: Any) -> Any:
    given = {"trials": 8, "concurrent": None, "workers_per_trial": 1, "cpus_per_trial": 1,
             "gpus_per_trial": None}  # fmt: skip
    return SimpleNamespace(**given | changes)


def test_room_is_counted_for_every_worker() -> None:
    cpus = {"CPU": 6.0}
    assert room_of(sweep_of(), cpus) == Room(worker={"CPU": 1, "GPU": 0.0}, workers=1, concurrent=6)
    assert room_of(sweep_of(workers_per_trial=2), cpus).concurrent == 3
    assert room_of(sweep_of(workers_per_trial=2, cpus_per_trial=2), cpus).concurrent == 1
    assert room_of(sweep_of(workers_per_trial=2, concurrent=1), cpus).concurrent == 1
    gpus = {"CPU": 64.0, "GPU": 4.0}
    assert room_of(sweep_of(workers_per_trial=2), gpus).concurrent == 2
    assert room_of(sweep_of(gpus_per_trial=0.25), gpus).concurrent == 8
    with pytest.raises(InputError, match=r"a trial wants 8 gpu, the cluster has 4 \(lower --gpus"):
        room_of(sweep_of(workers_per_trial=8), gpus)


def test_a_state_of_the_version_before_names_its_own_modules() -> None:
    moved = {
        b"cplatform.sweep_callback\nSweepCallback\n.": SweepCallback,
        b"cplatform.searching\nPrunedOptunaSearch\n.": PrunedOptunaSearch,
        b"cplatform.tracking\nStore\n.": Store,
        b"cplatform.tracking\nOutbox\n.": Outbox,
    }
    with read_as_before():
        assert {said: pickle.loads(said) for said in moved} == moved
    assert not {"platform.sweep_callback", "platform.searching"} & sys.modules.keys()
    assert SweepCallback.merit == "dice", "which a callback of before does not say"


def searcher() -> PrunedOptunaSearch:
    system = Millimetres()
    return PrunedOptunaSearch(
        epochs=2, space=space_of(system, system.presets()["tiny"]()), metric="best_val_dice",
        mode="max", study_name="any", seed=0,
    )  # fmt: skip


def test_a_count_that_a_kill_left_behind_is_mended(tmp_path: Path) -> None:
    """One file of Tune's state is older than another: the searcher still waits for an ended trial,
    and has not counted the one that runs.
    """
    trials = [{"trial_id": "a", "status": "TERMINATED"}, {"trial_id": "b", "status": "RUNNING"}]
    state = {"trial_data": [[json.dumps(trial), "{}"] for trial in trials]}
    (tmp_path / "experiment_state-2026.json").write_text(json.dumps(state))
    limiter = ConcurrencyLimiter(searcher(), max_concurrent=1)
    generator = SearchGenerator(limiter)
    behind = {"live_trials": {"a"}, "num_unfinished_live_trials": 1}
    place = SimpleNamespace(storage_fs_path="/gone", experiment_dir_name="before")
    with counted_as_noted(tmp_path):
        limiter.set_state(behind)
        generator.set_state({"counter": 1, "total_samples": 3, "finished": False,
                             "experiment": SimpleNamespace(spec={"storage": place})})  # fmt: skip
    assert generator.get_state()["counter"] == 2
    assert Path(place.storage_fs_path, place.experiment_dir_name) == tmp_path, "further trials' own"
    limiter.on_trial_complete("b", {"best_val_dice": 0.5, "whole": 1.0})  # of whom it does not know
    assert limiter.suggest("c") is not None
    limiter.set_state(behind)
    assert limiter.suggest("d") is None, "as Tune has it, it waits for ever"


def test_a_running_trial_that_a_kill_left_uncounted_is_told_of(tmp_path: Path) -> None:
    """The searcher has asked for it, and the limiter's state was written before that."""
    trials = [{"trial_id": "a", "status": "TERMINATED"}, {"trial_id": "b", "status": "RUNNING"}]
    state = {"trial_data": [[json.dumps(trial), "{}"] for trial in trials]}
    (tmp_path / "experiment_state-2026.json").write_text(json.dumps(state))
    search, whole = searcher(), {"best_val_dice": 0.5, "whole": 1.0}
    assert search.suggest("a") is not None
    search.on_trial_complete("a", whole)
    assert search.suggest("b") is not None
    limiter = ConcurrencyLimiter(search, max_concurrent=1)
    with counted_as_noted(tmp_path):
        limiter.set_state({"live_trials": {"a"}, "num_unfinished_live_trials": 1})
    assert limiter.suggest("c") is None, "one at a time"
    limiter.on_trial_complete("b", whole)
    assert [trial.state for trial in search._ot_study.trials] == [TrialState.COMPLETE] * 2
    assert limiter.suggest("c") is not None


def test_a_trial_that_the_searcher_does_not_know_is_not_told_of() -> None:
    search = searcher()
    search.on_trial_result("lost", {"best_val_dice": 0.5, "training_iteration": 1})
    search.on_trial_complete("lost", {"best_val_dice": 0.5, "whole": 1.0})
    assert search.suggest("next") is not None
