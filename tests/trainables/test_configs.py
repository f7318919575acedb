"""Configs as flat names and values, there and back."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lesions import InputError
from trainables.backbones import BackboneConfig
from trainables.configs import edited, flatten
from trainables.pdnet.config import PDNetConfig, paper, tiny

LOCAL = replace(
    paper(),
    stage=1,
    model=replace(
        paper().model, backbone=BackboneConfig(name="resnet18", weights_file=Path("a/b.pth"))
    ),
    samples=replace(paper().samples, sigma=2.5),
)
CONFIGS = {"paper": paper(), "tiny": tiny(), "weights file": LOCAL}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("base", CONFIGS.values(), ids=CONFIGS)
def test_round_trip_through_json(config: PDNetConfig, base: PDNetConfig) -> None:
    """From any base: values that only hold together are put in together."""
    values = json.loads(json.dumps(flatten(config)))
    assert edited(base, values) == config
    assert hash(edited(base, values)) == hash(config)


def test_names_are_dotted_and_values_plain() -> None:
    flat = flatten(LOCAL)
    assert flat["stage"] == 1
    assert flat["loss.weight"] == 0.01
    assert flat["samples.stage2_side"] == (1.5, 3.5)
    assert flat["samples.input_size"] is None
    assert flat["model.backbone.weights_file"] == "a/b.pth"
    assert all(type(v) in (str, int, float, bool, tuple, type(None)) for v in flat.values())


def test_only_what_is_named_changes() -> None:
    changed = edited(tiny(), {"loss.weight": 0.5, "training.learning_rate": 1e-4})
    assert changed == replace(
        tiny(),
        loss=replace(tiny().loss, weight=0.5),
        training=replace(tiny().training, learning_rate=1e-4),
    )
    assert edited(tiny(), {}) == tiny()


@pytest.mark.parametrize(
    "name", ["wieght", "loss.wieght", "loss", "loss.weight.x", "", ".", "loss.", "stage.x"]
)
def test_a_wrong_name_is_refused_by_name(name: str) -> None:
    with pytest.raises(InputError, match=r"no field '.*'") as caught:
        edited(paper(), {name: 1})
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("stage", 3, "choose of 1, 2"),
        ("training.schedule", "cosin", "choose of steps, cosine"),
        ("training.precision", "fp8", "choose of auto, fp32, bf16, fp16"),
        ("loss.weight", 2.0, r"must lie in \[0, 1\]"),
        ("training.epochs", 0, "must be at least 1"),
    ],
)
def test_a_wrong_value_is_refused(name: str, value: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        edited(paper(), {name: value})


WRONG: dict[str, tuple[str, Any, str]] = {
    "text for int": ("training.epochs", "16", "'16'; it must be a whole number"),
    "float for int": ("training.epochs", 16.0, "16.0; it must be a whole number"),
    "bool for int": ("training.epochs", True, "True; it must be a whole number"),
    "text for float": ("loss.weight", "0.5", "'0.5'; it must be a finite number"),
    "bool for float": ("loss.weight", False, "False; it must be a finite number"),
    "NaN": ("samples.rotation", float("nan"), "nan; it must be a finite number"),
    "infinity": ("training.decay", float("inf"), "inf; it must be a finite number"),
    "no float at all": ("loss.weight", 10**400, "it must be a finite number"),
    "int for bool": ("model.top_down", 1, "1; it must be true or false"),
    "int for text": ("pseudo_mask", 3, "3; it must be a text"),
    "a NUL": ("pseudo_mask", "a\0b", "it must be a text"),
    "half a letter": ("pseudo_mask", "\ud800", "it must be a text"),
    "nothing for int": ("model.features", None, "None; it must be a whole number"),
    "list for float or nothing": (
        "samples.sigma", [1.0], "[1.0]; it must be a finite number or nothing",
    ),
    "int for path": ("model.backbone.weights_file", 3, "3; it must be a path or nothing"),
    "a short pair": (
        "samples.stage1_side", [1.0], "it must be a list of 2: a finite number, a finite number",
    ),
    "a tuple of texts": ("model.rates", ["1"], "it must be a list of which each is a whole number"),
    "number for tuple": ("model.rates", 3, "3; it must be a list of which each is"),
    "object for tuple": ("training.milestones", {"a": 1}, "it must be a list of which each is"),
    "true for a choice": ("stage", True, "stage is True (choose of 1, 2)"),
    "float for a choice": ("stage", 1.0, "stage is 1.0 (choose of 1, 2)"),
    "list for a choice": ("network", ["pdnet"], "network is ['pdnet'] (choose of pdnet, nnunet)"),
    "a deep list": ("loss.weight", json.loads("[" * 900 + "]" * 900), "must be a finite number"),
    "a long text": ("training.epochs", "9" * 10**6, "it must be a whole number"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_a_value_of_another_type_is_refused_by_name(wrong: str) -> None:
    name, value, says = WRONG[wrong]
    with pytest.raises(InputError) as caught:
        edited(paper(), {name: value})
    assert str(caught.value).startswith(f"{name} is ")
    assert says in str(caught.value)
    assert len(str(caught.value)) < 250


def test_whole_numbers_do_for_floats() -> None:
    """JSON writes 1.0 as 1 where a tool has rewritten it."""
    changed = edited(paper(), {"loss.weight": 1, "samples.stage2_side": [2, 3]})
    assert changed.loss.weight == 1
    assert type(changed.loss.weight) is float
    assert changed.samples.stage2_side == (2.0, 3.0)


TOO_MUCH = {
    "model.features": 1025,
    "model.rates": [1] * 17,
    "model.backbone.width": 17.0,
    "nnunet.features": 513,
    "samples.input_size": 4128,
    "samples.sigma": 5000.0,
    "samples.click_sigma": 0.0,
    "samples.rotation": 361.0,
    "samples.test_side": 101.0,
    "samples.stage2_side": [0.0, 2.0],
    "samples.intensity": -0.1,
    "training.epochs": 10**7,
    "training.batch_size": 5000,
    "training.milestones": [0.5] * 101,
    "training.decay": 1e4,
    "training.clip_norm": 1e12,
    "training.loader_workers": 2000,
    "training.seed": 2**63,
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_a_value_beyond_its_bounds_is_refused(name: str) -> None:
    base = replace(paper(), model=replace(paper().model, backbone=tiny().model.backbone))
    with pytest.raises(InputError):
        edited(base, {name: TOO_MUCH[name]})
