"""Names are taken before work starts; what a signal ended goes on; nothing is left behind."""

import json
import os
import shlex
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from dashboards.recorded.artifacts import files_of
from lesions import InputError
from lesions.sample import ROOT as SAMPLE
from platform.running.doors import check_short
from platform.running.driving import LOCK
from platform.running.plans import start
from platform.running.storage import unnamed
from platform.running.training import Training, read_history
from platform.tracking.runs import end_run, find_or_create_run, interruptible
from platform.tracking.store import Store, find_store, open_store
from platform.train import TrainOptions
from tests.platform.conftest import TINY, Cluster, command, started, wait_for_line, wait_until
from trainables.pdnet import PDNetSystem
from trainables.pdnet.config import tiny

ODD = "a?b=1#c%20d &ü"  # a storage's name


def begin(storage: Path, data: Path | None, **which: Any) -> Any:
    options = TrainOptions(config=tiny(), data=data, **which)
    return start(Training, PDNetSystem(), "tiny", options, storage)


def test_a_name_is_taken_before_its_data_is_looked_at(tmp_path: Path, tiny_set: Path) -> None:
    with begin(tmp_path, tiny_set, name="mine") as training:
        assert (tmp_path / "trainings" / "mine" / LOCK).exists()
        for which in ("name", "resume_or_start"):
            with pytest.raises(InputError, match="is driven by process"):
                begin(tmp_path, Path("/nowhere"), **{which: "mine"}).__enter__()
        training.write()
    with pytest.raises(InputError, match="there is a run 'mine' already"):
        begin(tmp_path, tiny_set, name="mine").__enter__()
    with begin(tmp_path, Path("/nowhere"), resume_or_start="mine") as again:
        assert again.data.root == tiny_set
    kept = sorted(path.name for path in training.folder.iterdir())
    assert kept == ["train.json", "train.json.copy"]


def test_a_name_whose_start_was_killed_is_free(tmp_path: Path, tiny_set: Path) -> None:
    folder = tmp_path / "trainings" / "mine"
    for which in ("name", "resume_or_start"):
        folder.mkdir(parents=True)
        (folder / LOCK).write_text("")
        (folder / LOCK).unlink()
        with pytest.raises(InputError, match="start it again with --name mine"):
            begin(tmp_path, tiny_set, resume="mine").__enter__()
        with begin(tmp_path, tiny_set, **{which: "mine"}) as training:
            assert training.name == "mine"
        assert not folder.exists(), "no plan was written, so nothing is kept"


def test_a_start_that_fails_leaves_its_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="/nowhere"):
        begin(tmp_path, Path("/nowhere"), name="mine").__enter__()
    assert list((tmp_path / "trainings").iterdir()) == []


def test_unnamed_ones_never_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "strftime", lambda words: "20260101-000000")
    found = [unnamed(tmp_path, "pdnet").name for _ in range(3)]
    assert found == [f"pdnet-20260101-000000{end}" for end in ("", "-2", "-3")]


