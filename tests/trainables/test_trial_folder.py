"""A trial's folder: whatever is cut off, it is gone on with from what is whole."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lesions import InputError
from tests.platform.driven import write_checkpoint
from tests.trainables.runs import a_run, ellipses, small
from trainables.checkpoint import read_best
from trainables.loop import fit
from trainables.trial_folder import HISTORY, TrialFolder

LESIONS = ellipses(6)


def epoch(number: int) -> dict[str, float]:
    return {"epoch": float(number), "train_loss": 1.0 / number}


def written(place: Path, epochs: int) -> TrialFolder:
    """A folder after so many epochs, each with a checkpoint."""
    folder = TrialFolder(place / "0003")
    folder.go_on()
    for number in range(1, epochs + 1):
        history = [epoch(n) for n in range(1, number + 1)]
        folder.keep(write_checkpoint(place / "scratch", history), number)
        folder.add(history[-1])
    return folder


def plain(history: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{k: v for k, v in metrics.items() if k != "timestamp"} for metrics in history]


def test_the_newest_checkpoint_alone_is_kept(tmp_path: Path) -> None:
    folder = written(tmp_path, 3)
    assert [path.name for path in folder.checkpoints()] == ["checkpoint-000003"]
    assert folder.go_on() == folder.checkpoints()[0]
    assert plain(folder.history()) == [epoch(1), epoch(2), epoch(3)]
    assert all("timestamp" in metrics for metrics in folder.history())


@settings(max_examples=30, deadline=None, derandomize=True)
@given(share=st.floats(0, 1))
def test_a_history_cut_off_anywhere_is_told_by_the_checkpoint(
    tmp_path_factory: pytest.TempPathFactory, share: float
) -> None:
    folder = written(tmp_path_factory.mktemp("cut"), 3)
    path = folder.path / HISTORY
    path.write_bytes(path.read_bytes()[: round(share * path.stat().st_size)])
    assert plain(folder.history()) == [epoch(1), epoch(2), epoch(3)]
    folder.go_on()
    folder.add(epoch(4))
    assert plain(folder.history()) == [epoch(n) for n in (1, 2, 3, 4)]


def test_epochs_after_the_checkpoint_are_undone(tmp_path: Path) -> None:
    folder = written(tmp_path, 2)
    folder.add(epoch(3))  # its process was killed before the next checkpoint was due
    folder.add(epoch(4))
    assert len(folder.history()) == 4
    folder.go_on()
    assert plain(folder.history()) == [epoch(1), epoch(2)]


def test_what_a_kill_left_of_a_checkpoint_is_none(tmp_path: Path) -> None:
    folder = written(tmp_path, 2)
    (folder.path / "new-abc").mkdir()
    (folder.path / "new-abc" / "last.pt").write_bytes(b"half")
    later = folder.path / "checkpoint-000003"
    later.mkdir()
    (later / "last.pt").write_bytes(folder.checkpoints()[0].joinpath("last.pt").read_bytes()[:50])
    newest = folder.go_on()
    assert newest is not None
    assert newest.name == "checkpoint-000002"
    assert not (folder.path / "new-abc").exists()
    folder.keep(write_checkpoint(tmp_path / "scratch", [epoch(3)]), 3)
    assert [path.name for path in folder.checkpoints()] == ["checkpoint-000003"]


@pytest.mark.parametrize("text", ["", "{", "[1]", "\xff", json.dumps({"state": "x" * (2 << 20)})])
def test_a_damaged_end_is_none(tmp_path: Path, text: str) -> None:
    folder = written(tmp_path, 1)
    (folder.path / "end.json").write_text(text, encoding="latin-1")
    assert folder.read("end.json") is None
    assert folder.read("trial.json") is None


def test_a_run_may_begin_with_anothers_best_weights(tmp_path: Path) -> None:
    fit(a_run(tmp_path / "first", small(epochs=1), LESIONS[:4], LESIONS[4:]))
    still = small(epochs=1, learning_rate=1e-12, seed=5)
    run = replace(a_run(tmp_path / "second", still, LESIONS[:4], LESIONS[4:]),
                  start=tmp_path / "first")  # fmt: skip
    fit(run)
    began, ended = (read_best(tmp_path / name)["model"] for name in ("first", "second"))
    learnt = [name for name in began if name.endswith("weight")]
    assert all(torch.allclose(began[name], ended[name], atol=1e-6) for name in learnt)
    other = a_run(tmp_path / "third", replace(still, model=replace(still.model, features=4)),
                  LESIONS[:4])  # fmt: skip
    with pytest.raises(InputError, match="other weights than"):
        fit(replace(other, start=tmp_path / "first"))
