"""A storage that was moved, or copied: its models and sweeps are found where they are now."""

import shutil
from pathlib import Path

import pytest

from dashboards.recorded.artifacts import beside, files_of
from dashboards.recorded.evidence import lesion_records
from lesions import InputError
from platform.command_line.models import checkpoints
from platform.running.storage import found_again
from platform.tracking.runs import end_run, find_or_create_run, log_metrics
from platform.tracking.store import Store
from tests.discs import Checkpoints
from tests.platform.conftest import command
from tests.platform.registered import trained
from trainables.checkpoint import BEST
from trainables.registry import SYSTEMS

CHAMPION = ["pdnet-stage1@champion", "pdnet-stage2@champion"]


def moved(storage: Path, store: Store) -> tuple[Path, Store]:
    there = storage.rename(storage.with_name("elsewhere"))
    uri = f"sqlite:///{there / 'mlflow.db'}"
    return there, Store(uri=uri, experiment=store.experiment, experiment_id=store.experiment_id)


def test_models_are_found_where_the_storage_is_now(
    store: Store, storage: Path, two_checkpoints: Checkpoints, capsys: pytest.CaptureFixture[str]
) -> None:
    for checkpoint in two_checkpoints:
        trained(store, checkpoint.name, checkpoint)
    there, store = moved(storage, store)
    assert command("models", "--storage", there) == 0
    assert "pdnet-stage2:1" in capsys.readouterr().out
    found = checkpoints(SYSTEMS["pdnet"], CHAMPION, there)
    for part, checkpoint in zip(("stage1", "stage2"), two_checkpoints, strict=True):
        assert (found[part].folder / BEST).read_bytes() == (checkpoint / BEST).read_bytes()
    later = trained(store, "later", two_checkpoints[1])
    assert (there / "artifacts" / "here" / later / "artifacts" / "best" / BEST).exists()
    assert not storage.exists(), "nothing is written to the old place"


def test_a_copy_has_its_own_files(store: Store, storage: Path, tmp_path: Path) -> None:
    run_id = find_or_create_run(store, {"lesion.train": "one"}, {}, {})
    files_of(store.client, run_id).write_text("[]", "lesions.json", "best")
    copy = shutil.copytree(storage, tmp_path / "copy")
    uri = f"sqlite:///{copy / 'mlflow.db'}"
    files = files_of(Store(uri=uri, experiment="", experiment_id="").client, run_id)
    files.write_text("[1]", "lesions.json", "best")
    assert files.read("best/lesions.json", 9) == b"[1]"
    assert files_of(store.client, run_id).read("best/lesions.json", 9) == b"[]"


def test_files_that_stayed_behind_are_said_and_not_taken_for_none(
    store: Store, storage: Path
) -> None:
    run_id = find_or_create_run(store, {"lesion.train": "one"}, {}, {})
    assert lesion_records(store.client, run_id) == [], "nothing measured yet"
    files_of(store.client, run_id).write_text('[{"dice": 0.5}]', "lesions.json", "best")
    log_metrics(store, run_id, {"test_n": 1.0})
    end_run(store, run_id, "finished")
    there, store = moved(storage, store)
    assert lesion_records(store.client, run_id) == [{"dice": 0.5}]
    shutil.rmtree(there / "artifacts")
    with pytest.raises(InputError, match=r"are gone.*artifacts/ back") as said:
        lesion_records(store.client, run_id)
    assert str(there) in str(said.value)


def test_only_a_local_stores_own_layout_is_looked_for(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    old = "file:///gone/runs/artifacts/pdnet/f00/artifacts"
    here = tmp_path / "artifacts" / "pdnet" / "f00" / "artifacts"
    assert beside(store, old) == here.as_uri()
    assert beside(store, here.as_uri()) == here.as_uri()
    for place in ("mlflow-artifacts:/1/f00/artifacts", "s3://a/artifacts/pdnet/f00/artifacts",
                  "file:///gone/mlruns/1/f00/artifacts", "file:///artifacts",
                  "file://[/a"):  # fmt: skip
        assert beside(store, place) == place
    assert beside("http://127.0.0.1:5000", old) == old
    there = tmp_path / "other" / "artifacts" / "pdnet" / "f00" / "artifacts"
    there.mkdir(parents=True)
    assert beside(store, there.as_uri()) == there.as_uri(), "the store was moved without them"
    here.mkdir(parents=True)
    assert beside(store, there.as_uri()) == here.as_uri(), "it was copied with them"


def test_what_a_plan_names_is_found_in_the_moved_storage(tmp_path: Path) -> None:
    here = tmp_path / "prepared" / "sample-1"
    here.mkdir(parents=True)
    old = Path("/gone/runs/prepared/sample-1")
    assert found_again(old, tmp_path) == here
    assert found_again(here, tmp_path / "another") == here
    for elsewhere in (Path("/gone/runs/prepared/sample-2"), Path("/gone/sample-1")):
        assert found_again(elsewhere, tmp_path) == elsewhere
