"""Checkpoints: the model that was best, whole files, and errors that name the file."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lesions import InputError
from tests.trainables.checkpoints import CONFIG, FIRST, LESIONS, put, resaved
from tests.trainables.runs import CPU, Kept, a_run, alone
from trainables.checkpoint import (
    BEST,
    LAST,
    RUN,
    load_best,
    model_digest,
    read_history,
    read_score,
)
from trainables.evaluate import measure
from trainables.loop import fit
from trainables.pdnet import PDNetSystem
from trainables.pdnet.config import paper
from trainables.registry import SYSTEMS


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Kept]:
    """A finished run's checkpoint, whose last epoch is its best, and the system that has it."""
    directory, system = tmp_path_factory.mktemp("trained"), Kept()
    fit(a_run(directory, CONFIG, LESIONS, system=system))
    return directory, system


@pytest.fixture
def copy(trained: tuple[Path, Kept], tmp_path: Path) -> Path:
    """The checkpoint's files, to be damaged."""
    for file in trained[0].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_the_loaded_model_predicts_as_the_one_in_memory(trained: tuple[Path, Kept]) -> None:
    directory, kept = trained
    system, config, model = load_best(directory, CPU)
    assert isinstance(system, PDNetSystem)
    assert config == CONFIG
    assert not model.training
    ours = measure(alone(system, config, model), LESIONS)
    # Compared as text, as the distance to an empty mask is NaN.
    assert str(ours) == str(measure(alone(kept, CONFIG, kept.network.eval()), LESIONS))
    inputs = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        here, there = model(inputs), kept.network.eval()(inputs)
    for name in ("masks", "heatmaps"):
        assert all(map(torch.equal, getattr(here, name), getattr(there, name)))


def test_files_hold_nothing_but_data(trained: tuple[Path, Kept]) -> None:
    """`weights_only`: a checkpoint from elsewhere runs no code."""
    directory, _ = trained
    last = torch.load(directory / LAST, weights_only=True)
    assert last["epoch"] == 2
    assert len(last["history"]) == 2
    assert torch.load(directory / BEST, weights_only=True)["epoch"] == 2
    run = json.loads((directory / RUN).read_text())
    assert run["system"] == "pdnet"
    assert run["config"]["training.epochs"] == 2


@pytest.mark.parametrize("keep", [0, 100, 0.5, 0.99])
def test_a_file_cut_off_is_named(copy: Path, keep: float) -> None:
    for name in (BEST, LAST):
        content = (copy / name).read_bytes()
        (copy / name).write_bytes(content[: int(keep * len(content)) if keep < 1 else int(keep)])
    with pytest.raises(InputError, match=r"best\.pt: cannot be loaded"):
        load_best(copy, CPU)
    with pytest.raises(InputError, match=r"last\.pt: cannot be loaded"):
        fit(a_run(copy, CONFIG, LESIONS, resume=copy))


@pytest.mark.parametrize("name", [RUN, BEST])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        load_best(copy, CPU)


def test_no_checkpoint_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no checkpoint"):
        load_best(tmp_path / "nowhere", CPU)
    with pytest.raises(InputError, match=r"last\.pt"):
        fit(a_run(tmp_path, CONFIG, LESIONS, resume=tmp_path / "nowhere"))


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"system": "pdnet"}', '{"system": "nonet", "config": {}}']
)
def test_a_damaged_run_file(copy: Path, content: str) -> None:
    (copy / RUN).write_text(content)
    with pytest.raises(InputError):
        load_best(copy, CPU)


def test_weights_of_another_structure(copy: Path) -> None:
    run = json.loads((copy / RUN).read_text())
    run["config"]["model.features"] = 16
    (copy / RUN).write_text(json.dumps(run))
    with pytest.raises(InputError, match=r"best\.pt: holds other weights"):
        load_best(copy, CPU)
    wider = replace(CONFIG, model=replace(CONFIG.model, features=16))
    with pytest.raises(InputError, match=r"last\.pt: holds other weights"):
        fit(a_run(copy, wider, LESIONS, resume=copy))


