"""The registry over a real SQLite store and a real server: what a word means, and refusals."""

import hashlib
import json
import pickle
import re
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import torch

from lesions import InputError
from lesions.readers.png import encode_slice
from platform.command_line.models import checkpoints
from platform.tracking.runs import find_or_create_run, find_run
from platform.tracking.store import Store, open_store
from tests.discs import Checkpoints, middle_of, slice_with_discs
from tests.platform.conftest import command, free_port
from tests.platform.registered import champion, trained
from tests.platform.test_mlflow import mlflow_server
from trainables.checkpoint import BEST, RUN, load_best
from trainables.registry import SYSTEMS

PDNET = SYSTEMS["pdnet"]


def test_an_alias_of_a_version_that_is_gone(
    store: Store, storage: Path, two_checkpoints: Checkpoints, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(store, "one", two_checkpoints[1])
    with sqlite3.connect(storage / "mlflow.db") as database:  # MLflow itself would not
        database.execute("update registered_model_aliases set version = 9")
    assert command("models", "--storage", storage) == 0
    assert "pdnet-stage2@champion is version 9, which is gone" in capsys.readouterr().out
    assert "pdnet-stage2 has no alias 'champion' (it has @champion = 9; versions 1)" in refused(
        storage, "pdnet-stage2@champion"
    )
    trained(store, "two", two_checkpoints[1])
    assert champion(store, "pdnet-stage2") == "2"
    assert "the champion: pdnet-stage2:9, which was, is gone" in capsys.readouterr().out


def test_a_name_with_quotes_is_no_query(store: Store, storage: Path) -> None:
    for name in ("it's", 'say "x"', "' or name like '%"):
        store.client.create_registered_model(f"{name}-stage1")
        assert f"{name}-stage1 has no version '1'" in refused(storage, f"{name}-stage1:1")
        find_or_create_run(store, {"lesion.measured": name}, {}, {})
        assert find_run(store, {"lesion.measured": name}) is not None
    with pytest.raises(InputError, match="has quotes of both kinds"):
        find_run(store, {"lesion.measured": 'it\'s "x"'})


def test_both_stages_are_found_by_alias_and_overridden(
    store: Store, storage: Path, tmp_path: Path, two_checkpoints: Checkpoints
) -> None:
    for checkpoint in two_checkpoints:
        trained(store, checkpoint.name, checkpoint)
    both = checkpoints(PDNET, ["pdnet@champion"], storage)
    assert {part: one.registered for part, one in both.items()} == {
        "stage1": "pdnet-stage1:1", "stage2": "pdnet-stage2:1",
    }  # fmt: skip
    for one, original in zip(both.values(), two_checkpoints, strict=True):
        for name in (BEST, RUN):
            assert (one.folder / name).read_bytes() == (original / name).read_bytes()
    words = ["pdnet@champion", str(two_checkpoints[0]), "pdnet-stage2:1"]
    mixed = checkpoints(PDNET, words, storage)
    assert (mixed["stage1"].folder, mixed["stage1"].registered) == (two_checkpoints[0], None)
    assert mixed["stage2"] == both["stage2"], "fetched once"
    hu, corners = slice_with_discs(100)
    (tmp_path / "slice.png").write_bytes(encode_slice(hu))
    x, y = middle_of(corners[0])
    assert command("predict", "pdnet", "--model", "pdnet@champion", "--storage", storage,
                   "--image", tmp_path / "slice.png", "--click", f"{x},{y}", "--spacing", 0.8, 0.8,
                   "--out", tmp_path / "out") == 0  # fmt: skip
    model = json.loads((tmp_path / "out" / "answer.json").read_text())["model"]["parts"]
    for number, original in enumerate(two_checkpoints, 1):
        digest = hashlib.sha256((original / BEST).read_bytes()).hexdigest()
        assert model[f"stage{number}"]["registered"] == f"pdnet-stage{number}:1"
        assert model[f"stage{number}"]["sha256"] == digest


def refused(storage: Path, *words: str) -> str:
    with pytest.raises(InputError) as caught:
        checkpoints(PDNET, words, storage)
    return str(caught.value)


def test_what_is_not_registered_names_the_choices(
    store: Store, storage: Path, tmp_path: Path, two_checkpoints: Checkpoints
) -> None:
    assert "there is no registered model 'pdnet-stage1' (none is registered: train one)" in refused(
        storage, "pdnet@champion"
    )
    trained(store, "one", two_checkpoints[1])
    for words, said in (
        (["liver@champion"], "model 'liver-stage1' (choose of pdnet-stage2)"),
        (["pdnet@champion"], "pdnet has no stage 1 (train it with --config.stage 1)"),
        (["pdnet-stage2@best"], "pdnet-stage2 has no alias 'best' (it has @champion = 1; "
         "versions 1)"),
        (["pdnet-stage2:2"], "pdnet-stage2 has no version '2'"),
        (["pdnet-stage2:x"], "'pdnet-stage2:x' is no registered model"),
    ):  # fmt: skip
        assert said in refused(storage, *words)
    shutil.rmtree(storage / "artifacts")
    assert "the files of pdnet-stage2:1 cannot be fetched" in refused(
        storage, "pdnet-stage2@champion"
    )
    assert "nothing was registered here" in refused(tmp_path / "new", "pdnet@champion")
    assert not (tmp_path / "new" / "mlflow.db").exists()


class Code:
    """Unpickled, it would run code."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise SystemExit('code ran')",)


def test_a_checkpoint_with_code_in_it_is_refused(
    two_checkpoints: Checkpoints, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = tmp_path / "evil"
    shutil.copytree(two_checkpoints[1], evil)
    (evil / BEST).write_bytes(pickle.dumps({"model": Code(), "epoch": 1, "dice": 1.0}))
    words = ("--image", "absent.png", "--click", "5,5", "--out", tmp_path / "out")
    assert command("predict", "pdnet", "--model", two_checkpoints[0], evil, *words) == 2
    error = capsys.readouterr().err
    assert re.search(r"evil/best\.pt: cannot be loaded: .*\(take another checkpoint\)", error)
    assert "Traceback" not in error


@pytest.mark.slow
def test_a_server_keeps_models_too(
    two_checkpoints: Checkpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with mlflow_server(tmp_path, port) as kill:
        store = open_store(tmp_path, "pdnet", "pdnet")
        for checkpoint in two_checkpoints * 2:
            trained(store, checkpoint.name, checkpoint)
        both = checkpoints(PDNET, ["pdnet@champion"], tmp_path).values()
        assert [one.registered for one in both] == ["pdnet-stage1:1", "pdnet-stage2:1"]
        assert [load_best(one.folder, torch.device("cpu"))[1].stage for one in both] == [1, 2]
        kill()
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        assert f"the MLflow server at {uri} is away" in refused(tmp_path, "pdnet@champion")
    assert json.loads((next(iter(both)).folder / RUN).read_text())["system"] == "pdnet"
