"""Plans and histories that are damaged: one message that names the file."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from lesions import InputError
from platform.running.plans import read_plan
from platform.running.training import Training, read_history
from tests.platform.conftest import command
from tests.platform.driven import sweep_of
from trainables.configs import edited, flatten
from trainables.pdnet.config import paper, tiny

# As `Planned.write` wrote them before settings were checked.
TRAINING = {
    "preset": "tiny", "config": json.loads(json.dumps(flatten(tiny()))), "data": "/nowhere",
    "workers": 1, "cpus_per_worker": 1.0, "rounds": 1, "register": None,
}  # fmt: skip
SWEEP = {
    "preset": "tiny", "config": TRAINING["config"], "data": "/nowhere", "trials": 2,
    "concurrent": None, "cpus_per_trial": 1.0, "gpus_per_trial": None, "grace": 1, "seed": 0,
    "register": None,
}  # fmt: skip
TABLE = {
    "preset": "tiny", "config": TRAINING["config"], "data": "/nowhere", "table": "pdnet-3",
    "workers": 1, "cpus_per_worker": 1.0, "rounds": 1, "external": None,
}  # fmt: skip
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "train pdnet": ("trainings/mine/train.json", TRAINING),
    "sweep pdnet": ("sweeps/mine/sweep.json", SWEEP),
    "reproduce pdnet-3": ("reproductions/mine/reproduction.json", TABLE),
}


def resumed(kind: str, plan: bytes, storage: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """What is said when a plan is resumed that cannot be."""
    path = storage / KINDS[kind][0]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(plan)
    assert command(*kind.split(), "--resume", "mine", "--storage", storage) == 2
    shown = capfd.readouterr().err
    assert "Traceback" not in shown
    return re.sub(r"\s+", " ", shown)


@pytest.mark.parametrize("kind", KINDS)
def test_an_older_plan_is_read(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is read to its end: what is missing is its data."""
    shown = resumed(kind, json.dumps(KINDS[kind][1]).encode(), tmp_path, capfd)
    assert shown.startswith("error: /nowhere")


DAMAGE: dict[str, tuple[Any, str]] = {
    "no JSON": (b'{"preset": ', "is no JSON: "),
    "no text": (b"\xff\xfe", "is not UTF-8 text"),
    "a list": ([], "is no JSON of an object"),
    "nothing": ({}, "lacks 'con"),
    "a surplus key": ({"more": 1}, "has 'more', which is no part of such a plan"),
    "data that is a number": ({"data": 3}, "data is 3; it must be a path"),
    "a preset that is none": ({"preset": None}, "preset is None; it must be a text"),
    "a config that is a list": ({"config": []}, "config is []; it must be an object"),
    "a wrong setting": (
        {"config": {"training.epochs": "x"}}, "training.epochs is 'x'; it must be a whole number",
    ),
    "a foreign setting": ({"config": {"los": 1}}, "the config has no field 'los'"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_plan_is_named(
    kind: str, damage: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    change, says = DAMAGE[damage]
    whole = change
    if not isinstance(change, bytes):
        whole = json.dumps(KINDS[kind][1] | change if change else change).encode()
    shown = resumed(kind, whole, tmp_path, capfd)
    assert shown.startswith(f"error: {tmp_path / KINDS[kind][0]}: ")
    assert says in shown


def test_own_settings_of_another_type_are_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = json.dumps(TRAINING | {"workers": "many"}).encode()
    assert "workers is 'many'; it must be a whole number" in resumed(
        "train pdnet", whole, tmp_path, capfd
    )
    whole = json.dumps({name: one for name, one in SWEEP.items() if name != "grace"}).encode()
    assert "lacks 'grace'" in resumed("sweep pdnet", whole, tmp_path, capfd)


def test_a_pipe_is_no_plan(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / KINDS["train pdnet"][0]
    pipe.parent.mkdir(parents=True)
    os.mkfifo(pipe)
    assert command("train", "pdnet", "--resume", "mine", "--storage", tmp_path) == 2
    assert "train.json: not a regular file" in capfd.readouterr().err


EPOCHS = [{"epoch": 1.0, "train_loss": 0.5, "val_dice": 0.25}, {"epoch": 2.0, "train_loss": 0.25}]


@pytest.mark.parametrize("cut", ["", '{"epoch": 3.0, "train_', "{", '{"epoch": 3.0}'])
def test_a_line_that_was_cut_off_is_left_out(cut: str, tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    history.write_text("".join(json.dumps(one) + "\n" for one in EPOCHS) + cut)
    assert read_history(history) == EPOCHS


@pytest.mark.parametrize(
    "line", ["", "{", "[]", "3", '{"epoch": 2.0}', '{"train_loss": "x"}', '{"train_loss": true}']
)
def test_a_damaged_line_is_named(line: str, tmp_path: Path) -> None:
    history = tmp_path / "history.jsonl"
    history.write_text(json.dumps(EPOCHS[0]) + "\n" + line + "\n")
    with pytest.raises(InputError, match=r"history\.jsonl, row 2: "):
        read_history(history)


def test_no_history_yet(tmp_path: Path) -> None:
    assert read_history(tmp_path / "history.jsonl") == []


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_plan_that_was_cut_off_is_read_from_its_copy(
    share: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = sweep_of(tmp_path / "night")
    sweep.write()
    path = sweep.folder / sweep.file
    whole = read_plan(path, type(sweep))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert read_plan(path, type(sweep)) == whole
    assert "is damaged: its copy beside it is taken" in capsys.readouterr().out
    path.with_name("sweep.json.copy").write_text("{")
    with pytest.raises(InputError, match=r"sweep\.json"):
        read_plan(path, type(sweep))


def test_a_plan_of_before_says_its_rounds_in_the_config(tmp_path: Path) -> None:
    config = {name: value for name, value in TRAINING["config"].items() if name != "rounds"}
    path = tmp_path / "mine" / "train.json"
    path.parent.mkdir()
    path.write_text(json.dumps(TRAINING | {"config": config, "rounds": 3}))
    found = read_plan(path, Training)
    assert "rounds" not in found
    assert edited(paper(), found["config"]).rounds == 3
    path.write_text(json.dumps(TRAINING))
    assert edited(paper(), read_plan(path, Training)["config"]) == tiny()
