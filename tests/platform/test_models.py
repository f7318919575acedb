"""The registry over a real SQLite store and a real server: versions, champions, refusals."""

import hashlib
import json
import pickle
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mlflow import MlflowClient

from lesions import InputError
from lesions.readers.png import encode_slice
from platform.command_line.models import BothStages, checkpoints
from platform.tracking.champions import DATA, DICE, JUDGED_BY, log_checkpoint, register, takes_over
from platform.tracking.runs import find_or_create_run, find_run
from platform.tracking.store import Store, open_store
from tests.discs import Checkpoints, middle_of, slice_with_discs
from tests.platform.conftest import command, free_port
from tests.platform.test_mlflow import mlflow_server
from trainables.checkpoint import BEST, RUN, load_best

Trained = Callable[..., str]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A storage with a store that holds the baselines alone: making one takes seconds."""
    folder = tmp_path_factory.mktemp("empty")
    open_store(folder, "pdnet", "pdnet")
    return folder


@pytest.fixture
def storage(empty: Path, tmp_path: Path) -> Path:
    shutil.copytree(empty, tmp_path / "storage")
    return tmp_path / "storage"


@pytest.fixture
def store(storage: Path) -> Store:
    uri = f"sqlite:///{storage / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri)
    experiment = client.create_experiment("here", (storage / "artifacts" / "here").as_uri())
    return Store(uri=uri, experiment="here", experiment_id=experiment)


def scored(checkpoint: Path, dice: float, folder: Path) -> Path:
    """A copy of a checkpoint with another validation Dice."""
    shutil.copytree(checkpoint, folder)
    best = torch.load(folder / BEST, weights_only=True)
    torch.save(best | {"dice": dice}, folder / BEST)
    return folder


def trained(
    store: Store,
    name: str,
    checkpoint: Path,
    *,
    data: str = "a" * 64,
    register_as: str | None = None,
) -> str:
    """The run of a training as `platform.train` leaves it, registered."""
    tags = {"lesion.system": "pdnet", "lesion.preset": "tiny", "lesion.data": "discs, 4 slices",
            DATA: data, "lesion.truth": "human masks", "lesion.git_commit": "c0ffee"}  # fmt: skip
    run_id = find_or_create_run(store, {"lesion.train": name}, tags, {})
    log_checkpoint(store, run_id, checkpoint)
    register(store, run_id, checkpoint, register_as)
    return run_id


def champion(store: Store, model: str) -> str:
    return str(store.client.get_model_version_by_alias(model, "champion").version)


def test_a_version_says_what_it_is(store: Store, two_checkpoints: Checkpoints) -> None:
    run_id = trained(store, "one", two_checkpoints[1])
    (version,) = store.client.search_model_versions("name = 'pdnet-stage2'")
    assert (version.run_id, version.source) == (run_id, f"runs:/{run_id}/best")
    wanted = {"lesion.system": "pdnet", "lesion.stage": "2", "lesion.preset": "tiny",
              DATA: "a" * 64, "lesion.git_commit": "c0ffee", "lesion.best_epoch": "1",
              "lesion.epochs": "16", "config.model.features": "8"}  # fmt: skip
    assert {name: version.tags.get(name) for name in wanted} == wanted
    assert float(version.tags[DICE]) == -1.0
    logged = {item.path for item in store.client.list_artifacts(run_id, "best")}
    assert logged == {"best/best.pt", "best/run.json", "best/config.json"}


def test_a_run_is_registered_once_and_a_name_may_be_given(
    store: Store, two_checkpoints: Checkpoints, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        trained(store, "one", two_checkpoints[0], register_as="liver")
    trained(store, "two", two_checkpoints[0], register_as="")
    (model,) = store.client.search_registered_models()
    assert model.name == "liver-stage1"
    assert len(store.client.search_model_versions("name = 'liver-stage1'")) == 1
    assert capsys.readouterr().out == "registered liver-stage1:1, the champion: the first version\n"


def test_a_version_that_a_kill_left_unjudged_is_judged(
    store: Store, two_checkpoints: Checkpoints
) -> None:
    trained(store, "one", two_checkpoints[0])
    store.client.delete_registered_model_alias("pdnet-stage1", "champion")
    trained(store, "one", two_checkpoints[0])
    assert not store.client.get_registered_model("pdnet-stage1").aliases, "the user took it away"
    store.client.delete_model_version_tag("pdnet-stage1", "1", "lesion.verdict")
    trained(store, "one", two_checkpoints[0])
    assert champion(store, "pdnet-stage1") == "1"


HERE = {DATA: "a", JUDGED_BY: "human masks"}
NO_DICE = ("oops", "nan", "inf", "1e999", "", "7.5", "9" * 400, "\x1b[2J", "0,8")


@pytest.mark.parametrize(
    ("tags", "champions", "wanted"),
    [
        ({**HERE, DICE: "0.8"}, {**HERE, DICE: "0.7"}, True),
        ({**HERE, DICE: "0.7"}, {**HERE, DICE: "0.7"}, False),
        ({**HERE, DICE: "0.6"}, {**HERE, DICE: "0.7"}, False),
        ({**HERE, DATA: "b", DICE: "0.9"}, {**HERE, DICE: "0.7"}, None),
        ({**HERE, JUDGED_BY: "snakes", DICE: "0.9"}, {**HERE, DICE: "0.7"}, None),
        ({**HERE, DICE: "0.9"}, {}, None),
        ({DICE: "0.9"}, {DICE: "0.7"}, None),
        # A Dice that is none never wins, and never stands in the way.
        *(({**HERE, DICE: text}, {**HERE, DICE: "0.7"}, False) for text in NO_DICE),
        *(({**HERE, DICE: "0.1"}, {**HERE, DICE: text}, True) for text in NO_DICE),
        *(({**HERE, DICE: text}, {**HERE, DICE: text}, False) for text in NO_DICE),
        (HERE, {**HERE, DICE: "0.7"}, False),
        ({**HERE, DICE: "0.1"}, HERE, True),
    ],
)
def test_who_is_the_champion(
    tags: dict[str, str], champions: dict[str, str], wanted: bool | None
) -> None:
    assert takes_over(tags, champions) is wanted


def test_champions_follow_the_dice_and_never_other_data_in_silence(
    store: Store,
    storage: Path,
    tmp_path: Path,
    two_checkpoints: Checkpoints,
    capsys: pytest.CaptureFixture[str],
) -> None:
    holders = []
    for number, (dice, data) in enumerate([(0.5, "a"), (0.4, "a"), (0.6, "a"), (0.9, "b")], 1):
        checkpoint = scored(two_checkpoints[1], dice, tmp_path / str(number))
        trained(store, str(number), checkpoint, data=data)
        holders.append(champion(store, "pdnet-stage2"))
    assert holders == ["1", "1", "3", "3"]
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "registered pdnet-stage2:1, the champion: the first version",
        "registered pdnet-stage2:2, not better than the champion pdnet-stage2:1 in validation "
        "Dice, 0.400 against 0.500",
        "registered pdnet-stage2:3, the champion: better than pdnet-stage2:1 in validation Dice, "
        "0.600 against 0.500",
        "registered pdnet-stage2:4, other data than the champion pdnet-stage2:3 had, which "
        "therefore stays (choose in MLflow, or: "
        "python -m platform.models --champion pdnet-stage2:4)",
    ]
    assert command("models", "--storage", storage, "--champion", "pdnet-stage2:4") == 0
    assert champion(store, "pdnet-stage2") == "4"
    shown = capsys.readouterr().out
    assert "pdnet-stage2@champion is pdnet-stage2:4 now" in shown
    assert re.search(r"pdnet-stage2:4 +champion +0\.900", shown)
    assert re.search(r"pdnet-stage2:3 +0\.600", shown)
    assert command("models", "--storage", storage, "--champion", "pdnet-stage2:9") == 2
    assert "has no version '9' (it has @champion = 4; versions 4, 3, 2, 1)" in (
        capsys.readouterr().err
    )
    assert command("models", "--storage", storage, "--champion", "pdnet-stage2") == 2


def test_a_champion_whose_dice_is_none_is_named_and_never_stands_in_the_way(
    store: Store,
    storage: Path,
    tmp_path: Path,
    two_checkpoints: Checkpoints,
    capsys: pytest.CaptureFixture[str],
) -> None:
    holders = []
    foreign = {1: "nan", 2: "oops\x1b[2J"}  # what another hand makes of the tag
    for number, dice in enumerate((0.6, 0.5, 0.4, 0.3), 1):
        trained(store, str(number), scored(two_checkpoints[1], dice, tmp_path / str(number)))
        holders.append(champion(store, "pdnet-stage2"))
        if number in foreign:
            store.client.set_model_version_tag("pdnet-stage2", str(number), DICE, foreign[number])
    assert holders == ["1", "2", "3", "3"]
    assert capsys.readouterr().out.splitlines() == [
        "registered pdnet-stage2:1, the champion: the first version",
        "registered pdnet-stage2:2, the champion: the validation Dice of pdnet-stage2:1, which "
        "was, is 'nan', no Dice",
        "registered pdnet-stage2:3, the champion: the validation Dice of pdnet-stage2:2, which "
        "was, is 'oops?[2J', no Dice",
        "registered pdnet-stage2:4, not better than the champion pdnet-stage2:3 in validation "
        "Dice, 0.300 against 0.400",
    ]
    with pytest.raises(InputError, match=r"its epoch or its Dice is no such number"):
        trained(store, "nan", scored(two_checkpoints[1], float("nan"), tmp_path / "nan"))
    assert command("models", "--storage", storage) == 0
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "oops?[2J" in shown


def test_an_alias_of_a_version_that_is_gone(
    store: Store, storage: Path, two_checkpoints: Checkpoints, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(store, "one", two_checkpoints[1])
    with sqlite3.connect(storage / "mlflow.db") as database:  # MLflow itself would not
        database.execute("update registered_model_aliases set version = 9")
    assert command("models", "--storage", storage) == 0
    assert "pdnet-stage2@champion is version 9, which is gone" in capsys.readouterr().out
    assert "pdnet-stage2 has no alias 'champion' (it has @champion = 9; versions 1)" in refused(
        storage, stage1="a", stage2="pdnet-stage2@champion"
    )
    trained(store, "two", two_checkpoints[1])
    assert champion(store, "pdnet-stage2") == "2"
    assert "the champion: pdnet-stage2:9, which was, is gone" in capsys.readouterr().out


def test_a_name_with_quotes_is_no_query(store: Store, storage: Path) -> None:
    for name in ("it's", 'say "x"', "' or name like '%"):
        store.client.create_registered_model(name)
        assert f"{name} has no version '1'" in refused(storage, stage1="a", stage2=f"{name}:1")
        find_or_create_run(store, {"lesion.measured": name}, {}, {})
        assert find_run(store, {"lesion.measured": name}) is not None
    with pytest.raises(InputError, match="has quotes of both kinds"):
        find_run(store, {"lesion.measured": 'it\'s "x"'})


def test_both_stages_are_found_by_alias_and_overridden(
    store: Store, storage: Path, tmp_path: Path, two_checkpoints: Checkpoints
) -> None:
    for checkpoint in two_checkpoints:
        trained(store, checkpoint.name, checkpoint)
    both = checkpoints(BothStages(model="pdnet@champion", storage=storage))
    assert [one.registered for one in both] == ["pdnet-stage1:1", "pdnet-stage2:1"]
    for one, original in zip(both, two_checkpoints, strict=True):
        for name in (BEST, RUN):
            assert (one.folder / name).read_bytes() == (original / name).read_bytes()
    first, second = checkpoints(
        BothStages(
            model="pdnet@champion", stage1=str(two_checkpoints[0]), stage2="pdnet-stage2:1",
            storage=storage,
        )
    )  # fmt: skip
    assert (first.folder, first.registered) == (two_checkpoints[0], None)
    assert second == both[1], "fetched once"
    hu, corners = slice_with_discs(100)
    (tmp_path / "slice.png").write_bytes(encode_slice(hu))
    x, y = middle_of(corners[0])
    assert command("predict", "pdnet", "--model", "pdnet@champion", "--storage", storage,
                   "--image", tmp_path / "slice.png", "--click", f"{x},{y}", "--spacing", 0.8, 0.8,
                   "--out", tmp_path / "out") == 0  # fmt: skip
    model = json.loads((tmp_path / "out" / "answer.json").read_text())["model"]
    for number, original in enumerate(two_checkpoints, 1):
        digest = hashlib.sha256((original / BEST).read_bytes()).hexdigest()
        assert model[f"stage{number}"]["registered"] == f"pdnet-stage{number}:1"
        assert model[f"stage{number}"]["sha256"] == digest


def refused(storage: Path, **which: str) -> str:
    with pytest.raises(InputError) as caught:
        checkpoints(BothStages(storage=storage, **which))
    return str(caught.value)


def test_what_is_not_registered_names_the_choices(
    store: Store, storage: Path, tmp_path: Path, two_checkpoints: Checkpoints
) -> None:
    assert "there is no registered model 'pdnet-stage1' (none is registered: train one)" in refused(
        storage, model="pdnet@champion"
    )
    trained(store, "one", two_checkpoints[1])
    for which, said in (
        ({"model": "liver@champion"}, "model 'liver-stage1' (choose of pdnet-stage2)"),
        ({"model": "pdnet@champion"}, "pdnet has no stage 1 (train it with --config.stage 1)"),
        ({"model": "pdnet:1"}, "--model is 'pdnet:1' (say NAME@ALIAS, as pdnet@champion"),
        ({}, "which stage 1 is to answer? (say --model NAME@ALIAS, or --stage1 FOLDER)"),
        ({"stage1": "a"}, "which stage 2 is to answer?"),
        ({"stage1": "a", "stage2": "pdnet-stage2@best"},
         "pdnet-stage2 has no alias 'best' (it has @champion = 1; versions 1)"),
        ({"stage1": "a", "stage2": "pdnet-stage2:2"}, "pdnet-stage2 has no version '2'"),
        ({"stage1": "a", "stage2": "pdnet-stage2:x"}, "'pdnet-stage2:x' is no registered model"),
    ):  # fmt: skip
        assert said in refused(storage, **which)
    shutil.rmtree(storage / "artifacts")
    assert "the files of pdnet-stage2:1 cannot be fetched" in refused(
        storage, stage1="a", stage2="pdnet-stage2@champion"
    )
    assert "nothing was registered here" in refused(tmp_path / "new", model="pdnet@champion")
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
    assert (
        command("predict", "pdnet", "--stage1", two_checkpoints[0], "--stage2", evil, *words) == 2
    )
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
        both = checkpoints(BothStages(model="pdnet@champion", storage=tmp_path))
        assert [one.registered for one in both] == ["pdnet-stage1:1", "pdnet-stage2:1"]
        assert [load_best(one.folder, torch.device("cpu"))[1].stage for one in both] == [1, 2]
        kill()
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        assert f"the MLflow server at {uri} is away" in refused(tmp_path, model="pdnet@champion")
    assert json.loads((both[0].folder / RUN).read_text())["system"] == "pdnet"
