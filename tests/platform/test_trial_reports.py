"""What a trial reports: which report is its last, and what of it counts."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lesions import InputError
from platform.tuning.asking import metrics_of
from platform.tuning.finishing import best_of
from platform.tuning.goals import Goal, goals_of, judged_epoch, values_of
from platform.tuning.sweeps import Room, room_of
from platform.tuning.trials import is_whole
from tests.platform.driven import opened, run, train, write_checkpoint
from tests.platform.made import Millimetres
from trainables.trial_workers import for_tune

EPOCH = {"epoch": 3.0, "phase": 1.0, "done": 1.0, "train_loss": 0.5, "a_term": 0.25, "val_vs": 0.5}
TUNES = {"training_iteration": 3, "time_total_s": 1.5, "timestamp": 7, "pid": 9, "done": True,
         "date": "today", "trial_id": "a", "config": {}, "timesteps_total": None}  # fmt: skip


def test_tune_is_told_of_the_end_by_a_word_of_ours() -> None:
    """A result with Tune's own `done` stops its trial; that of a stopped trial is true as well."""
    assert for_tune(EPOCH) == {k: v for k, v in EPOCH.items() if k != "done"} | {"whole": 1.0}
    assert for_tune({"epoch": 1.0}) == {"epoch": 1.0}


def test_a_trials_own_numbers_come_back_from_tune() -> None:
    assert metrics_of(for_tune(EPOCH) | TUNES) == EPOCH
    assert is_whole(metrics_of(for_tune(EPOCH) | TUNES))
    stopped = {**EPOCH, "done": 0.0}
    assert not is_whole(metrics_of(for_tune(stopped) | TUNES))
    assert not is_whole({})


def test_the_best_is_the_lowest_of_the_whole_trials(tmp_path: Path) -> None:
    trials = opened(tmp_path / "night", system=Millimetres(), trials=5)
    for end, error in (("finished", 4.0), ("finished", 3.0), ("finished", 5.0), ("pruned", 1.0)):
        trial = trials.take()
        assert trial is not None
        metrics = {"epoch": 1.0, "best_val_long_axis_error": error, "done": 1.0}
        trial.folder.go_on()
        trial.folder.keep(write_checkpoint(tmp_path / "scratch", [metrics]), 1)
        trial.folder.add(metrics)
        trials.report(trial, metrics)
        trials.end(trial, end)  # type: ignore[arg-type]
    assert trials.study.best_value == 3.0, "the last was stopped"
    best, checkpoint = best_of(trials)
    assert (best.number, checkpoint.parent) == (1, best.folder.path)
    (checkpoint / "last.pt").write_bytes(b"")
    assert best_of(trials)[0].number == 0, "the next, where its checkpoint is damaged"
    for number in (0, 2):
        trials.all[number].state = "failed"
    assert best_of(trials)[0].number == 3


def test_no_trial_that_ended_well_is_said_with_the_first_reason(tmp_path: Path) -> None:
    trials = opened(tmp_path / "night", trials=1)
    trial = trials.take()
    assert trial is not None
    trials.end(trial, "failed", "first and last line")
    with pytest.raises(InputError, match="every trial failed, the first with: first and last"):
        best_of(trials)


def test_phases_that_do_not_answer_are_not_judged(tmp_path: Path) -> None:
    """STN + SHN's STN learns first: what its whole says then is no figure to stop a trial by."""
    from trainables.registry import SYSTEMS

    system = SYSTEMS["stn_shn"]
    answers = [phase.answers for phase in system.recipe(system.presets()["paper"]())]
    assert answers == [False, False, True, True]
    config = system.presets()["tiny"]()
    trials = opened(tmp_path / "night", system=system, config=config, pruner="median", grace=1)
    for error in (1.0, 1.0, 9.0):
        trial = trials.take()
        assert trial is not None
        for epoch, phase in enumerate((1, 2, 3), 1):
            metrics = {"epoch": float(epoch), "phase": float(phase), "done": 0.0,
                       system.merit.best: error + 5 * (phase < 3)}  # fmt: skip
            stopped = trials.report(trial, metrics)
            assert stopped == (error == 9.0 and phase == 3), (error, phase)
        assert (trial.judged, trial.epochs) == (1, 3)
        trials.end(trial, "finished")


