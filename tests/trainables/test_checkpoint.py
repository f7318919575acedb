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
from tests.trainables.runs import CPU, Kept, a_run, ellipses, small
from trainables.checkpoint import (
    BEST,
    LAST,
    RUN,
    load_best,
    model_digest,
    read_history,
    read_score,
    restore_checkpoint,
)
from trainables.configs import edited
from trainables.evaluate import measure
from trainables.loop import fit
from trainables.pdnet import PDNetSystem
from trainables.pdnet.config import paper

LESIONS = ellipses(6)
CONFIG = small(epochs=2)


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
    ours = measure(system, config, model, LESIONS, CPU)
    # Compared as text, as the distance to an empty mask is NaN.
    assert str(ours) == str(measure(kept, CONFIG, kept.network, LESIONS, CPU))
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


def resaved(path: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    """Write a checkpoint's file anew, its content edited."""
    content = torch.load(path, weights_only=True)
    torch.save(edit(content) or content, path)


def put(*keys: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    """An edit: the entry at these keys is `value`, or what `value` makes of it."""

    def edit(content: dict[str, Any]) -> None:
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value(content[keys[-1]]) if callable(value) else value

    return edit


PLAIN = edited(CONFIG, {"network": "nnunet", "nnunet.features": 1})
FIRST = "network.encoder.stages.0.0.convs.0.conv.weight"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a network that loads faster."""
    directory = tmp_path_factory.mktemp("plain")
    fit(a_run(directory, PLAIN, LESIONS))
    return directory


@pytest.fixture
def plain_copy(plain: Path, tmp_path: Path) -> Path:
    """Its files, to be damaged."""
    for file in plain.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


BEST_DAMAGE: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a list": (lambda _: [1], "is not an object of epoch, dice, model"),
    "a surplus key": (put("more", value=1), "is not an object of epoch, dice, model"),
    "a missing key": (lambda of: {"epoch": 1, "dice": 0.5}, "is not an object of epoch"),
    "an epoch that is a text": (put("epoch", value="1"), "its epoch is not of type int"),
    "an epoch that is true": (put("epoch", value=True), "its epoch is not of type int"),
    "a Dice that is a tensor": (put("dice", value=torch.ones(())), "its dice is not of type"),
    "a Dice of NaN": (put("dice", value=float("nan")), "its Dice is no such number"),
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


LAST_DAMAGE: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "other epochs": (put("epoch", value=7), "its history is not one object of numbers an epoch"),
    "no history": (lambda of: of | {"history": [], "epoch": 0}, "its history is not one"),
    "a history of texts": (put("history", 0, "train_loss", value="low"), "its history is not one"),
    "NaN": (put("model", FIRST, value=lambda of: of * float("nan")), f"{FIRST} has NaN"),
    "an optimizer of nothing": (put("optimizer", value={}), "its optimizer has no state"),
    "a foreign parameter": (
        lambda of: put("optimizer", "state", 9999, value=of["optimizer"]["state"][0])(of),
        "its optimizer has other parameters than the network",
    ),
    "moments that are missing": (
        put("optimizer", "state", 0, value={"step": torch.ones(())}),
        "its optimizer's parameter 0 has not",
    ),
    "moments of another shape": (
        put("optimizer", "state", 0, "exp_avg", value=torch.ones(3)),
        "its optimizer's exp_avg of parameter 0 has another shape",
    ),
    "moments of NaN": (
        put("optimizer", "state", 0, "exp_avg", value=lambda of: of * float("nan")),
        "its optimizer's exp_avg of parameter 0 has NaN",
    ),
    "a short random state": (put("random", value=torch.ones(3).byte()), "its random state is none"),
    "a random state of floats": (put("random", value=torch.ones(5056)), "its random state is none"),
}


@pytest.mark.parametrize("damage", LAST_DAMAGE)
def test_a_damaged_run_is_named_and_nothing_is_put_back(plain_copy: Path, damage: str) -> None:
    edit, says = LAST_DAMAGE[damage]
    resaved(plain_copy / LAST, edit)
    model = PDNetSystem().model(PLAIN)
    optimizer = torch.optim.Adam(model.parameters())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random = torch.get_rng_state()
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    with pytest.raises(InputError) as caught:
        restore_checkpoint(plain_copy, model, optimizer, scaler, CPU)
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{plain_copy / LAST}: ")
    assert all(torch.equal(before[name], one) for name, one in model.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())
    assert not optimizer.state_dict()["state"]


def test_a_run_whose_best_model_is_anothers(plain_copy: Path, trained: tuple[Path, Kept]) -> None:
    (plain_copy / BEST).write_bytes((trained[0] / BEST).read_bytes())
    with pytest.raises(InputError, match=r"best\.pt: holds other weights"):
        fit(a_run(plain_copy, PLAIN, LESIONS, resume=plain_copy))


def test_a_run_without_a_best_epoch_goes_on(plain_copy: Path) -> None:
    """No validation lesion has had a Dice yet."""
    resaved(plain_copy / BEST, lambda _: {"epoch": 0, "dice": -1.0, "model": {}})
    longer = replace(PLAIN, training=replace(PLAIN.training, epochs=3))
    assert fit(a_run(plain_copy, longer, LESIONS, resume=plain_copy)).best_epoch == 3
    assert read_score(plain_copy) == (3, 0.0)


def test_a_loss_scaler_that_does_not_fit_is_named(plain_copy: Path) -> None:
    """The run was saved without fp16, and goes on with it."""
    model = PDNetSystem().model(PLAIN)
    scaler = torch.amp.GradScaler("cpu", enabled=True)
    with pytest.raises(InputError, match=r"last\.pt: its loss scaler's state does not fit"):
        restore_checkpoint(plain_copy, model, torch.optim.Adam(model.parameters()), scaler, CPU)


@pytest.mark.parametrize(
    ("run", "says"),
    [
        ([], "is no JSON of an object"),
        ({"system": "pdnet"}, "is not an object of system, config"),
        ({"system": "pdnet", "config": {}, "more": 1}, "is not an object of system, config"),
        ({"system": ["pdnet"], "config": {}}, "its system is not of type str"),
        ({"system": "pdnet", "config": []}, "its config is not of type dict"),
        ({"system": "nonet", "config": {}}, "there is no system 'nonet' (choose of pdnet)"),
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
