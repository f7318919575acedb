"""The study is the truth of a sweep: whatever is cut off, nothing finished is done twice."""

import shutil
from pathlib import Path

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from lesions import InputError
from platform.tuning.study import JOURNAL, NUMBER, OWNER, latest
from tests.platform.driven import EPOCHS, all_of, opened, run, train
from trainables.trial_folder import END, HISTORY, TRIAL

ENDS = {1: "pruned", 2: "failed"}


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of four trials: finished, pruned, failed, finished."""
    folder = tmp_path_factory.mktemp("sweeps") / "night"
    trials = opened(folder)
    assert run(trials, folder.parent, ENDS) == [0, 1, 2, 3]
    return folder


def copied(swept: Path, place: Path) -> Path:
    shutil.rmtree(place, ignore_errors=True)
    return Path(shutil.copytree(swept, place / "night"))


def states(folder: Path) -> list[TrialState]:
    """As anybody reads them, without us."""
    from optuna.storages.journal import JournalFileBackend

    storage = optuna.storages.JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
    (summary,) = optuna.get_all_study_summaries(storage)
    study = optuna.load_study(study_name=summary.study_name, storage=storage)
    return [trial.state for trial in study.trials]


def test_optuna_is_told_the_truth(swept: Path) -> None:
    finished, pruned, failed = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL
    assert states(swept) == [finished, pruned, failed, finished]
    trials = opened(swept)
    assert trials.study.best_value == pytest.approx(0.33)
    assert trials.study.metric_names == ["best_val_dice"]
    assert [one.number for one in trials.all.values() if one.reason == "it blew up"] == [2]
    papers = {"loss.weight": 0.01, "samples.sigma": 7.0, "training.learning_rate": 1e-3}
    assert trials.all[0].values == papers


def test_only_a_failed_trial_is_tried_again_and_then_complete(swept: Path, tmp_path: Path) -> None:
    folder = copied(swept, tmp_path)
    before = all_of(opened(folder))
    trials = opened(folder)
    assert trials.left == [2]
    assert run(trials, tmp_path) == [2]
    after = all_of(opened(folder))
    assert after[2][0] == "finished"
    assert {n: one for n, one in after.items() if n != 2} == {
        n: one for n, one in before.items() if n != 2
    }
    assert latest(trials.study.trials)[2].state == TrialState.COMPLETE
    assert opened(folder).left == []


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cut")


@settings(max_examples=40, deadline=None, derandomize=True)
@given(share=st.floats(0, 1))
def test_a_study_cut_off_anywhere_loses_nothing(swept: Path, scratch: Path, share: float) -> None:
    folder = copied(swept, scratch)
    journal = folder / JOURNAL
    content = journal.read_bytes()
    journal.write_bytes(content[: round(share * len(content))])
    trials = opened(folder)
    whole = all_of(opened(swept))
    assert all_of(trials) == whole
    assert trials.left == [2]
    assert states(folder)[-4:].count(TrialState.COMPLETE) >= 1
    assert run(trials, scratch) == [2], "nothing finished is trained again"
    assert sorted(opened(folder).all) == [0, 1, 2, 3]


@pytest.mark.slow
def test_a_study_cut_off_at_every_length_loses_nothing(swept: Path, tmp_path: Path) -> None:
    content = (swept / JOURNAL).read_bytes()
    whole = all_of(opened(swept))
    for length in range(len(content)):
        folder = copied(swept, tmp_path)
        (folder / JOURNAL).write_bytes(content[:length])
        assert all_of(opened(folder)) == whole, length


@pytest.mark.parametrize("name", [TRIAL, END, HISTORY])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_any_file_of_a_trial_may_be_cut_off(
    swept: Path, tmp_path: Path, name: str, share: float
) -> None:
    whole = all_of(opened(swept))
    folder = copied(swept, tmp_path)
    for path in folder.glob(f"trials/*/{name}"):
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert all_of(opened(folder)) == whole
    (folder / OWNER).write_text("")
    assert all_of(opened(folder)) == whole


def test_a_journal_with_a_line_that_is_none_is_kept_beside(
    swept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied(swept, tmp_path)
    lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)
    damaged = b"".join([*lines[:6], b"\xff\xfe no record\n", *lines[7:]])
    (folder / JOURNAL).write_bytes(damaged)
    assert all_of(opened(folder)) == all_of(opened(swept))
    (aside,) = folder.glob(f"{JOURNAL}.damaged-*")
    assert aside.read_bytes() == damaged
    assert "the sweep's study was cut off" in capsys.readouterr().out


def test_a_trial_goes_on_from_its_last_epoch(tmp_path: Path) -> None:
    folder = tmp_path / "night"
    trials = opened(folder)
    first = trials.take()
    assert first is not None
    train(trials, first, tmp_path, until=2)
    again = opened(folder)  # the driver was killed
    assert (again.left, again.all[0].epochs, again.all[0].judged) == ([0], 2, 2)
    taken = again.take()
    assert taken is not None
    assert (taken.number, taken.told, taken.values) == (0, 0, first.values)
    history = taken.folder.history()
    train(again, taken, tmp_path)
    assert taken.folder.history()[:2] == history, "its epochs before, and when they ended"
    again.end(taken, "finished")
    assert list(again.study.trials[0].intermediate_values) == [1, 2, 3]


def test_a_trial_killed_between_its_end_and_the_telling_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "night"
    trials = opened(folder)
    one, two = trials.take(), trials.take()
    assert one is not None
    assert two is not None
    train(trials, one, tmp_path)  # its last epoch is there, its end is not
    train(trials, two, tmp_path, until=1)
    two.folder.write(END, {"state": "PRUNED", "values": [], "reason": ""})  # told to the folder
    again = opened(folder)
    assert [again.all[n].state for n in (0, 1)] == ["finished", "pruned"]
    assert again.left == []
    assert again.all[0].objectives == [pytest.approx(0.03)]
    assert run(again, tmp_path) == [2, 3]


def test_a_damaged_checkpoint_costs_its_own_trial_alone(swept: Path, tmp_path: Path) -> None:
    """A finished trial keeps its figure; one under way begins again, and says nothing wrong."""
    folder = copied(swept, tmp_path)
    for last in folder.glob("trials/*/checkpoint-*/last.pt"):
        last.write_bytes(last.read_bytes()[:100])
    trials = opened(folder)
    assert all_of(trials) == all_of(opened(swept))
    taken = trials.take()
    assert taken is not None
    assert taken.folder.go_on() is None
    assert taken.folder.history() == []


def test_a_trial_that_a_kill_took_before_it_had_a_number_comes_again(tmp_path: Path) -> None:
    folder = tmp_path / "night"
    trials = opened(folder)
    trials.study.ask(trials.space)  # the paper's point, asked for by a driver that is killed now
    again = opened(folder)
    assert again.all == {}
    taken = again.take()
    assert taken is not None
    assert (taken.number, taken.values["samples.sigma"]) == (0, 7.0)


def test_a_sweep_that_goes_on_draws_other_points(tmp_path: Path) -> None:
    drawn = []
    for trial in range(4):
        trials = opened(tmp_path / "night", sampler="random")
        taken = trials.take()
        assert taken is not None
        assert taken.number == trial
        trials.end(taken, "failed", "for now")
        trials.left.clear()
        drawn.append(tuple(taken.values.values()))
        again = opened(tmp_path / "night", sampler="random")
        again.left.clear()
        for left in [n for n, one in again.all.items() if one.state == "failed"]:
            again.left.append(left)
            one = again.take()
            assert one is not None
            train(again, one, tmp_path)
            again.end(one, "finished")
    assert len(set(drawn)) == 4


def test_a_moved_or_copied_sweep_goes_on_where_it_lies(swept: Path, tmp_path: Path) -> None:
    folder = copied(swept, tmp_path)
    before = {path: path.read_bytes() for path in swept.rglob("*") if path.is_file()}
    run(opened(folder), tmp_path)
    assert {path: path.read_bytes() for path in swept.rglob("*") if path.is_file()} == before


def test_a_database_may_hold_another_sweeps_study(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    trials = opened(tmp_path / "a" / "night", study=url)
    assert run(trials, tmp_path) == [0, 1, 2, 3]
    assert opened(tmp_path / "a" / "night", study=url).left == []
    with pytest.raises(InputError, match="there is a study 'night' of another sweep"):
        opened(tmp_path / "b" / "night", study=url)
    assert len(trials.study.trials[0].intermediate_values) == EPOCHS
    assert {trial.user_attrs[NUMBER] for trial in trials.study.trials} == {0, 1, 2, 3}