def test_goals_are_the_merit_or_what_is_said() -> None:
    merit = Millimetres().merit
    assert goals_of(merit, ()) == [Goal(metric="best_val_long_axis_error", mode="min")]
    two = goals_of(merit, ("val_dice:max", "epoch_seconds:min"))
    assert [goal.direction for goal in two] == ["maximize", "minimize"]
    for wrong in (("dice",), ("dice:up",), ("a:max", "a:min")):
        with pytest.raises(InputError, match="--objective"):
            goals_of(merit, wrong)


def test_values_of_several_goals_are_those_of_the_model_that_is_kept() -> None:
    merit = Millimetres().merit
    goals = goals_of(merit, ("val_dice:max", "epoch_seconds:min"))
    history = [
        {"phase": 1.0, "val_long_axis_error": 0.1, "val_dice": 0.9, "epoch_seconds": 9.0},
        {"phase": 2.0, "val_long_axis_error": 3.0, "val_dice": 0.5, "epoch_seconds": 2.0},
        {"phase": 2.0, "val_long_axis_error": 4.0, "val_dice": 0.6, "epoch_seconds": 1.0},
    ]
    kept = judged_epoch(goals, merit, history)
    assert values_of(["val_dice", "epoch_seconds"], kept) == ([0.5, 2.0], "")
    assert judged_epoch(goals_of(merit, ()), merit, history) is history[-1]
    values, why = values_of(["val_dice"], {"phase": 1.0, "epoch_seconds": 1.0})
    assert (values, why.partition(",")[0]) == ([], "it has no val_dice")


def test_several_objectives_make_a_front(tmp_path: Path) -> None:
    said = ("val_dice:max", "train_loss:min")
    trials = opened(tmp_path / "night", objective=said)
    assert run(trials, tmp_path) == [0, 1, 2, 3]
    assert trials.study.metric_names == ["val_dice", "train_loss"]
    assert [trial.number for trial in trials.study.best_trials] == [3]
    missing = opened(tmp_path / "other", objective=("nothing:max", "train_loss:min"))
    trial = missing.take()
    assert trial is not None
    train(missing, trial, tmp_path)
    missing.end(trial, "finished")
    assert (trial.state, trial.reason.partition(",")[0]) == ("failed", "it has no nothing")


def room_sweep(**changes: Any) -> Any:
    given = {"trials": 8, "concurrent": None, "workers_per_trial": 1, "cpus_per_trial": 1,
             "gpus_per_trial": None}  # fmt: skip
    return SimpleNamespace(**given | changes)


def test_room_is_counted_for_every_worker() -> None:
    cpus = {"CPU": 6.0}
    assert room_of(room_sweep(), cpus) == Room(
        worker={"CPU": 1, "GPU": 0.0}, workers=1, concurrent=6
    )
    assert room_of(room_sweep(workers_per_trial=2), cpus).concurrent == 3
    assert room_of(room_sweep(workers_per_trial=2, cpus_per_trial=2), cpus).concurrent == 1
    assert room_of(room_sweep(workers_per_trial=2, concurrent=1), cpus).concurrent == 1
    gpus = {"CPU": 64.0, "GPU": 4.0}
    assert room_of(room_sweep(workers_per_trial=2), gpus).concurrent == 2
    assert room_of(room_sweep(gpus_per_trial=0.25), gpus).concurrent == 8
    with pytest.raises(InputError, match=r"a trial wants 8 gpu, the cluster has 4 \(lower --gpus"):
        room_of(room_sweep(workers_per_trial=8), gpus)
