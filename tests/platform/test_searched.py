"""What is searched, how, and from where: spaces in words, samplers, other sweeps' trials."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import NopPruner, SuccessiveHalvingPruner
from optuna.samplers import CmaEsSampler, GPSampler, QMCSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from lesions import InputError
from platform.tuning.choices import grid, pruner, sampler
from platform.tuning.finishing import best_of
from platform.tuning.goals import constraints_of
from platform.tuning.learning import FROM, forked, keep_start, tell_points
from platform.tuning.opening import open_trials
from platform.tuning.spaces import first_trials, space_of
from tests.discs import Checkpoints
from tests.platform.driven import all_of, opened, run, sweep_of, train
from tests.platform.made import Spaceless
from trainables.configs import flatten
from trainables.registry import SYSTEMS

PDNET = SYSTEMS["pdnet"]
TINY: Any = PDNET.presets()["tiny"]()
RATE, BATCH = "training.learning_rate", "training.batch_size"


def test_a_space_in_words_stands_beside_the_systems_own() -> None:
    space = space_of(PDNET, TINY, (f"{BATCH}=choice:4,8", f"{RATE}=log:1e-5:1e-1",
                                   "samples.sigma=fixed", "training.warmup=int:0:4",
                                   "training.momentum=uniform:0:0.9",
                                   "training.optimizer=choice:adam,sgd"))  # fmt: skip
    assert space == {
        "loss.weight": FloatDistribution(1e-4, 0.5, log=True),
        BATCH: CategoricalDistribution((4, 8)), RATE: FloatDistribution(1e-5, 1e-1, log=True),
        "training.warmup": IntDistribution(0, 4), "training.momentum": FloatDistribution(0, 0.9),
        "training.optimizer": CategoricalDistribution(("adam", "sgd")),
    }  # fmt: skip
    first = first_trials(PDNET, TINY, space)[0]
    assert (first["loss.weight"], first[BATCH]) == (0.01, flatten(TINY)[BATCH])


def test_a_system_without_a_space_is_searched_by_words() -> None:
    with pytest.raises(InputError, match="has no search space"):
        space_of(Spaceless(), TINY)
    space = space_of(Spaceless(), TINY, (f"{RATE}=log:1e-4:1e-2",))
    assert list(space) == [RATE]
    assert first_trials(Spaceless(), TINY, space) == [{RATE: flatten(TINY)[RATE]}]


@pytest.mark.parametrize(
    ("word", "refused"),
    [
        ("loss.wieght=log:1:2", "has no field 'loss.wieght'"),
        (f"{RATE}=log:0:1", "--space"),
        (f"{RATE}=log:1", "--space"),
        (f"{RATE}=2:1", "has no form that is known"),
        (f"{RATE}", "has no form that is known"),
        (f"{RATE}=uniform:b:c", "could not convert"),
        (f"{BATCH}=choice:4,x", "could not convert"),
        (f"{BATCH}=choice:0,4", "--space"),
        ("training.optimizer=choice:adam,adagrad", "--space"),
    ],
)
def test_a_word_that_is_no_space_is_refused(word: str, refused: str) -> None:
    with pytest.raises(InputError, match=refused):
        space_of(PDNET, TINY, (word,))


def test_nothing_left_to_search_is_refused() -> None:
    fixed = [f"{name}=fixed" for name in space_of(PDNET, TINY)]
    with pytest.raises(InputError, match="nothing is left"):
        space_of(PDNET, TINY, fixed)


def test_samplers_and_pruners_have_names() -> None:
    kinds = {"tpe": TPESampler, "gp": GPSampler, "cmaes": CmaEsSampler, "random": RandomSampler,
             "optuna.samplers:QMCSampler": QMCSampler}  # fmt: skip
    for name, kind in kinds.items():
        assert type(sampler(name, 0, 8, 0)) is kind
    assert isinstance(pruner("asha", 4, 16), SuccessiveHalvingPruner)
    assert isinstance(pruner("optuna.pruners:NopPruner", 4, 16), NopPruner)
    for wrong in ("best", "optuna.samplers:Nobody", "no_such_module:X", "json:JSONDecoder"):
        with pytest.raises(InputError, match=r"--sampler"):
            sampler(wrong, 0, 8, 0)
        with pytest.raises(InputError, match=r"--pruner"):
            pruner(wrong, 1, 8)


@pytest.mark.parametrize("name", ["tpe", "gp", "cmaes", "random", "optuna.samplers:QMCSampler"])
def test_every_sampler_searches_numbers_and_choices(tmp_path: Path, name: str) -> None:
    said = (f"{BATCH}=choice:4,8", "training.warmup=int:0:4")
    trials = opened(tmp_path / "night", sampler=name, space=said, trials=6)
    assert run(trials, tmp_path, {1: "pruned", 2: "failed"}) == [*range(6)]
    tried = {tuple(trial.values.values()) for trial in trials.all.values()}
    assert len(tried) == 6
    assert {trial.values[BATCH] for trial in trials.all.values()} <= {4, 8}


def test_a_grid_is_even_and_no_larger_than_the_trials() -> None:
    space = {"a": FloatDistribution(1e-4, 1e-2, log=True), "b": CategoricalDistribution((1, 2)),
             "c": IntDistribution(0, 10)}  # fmt: skip
    points = grid(space, 20)
    assert len(points) == 18
    assert sorted({point["a"] for point in points}) == pytest.approx([1e-4, 1e-3, 1e-2])
    assert sorted({point["c"] for point in points}) == [0, 5, 10]
    with pytest.raises(InputError, match="needs 2 trials for its choices alone"):
        grid(space, 1)


@given(trials=st.integers(1, 40), low=st.integers(1, 5), wide=st.integers(0, 9))
def test_a_grids_points_lie_within(trials: int, low: int, wide: int) -> None:
    space = {"a": FloatDistribution(low, low + wide), "b": IntDistribution(low, low + wide)}
    points = grid(space, trials)
    assert 0 < len(points) <= trials
    assert all(low <= value <= low + wide for point in points for value in point.values())


def test_a_grid_is_tried_whole(tmp_path: Path) -> None:
    said = ("loss.weight=fixed", "samples.sigma=fixed", f"{RATE}=log:1e-4:1e-2")
    trials = opened(tmp_path / "night", sampler="grid", space=said, trials=3)
    run(trials, tmp_path)
    tried = [trial.values[RATE] for trial in trials.all.values()]
    assert tried == pytest.approx([1e-4, 1e-3, 1e-2])


def test_constraints_choose_the_best(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, kept = tmp_path / "night", ("val_dice<=0.25",)
    trials = opened(folder, constraint=kept)
    run(trials, tmp_path)
    assert trials.study.best_trial.number == 2, "Optuna knows them, too"
    assert best_of(trials)[0].number == 2
    assert best_of(opened(folder, constraint=kept))[0].number == 2
    (folder / "study.log").unlink()
    again = opened(folder, constraint=kept)
    assert all_of(again) == all_of(trials)
    assert best_of(again)[0].number == 2
    none = opened(tmp_path / "strict", constraint=("val_dice>=5",))
    run(none, tmp_path)
    assert best_of(none)[0].number == 3
    assert "no trial keeps every constraint" in capsys.readouterr().out
    for wrong in ("val_dice", "val_dice<5", "val_dice<=nan", "a b<=1"):
        with pytest.raises(InputError, match="--constraint"):
            constraints_of((wrong,))


def test_another_sweeps_trials_are_points(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = sweep_of(tmp_path / "first")
    first.write()
    run(open_trials(first), tmp_path, {1: "pruned", 2: "failed"})
    second = sweep_of(tmp_path / "second", space=(f"{RATE}=log:1e-3:1e-2",))
    trials = open_trials(second, ["first"])
    points = [one for one in trials.study.trials if FROM in one.user_attrs]
    assert all(1e-3 <= one.params[RATE] <= 1e-2 for one in points)
    assert {one.state for one in points} <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert f"{len(points)} of 3 trials of first are told as points" in capsys.readouterr().out
    tell_points(trials.study, second, "first")
    assert len([one for one in trials.study.trials if FROM in one.user_attrs]) == len(points)
    assert run(trials, tmp_path) == [0, 1, 2, 3], "they are not the sweep's own"
    other = sweep_of(tmp_path / "other", objective=("val_dice:max", "train_loss:min"))
    with pytest.raises(InputError, match="first is judged by best_val_dice"):
        open_trials(other, ["first"])
    with pytest.raises(InputError, match="there is no run 'never'"):
        open_trials(second, ["never"])


def test_a_fork_begins_where_a_trial_was(
    tmp_path: Path, two_checkpoints: Checkpoints, tiny_set: Path
) -> None:
    first = sweep_of(tmp_path / "first")
    first.write()
    trials = open_trials(first)
    trial = trials.take()
    assert trial is not None
    train(trials, trial, tmp_path, until=1)
    stage2 = two_checkpoints[1]
    shutil.copytree(stage2, trial.folder.checkpoints()[-1], dirs_exist_ok=True)
    theirs = json.loads((stage2 / "run.json").read_text())["config"]
    asked: Any = PDNET.presets()["paper"]()
    config = forked(PDNET, asked, {"config.training.epochs", "trials"}, tmp_path, "first:0")
    assert flatten(config)["training.epochs"] == flatten(asked)["training.epochs"]
    size = "samples.input_size"
    assert flatten(config)[size] == theirs[size] != flatten(asked)[size]
    second = sweep_of(tmp_path / "second", config=config, fork="first:0", root=tiny_set)
    keep_start(second)
    shutil.rmtree(first.folder)
    keep_start(second)
    assert second.job.start == second.folder / "fork"
    assert (second.folder / "fork" / "best.pt").read_bytes() == (stage2 / "best.pt").read_bytes()
    taken = open_trials(second).take()
    assert taken is not None
    assert taken.values[RATE] == theirs[RATE], "its own values come first"
    for wrong in ("first", "second:9", "second:x"):
        with pytest.raises(InputError):
            forked(PDNET, asked, set(), tmp_path, wrong)