def test_a_pretrained_config_loads_without_the_hub(copy: Path) -> None:
    """The weights come from the checkpoint: a hub out of reach does not matter, nor a lost file."""
    backbone = replace(paper().model.backbone, weights_file=copy / "gone.pth")
    config = replace(CONFIG, model=replace(CONFIG.model, backbone=backbone))
    network = PDNetSystem().model(config, pretrained=False)
    run = json.loads((copy / RUN).read_text())
    run["config"] |= {
        "model.backbone.name": backbone.name,
        "model.backbone.pretrained": True,
        "model.backbone.weights_file": str(backbone.weights_file),
        "model.backbone.width": 1.0,
    }
    (copy / RUN).write_text(json.dumps(run))
    torch.save({"epoch": 1, "dice": 0.5, "model": network.state_dict()}, copy / BEST)
    _, loaded, model = load_best(copy, CPU)
    assert loaded == config
    assert loaded.model.backbone.pretrained
    weights = model.state_dict()
    assert all(torch.equal(weights[name], value) for name, value in network.state_dict().items())


BEST_DAMAGE: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a list": (lambda _: [1], "is not an object of epoch, merit, value, model"),
    "a surplus key": (put("more", value=1), "is not an object of epoch, merit, value, model"),
    "a missing key": (lambda of: {"epoch": 1, "value": 0.5}, "is not an object of epoch"),
    "an epoch that is a text": (put("epoch", value="1"), "its epoch is not of type int"),
    "an epoch that is true": (put("epoch", value=True), "its epoch is not of type int"),
    "a value that is a tensor": (put("value", value=torch.ones(())), "its value is not of type"),
    "a value of NaN": (put("value", value=float("nan")), "its value is no such number"),
    "a model of lists": (put("model", FIRST, value=[1.0]), f"holds '{FIRST}', which is no tensor"),
    "NaN": (put("model", FIRST, value=lambda of: of * float("nan")), f"{FIRST} has NaN"),
    "an infinity": (put("model", FIRST, value=lambda of: of / 0), f"{FIRST} has NaN or infinite"),
    "a view of one number": (
        put("model", FIRST, value=lambda of: of.flatten()[:1].expand(of.shape)),
        f"{FIRST} repeats fewer numbers",
    ),
    "another shape": (
        put("model", FIRST, value=lambda of: of[:, :1]),
        f"holds other weights than the config's network has: {FIRST} is float32",
    ),
    "another type": (
        put("model", FIRST, value=lambda of: of.double()),
        f"holds other weights than the config's network has: {FIRST} is float64",
    ),
    "a surplus entry": (put("model", "a\n" * 99, value=torch.ones(2)), "is no part of it"),
}


@pytest.mark.parametrize("damage", BEST_DAMAGE)
def test_damaged_best_weights_are_named(plain_copy: Path, damage: str) -> None:
    edit, says = BEST_DAMAGE[damage]
    resaved(plain_copy / BEST, edit)
    with pytest.raises(InputError) as caught:
        load_best(plain_copy, CPU)
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{plain_copy / BEST}: ")


@pytest.mark.parametrize(
    ("run", "says"),
    [
        ([], "is no JSON of an object"),
        ({"system": "pdnet"}, "is not an object of system, config"),
        ({"system": "pdnet", "config": {}, "more": 1}, "is not an object of system, config"),
        ({"system": ["pdnet"], "config": {}}, "its system is not of type str"),
        ({"system": "pdnet", "config": []}, "its config is not of type dict"),
        ({"system": "nonet", "config": {}}, f"no system 'nonet' (choose of {', '.join(SYSTEMS)};"),
        ({"system": "pdnet", "config": {"los": 1}}, "the config has no field 'los'"),
        ({"system": "pdnet", "config": {"model.features": "8"}}, "must be a whole number"),
        ({"system": "pdnet", "config": {"model.features": 10**9}}, "must be at most 1,024"),
        ({"system": "pdnet", "config": {"model.backbone.name": "resnet18.gone"}}, "no network"),
    ],
)  # fmt: skip
def test_a_damaged_run_file_is_named(plain_copy: Path, run: Any, says: str) -> None:
    (plain_copy / RUN).write_text(json.dumps(run))
    with pytest.raises(InputError) as caught:
        load_best(plain_copy, CPU)
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{plain_copy / RUN}: ")


def test_a_pipe_in_place_of_a_file_is_refused_at_once(plain_copy: Path) -> None:
    for name, look in ((BEST, model_digest), (BEST, read_score), (LAST, read_history)):
        (plain_copy / name).unlink(missing_ok=True)
        os.mkfifo(plain_copy / name)
        with pytest.raises(InputError, match="not a regular file"):
            look(plain_copy)  # type: ignore[operator]