def test_two_names_are_one_too_many(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("train", "sweep"):
        words = ["pdnet", "--name", "a", "--resume-or-start", "b", "--storage", tmp_path]
        assert command(name, *words) == 2
        assert "--name, --resume and --resume-or-start: say one" in capfd.readouterr().err


def test_runs_below_an_interrupted_one_say_so(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(name: str, parent: str = "") -> str:
        tags = {"mlflow.parentRunId": parent} if parent else {}
        return find_or_create_run(store, {"lesion.train": name}, {"lesion.state": "x", **tags}, {})

    top = make("top")
    below, done, other = make("below", top), make("done", top), make("other")
    lowest = make("lowest", below)
    end_run(store, done, "finished")
    stop(store, top, monkeypatch)
    for run_id, status in {top: "KILLED", below: "KILLED", lowest: "KILLED", done: "FINISHED",
                           other: "RUNNING"}.items():  # fmt: skip
        run = store.client.get_run(run_id)
        assert run.info.status == status
        assert (run.data.tags["lesion.state"] == "interrupted") == (status == "KILLED")
    assert make("below") == below
    assert store.client.get_run(below).info.status == "RUNNING"


def stop(store: Store, run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.tracking.runs.asked_to_stop", lambda: True)
    with pytest.raises(KeyboardInterrupt), interruptible(store, run_id):
        raise KeyboardInterrupt


@pytest.mark.parametrize("at_error", ["failed", "interrupted"])
@pytest.mark.parametrize(
    "error", [InputError("training failed"), OSError("no room"), ZeroDivisionError("by 0")]
)
def test_an_error_and_its_reason_are_recorded(
    store: Store, error: Exception, at_error: str
) -> None:
    """A run that failed goes on when its command is given again, and says nothing of it then."""
    key = {"lesion.train": "night"}
    run_id = find_or_create_run(store, key, {"lesion.state": "running"}, {})
    with pytest.raises(type(error)), interruptible(store, run_id, at_error):
        raise error
    run = store.client.get_run(run_id)
    assert run.info.status == {"failed": "FAILED", "interrupted": "KILLED"}[at_error]
    assert run.data.tags["lesion.state"] == at_error
    assert str(error) in run.data.tags["lesion.reason"]

    assert find_or_create_run(store, key, {}, {}) == run_id
    run = store.client.get_run(run_id)
    assert run.info.status == "RUNNING"
    assert (run.data.tags["lesion.state"], run.data.tags["lesion.reason"]) == ("running", "")


def test_what_mlflow_itself_does_not_take_is_not_recorded(store: Store) -> None:
    run_id = find_or_create_run(store, {"lesion.train": "night"}, {"lesion.state": "running"}, {})
    with pytest.raises(MlflowException), interruptible(store, run_id):
        raise MlflowException("away")
    assert store.client.get_run(run_id).info.status == "RUNNING"


def state_of(storage: Path) -> list[tuple[str, str]]:
    found = find_store(storage, "pdnet")
    runs = MlflowClient(tracking_uri=found.uri).search_runs(
        [found.experiment_id], "tags.`lesion.kind` = 'train'"
    )
    return [(run.info.status, run.data.tags["lesion.state"]) for run in runs]


def test_a_long_path_is_not_for_sockets(tmp_path: Path) -> None:
    check_short(Path("/tmp/r1234567/lesion-ray-12345678/ray"))
    with pytest.raises(InputError, match="too long a path for Ray's sockets"):
        check_short(tmp_path / "lesion-ray-12345678" / "ray")


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Sockets' paths must be short."""
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as folder:
        yield Path(folder)


def test_a_storage_with_an_odd_name(tmp_path: Path) -> None:
    """A database's address ends at ?, and artifacts' at #; nothing may be made beside it."""
    (tmp_path / ODD).mkdir()
    made = open_store(tmp_path / ODD, "pdnet", "pdnet")
    run_id = find_or_create_run(made, {"lesion.kind": "train"}, {"lesion.state": "x"}, {})
    (tmp_path / "picture").write_text("here")
    files_of(made.client, run_id).write(tmp_path / "picture")
    found = find_store(tmp_path / ODD, "pdnet")
    assert found.uri == made.uri
    assert state_of(tmp_path / ODD) == [("RUNNING", "x")]
    assert [file.path for file in found.client.list_artifacts(run_id)] == ["picture"]
    assert len(list((tmp_path / ODD / "artifacts").rglob("picture"))) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([ODD, "picture"])
    assert shlex.split(found.browsed_by)[-1] == found.uri


@pytest.mark.ray
def test_a_signal_leaves_nothing_of_ray(tmp_path: Path, short_folder: Path) -> None:
    """In the midst of Ray's own start or of the work, sent to all processes."""
    log, out = tmp_path / "log", tmp_path / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", str(short_folder))
        words = ("--source", SAMPLE, "--out", out, "--masks", "snakes,ellipse")
        with started(log, "prepare", *words, address="local") as driver:
            own = psutil.Process(driver.pid)
            wait_until(
                lambda: any("raylet" in one.name() for one in own.children()), 60, "Ray's start"
            )
            children = own.children(recursive=True)
            for process in (own, *children):
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGHUP)
            assert driver.wait(30) == 129
    said = log.read_text().splitlines()[-1]
    assert said == "interrupted; go on with the same command: what is done is kept"
    assert "Traceback" not in log.read_text()
    assert "***" not in log.read_text()
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert list(short_folder.iterdir()) == []


@pytest.mark.slow
@pytest.mark.ray
def test_sigterm_of_a_scheduler_and_the_same_command_again(
    ray_cluster: Cluster, tiny_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str], short_folder: Path,
) -> None:  # fmt: skip
    """On a cluster of its own, in a storage with an odd name; then on the shared one."""
    storage, log, rays = tmp_path / ODD, tmp_path / "log", short_folder
    monkeypatch.setenv("RAY_TMPDIR", str(rays))
    words = ("pdnet", "--storage", storage, "--data", tiny_set, "--resume-or-start", "night",
             "--config.training.epochs", 25, *TINY)  # fmt: skip
    with started(log, "train", *words, address="local") as driver:
        wait_for_line(driver, log, "epoch 1", 90)
        assert command("train", *words) == 2
        assert f"is driven by process {driver.pid} on " in capfd.readouterr().err
        own = psutil.Process(driver.pid).children(recursive=True)
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(driver.pid, number)
        assert driver.wait(30) == 143
    said = log.read_text()
    assert said.endswith("interrupted; go on with --resume night\n")
    assert "Traceback" not in said
    assert "***" not in said
    assert list(rays.iterdir()) == []
    assert psutil.wait_procs(own, timeout=10)[1] == []
    folder = storage / "trainings" / "night"
    assert not list(folder.glob(f"{LOCK}*"))
    assert state_of(storage) == [("KILLED", "interrupted")]
    before = len(read_history(folder / "history.jsonl"))
    assert 1 <= before < 25

    monkeypatch.delenv("RAY_TMPDIR")
    assert command("train", *words) == 0
    assert [row["epoch"] for row in read_history(folder / "history.jsonl")] == [*range(1, 26)]
    assert state_of(storage) == [("FINISHED", "finished")]
    capfd.readouterr()
    assert command("models", "--storage", storage) == 0
    assert "pdnet-stage2" in capfd.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([ODD, "log"])
    assert json.loads((folder / "train.json").read_text())["preset"] == "tiny"
