"""A server that lies: nothing outside is read or written, and every command ends with one line."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from dashboards.recorded.artifacts import files_of
from dashboards.recorded.evidence import MOST_JSON
from lesions import InputError
from platform.tracking.registry import fetch
from platform.tracking.store import Store
from tests.platform.conftest import command
from tests.platform.hostile_mlflow import Hostile, hostile_mlflow
from trainables.checkpoint import BEST, RUN

LESION = {"file": "a.png", "row": 1, "patient": "1", "lesion_type": "lung", "precision": 1,
          "recall": 1, "dice": 0.5, "long_axis_error": 1, "short_axis_error": 1,
          "long_axis_mm": 9, "short_axis_mm": 9}  # fmt: skip


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hostile]:
    with hostile_mlflow() as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        yield server


@pytest.fixture
def one_line(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that is to fail; its one line."""

    def run(name: str, *words: object) -> str:
        assert command(name, *words) == 2
        (line,) = capfd.readouterr().err.splitlines()
        assert line.startswith("error: ")
        return line

    return run


def test_a_good_answer_is_shown(
    hostile: Hostile, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What the tests below damage works before."""
    hostile.files = {"best/lesions.json": json.dumps([LESION]).encode()}
    assert command("compare", "pdnet", "--storage", tmp_path) == 0
    assert "a.png, row 1" in (tmp_path / "reports" / "night.html").read_text()
    assert command("models", "--storage", tmp_path) == 0
    assert "pdnet-stage2:1" in capfd.readouterr().out


@pytest.mark.parametrize(
    "name", ["../../outside", "/tmp/outside", "a/b", "..", "", "a\0b", "\x1b]0;x\x07", "x" * 300]
)
def test_a_sweeps_name_is_no_path(
    hostile: Hostile, tmp_path: Path, one_line: Callable[..., str], name: str
) -> None:
    hostile.sweep = name
    storage = tmp_path / "a" / "b" / "storage"
    if name:
        assert "is no name (use letters, digits, _ and -)" in one_line(
            "compare", "pdnet", "--storage", storage
        )
    else:  # MLflow's own for a run that has none
        assert command("compare", "pdnet", "--storage", storage) == 0
    assert not [path for path in tmp_path.rglob("*.html") if path.parent != storage / "reports"]


@pytest.mark.parametrize("place", ["file://{}", "{}", "FILE:{}", "file:///{}/x/..", "models:/a/1"])
def test_this_machines_disk_is_no_place_of_a_servers(
    hostile: Hostile, tmp_path: Path, one_line: Callable[..., str], place: str
) -> None:
    outside = tmp_path / "outside"
    (outside / "best").mkdir(parents=True)
    (outside / "best" / "lesions.json").write_text("[]")
    hostile.place = place.format(outside)
    storage = tmp_path / "storage"
    for name, *words in (
        ("compare", "pdnet"),
        ("predict", "pdnet", "--model", "pdnet-stage2@champion",
         "--image", "a.png", "--click", "5,5", "--out", tmp_path / "out"),
    ):  # fmt: skip
        said = one_line(name, *words, "--storage", storage)
        assert "on this machine's disk (start it with --artifacts-destination" in said
    file = tmp_path / "file"
    file.write_text("written")
    store = Store(uri=hostile.uri, experiment="pdnet", experiment_id="1")
    for act in (lambda: files_of(store.client, "run").write(file),
                lambda: files_of(store.client, "run").read("best/lesions.json", 9),
                lambda: files_of(store.client, "run").names("best")):  # fmt: skip
        with pytest.raises(InputError, match="on this machine's disk"):
            act()
    assert sorted(path.name for path in outside.rglob("*")) == ["best", "lesions.json"]


@pytest.mark.parametrize("scheme", ["http", "HTTP", "https", "mlflow-artifacts"])
def test_no_other_server_is_sent_the_password(
    hostile: Hostile, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """MLflow would send it to whatever server the first one names."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    store = Store(uri=hostile.uri, experiment="pdnet", experiment_id="1")
    with hostile_mlflow() as other:
        hostile.place = f"{scheme}://{urlsplit(other.uri).netloc}/1/artifacts"
        with pytest.raises(InputError, match="another server"):
            files_of(store.client, "run").names("best")
        assert other.asked == []
    hostile.place = f"mlflow-artifacts://{urlsplit(hostile.uri).netloc}/1/run/artifacts"
    hostile.files = {"best/lesions.json": b"[]"}
    assert files_of(store.client, "run").names("best") == {"lesions.json"}


@pytest.mark.parametrize("name", ["sweep", "train"])
def test_a_place_on_this_machine_is_told_before_the_work(
    hostile: Hostile, tmp_path: Path, tiny_set: Path, one_line: Callable[..., str], name: str
) -> None:
    hostile.place = str(tmp_path)
    said = one_line(name, "pdnet", "--storage", tmp_path / "storage", "--data", tiny_set)
    assert "on this machine's disk (start it with --artifacts-destination" in said


@pytest.mark.parametrize("source", ["file://{}", "{}", "models:/pdnet-stage2/1", "runs:/run/best"])
def test_a_versions_source_is_no_file_of_ours(
    hostile: Hostile, tmp_path: Path, source: str
) -> None:
    for name in (BEST, RUN):
        (tmp_path / name).write_text("ours")
    hostile.source = source.format(tmp_path)
    hostile.place = f"file://{tmp_path}"  # a run's, which runs:/ leads to
    store = Store(uri=hostile.uri, experiment="", experiment_id="")
    with pytest.raises(InputError, match="on this machine's disk"):
        fetch(store, "pdnet-stage2:1", tmp_path / "storage")
    assert not [*(tmp_path / "storage").rglob("*.pt")]


def test_a_versions_name_is_no_path(hostile: Hostile, tmp_path: Path) -> None:
    hostile.model = "../../outside"
    hostile.files = {f"best/{name}": b"theirs" for name in (BEST, RUN)}
    store = Store(uri=hostile.uri, experiment="", experiment_id="")
    with pytest.raises(InputError, match="no registered model"):
        fetch(store, "../../outside@champion", tmp_path / "a" / "storage")
    hostile.model = "..\\outside"
    with pytest.raises(InputError, match="is no name"):
        fetch(store, "..\\outside@champion", tmp_path / "a" / "storage")
    assert not [*tmp_path.rglob("*.pt")]


def test_a_version_is_fetched_from_the_servers_own_place(hostile: Hostile, tmp_path: Path) -> None:
    hostile.files = {f"best/{name}": name.encode() for name in (BEST, RUN)}
    store = Store(uri=hostile.uri, experiment="", experiment_id="")
    folder, found = fetch(store, "pdnet-stage2@champion", tmp_path)
    assert found == "pdnet-stage2:1"
    assert [(folder / name).read_text() for name in (BEST, RUN)] == [BEST, RUN]


@pytest.mark.parametrize("path", ["../../../escaped.png", "/tmp/escaped.png", "a/../../x.png"])
def test_a_listing_does_not_leave_the_scratch_folder(
    hostile: Hostile, tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    hostile.listing = [{"path": path, "is_dir": False}, {"path": "overlays", "is_dir": True}]
    hostile.files = {"best/overlays/escaped.png": b"theirs", "best/overlays/x.png": b"theirs"}
    assert command("compare", "pdnet", "--storage", tmp_path / "storage") in (0, 2)
    assert not [*tmp_path.rglob("*escaped*"), *tmp_path.rglob("x.png")]
    assert not Path("/tmp/escaped.png").exists()


def test_a_file_without_end_is_left(
    hostile: Hostile, tmp_path: Path, one_line: Callable[..., str]
) -> None:
    sent = []

    def endless() -> Iterator[bytes]:
        while True:
            sent.append(1 << 20)
            yield b" " * (1 << 20)

    hostile.files = {"best/lesions.json": endless}
    said = one_line("compare", "pdnet", "--storage", tmp_path)
    assert "best/lesions.json: is larger than any that was logged" in said
    assert sum(sent) < 2 * MOST_JSON


NONSENSE: dict[str, Any] = {
    "no JSON": b"<html>", "empty": b"", "a list": b"[1]", "a number": b"7", "null": b"null",
    "other types": {"runs": 7, "experiment": "x", "registered_models": {"a": 1}},
    "runs of nothing": {"runs": [{}]},
    "runs without data": {"runs": [{"info": {"run_id": "a"}}]},
    "a state that is none": {"runs": [{"info": {"run_id": "a", "status": 99}, "data": {}}]},
    "versions of words": {"model_versions": [{"name": "pdnet-stage2", "version": "one"}]},
    "halves of characters": {"runs": [{"info": {"run_id": "\ud800"},
                                       "data": {"tags": [{"key": "\ud800", "value": "\udfff"}]}}]},
}  # fmt: skip


@pytest.mark.parametrize("case", NONSENSE)
@pytest.mark.parametrize(
    "endpoint",
    ["experiments/get-by-name", "runs/search", "runs/get", "registered-models/search",
     "model-versions/search"],
)  # fmt: skip
def test_nonsense_costs_one_line(
    hostile: Hostile, tmp_path: Path, capfd: pytest.CaptureFixture[str], endpoint: str, case: str
) -> None:
    hostile.answers = {endpoint: NONSENSE[case]}
    predict = ("predict", "pdnet", "--model", "pdnet-stage2@champion", "--image", "a.png",
               "--click", "5,5", "--out", tmp_path / "out")  # fmt: skip
    for words in (("compare", "pdnet"), ("models",), predict):
        status = command(str(words[0]), *words[1:], "--storage", tmp_path)
        error = capfd.readouterr().err.splitlines()
        assert (status, len(error)) in ((0, 0), (2, 1)), error
        assert not error or re.match("error: ", error[0])
