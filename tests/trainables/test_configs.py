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
