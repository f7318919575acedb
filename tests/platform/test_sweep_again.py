"""Failed trials that succeed when the sweep goes on; and a sweep that a version before began."""

import json
import shutil
from pathlib import Path

import pytest
from optuna.trial import TrialState

from platform.tuning.study import JOURNAL, NUMBER
from platform.tuning.trials import LOST
from tests.platform.agreement import check_agree, epochs_recorded, runs_of_sweep, study_at
from tests.platform.conftest import Cluster, command
from tests.platform.sleeping import again, check_slept, files_of, new
from tests.sleeper import EPOCHS

pytestmark = pytest.mark.ray


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trouble", "why"),
    [("raise 3", "ValueError: x is above 3"), ("exit 3", LOST)],
    ids=["an error", "a crash"],
)
def test_a_failed_trial_that_succeeds_later_is_complete(
    trouble: str, why: str, ray_cluster: Cluster, tiny_set: Path, storage: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    cause = tmp_path / "trouble"
    cause.write_text(trouble)
    words = new(storage, tiny_set, "night", "--config.trouble", cause, "--config.seconds", 0.1,
                trials=3)  # fmt: skip
    assert command("sweep", *words) == 0
    states = check_agree(storage, "sleeper", "night")
    assert states[0] == "finished", "the papers' x is 3"
    failed = {number for number, state in states.items() if state == "failed"}
    assert failed
    said = capsys.readouterr().out
    assert said.count(f"why: {why}") == len(failed)
    parent, runs = runs_of_sweep(storage, "sleeper", "night")
    assert {n for n, run in runs.items() if "lesion.reason" in run.data.tags} == failed
    assert {runs[number].data.tags["lesion.reason"] for number in failed} == {why}
    assert parent.data.tags["lesion.best_trial"] not in {f"{number:04d}" for number in failed}

    cause.unlink()
    assert command("sweep", *again(storage, "night")) == 0
    assert set(check_agree(storage, "sleeper", "night").values()) == {"finished"}
    told = study_at(storage / "sweeps" / "night").trials
    last = {trial.user_attrs[NUMBER]: trial.state for trial in told}
    assert last == dict.fromkeys(range(3), TrialState.COMPLETE)
    assert len(told) == 3 + len(failed), "what failed stays in the study's history"
    _, runs = runs_of_sweep(storage, "sleeper", "night")
    for run in runs.values():
        assert epochs_recorded(storage, run) == [*range(1, EPOCHS + 1)]
        assert not run.data.tags.get("lesion.reason"), "it is finished now"
    # The epoch in which it failed; Tune begins a process that died once more.
    check_slept(storage, 3, twice=2 * len(failed))
    assert not list((storage / "sweeps" / "night").glob("trials/*/error.txt"))


def test_a_sweep_of_a_version_before_is_left_alone(
    ray_cluster: Cluster, tiny_set: Path, storage: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = storage / "sweeps" / "night"
    words = new(storage, tiny_set, "night", "--config.seconds", 0, trials=1)
    assert command("sweep", *words) == 0
    for new_one in ("trials", "study.log", "study.id", "state.json"):  # what it had not
        path = folder / new_one
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    plan = json.loads((folder / "sweep.json").read_text())
    for later in ("study", "sampler", "pruner", "space", "objective", "constraint", "fork"):
        del plan[later]
    (folder / "sweep.json").write_text(json.dumps(plan))
    (folder / "tuner.pkl").write_bytes(b"\x80")
    before = files_of(storage)
    capfd.readouterr()
    for going_on in (("--resume", "night"), ("--resume-or-start", "night"),
                     ("--extend", "night", "--trials", 2)):  # fmt: skip
        assert command("sweep", words[0], "--storage", storage, *going_on) == 2
        (line,) = [one for one in capfd.readouterr().err.splitlines() if "error: " in one]
        assert str(folder) in line
        assert "a version before" in line
        assert "its trials are in MLflow" in line
    assert files_of(storage) == before
    assert not (folder / JOURNAL).exists()
