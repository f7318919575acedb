from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from lesions.errors import InputError
from trainables.backbones import STRIDES, BackboneConfig, backbone

SMALL = BackboneConfig(name="resnest14d", pretrained=False, width=0.25)


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    state: dict[str, torch.Tensor] = timm.create_model("resnest14d", pretrained=False).state_dict()
    return state


@pytest.mark.parametrize("in_channels", [1, 3])
def test_five_maps_at_their_strides(in_channels: int) -> None:
    network = backbone(SMALL, in_channels)
    maps = network(torch.rand(2, in_channels, 64, 96))
    assert [(m.shape[1], 64 // m.shape[2], 96 // m.shape[3]) for m in maps] == [
        (channels, stride, stride)
        for channels, stride in zip(network.channels, STRIDES, strict=True)
    ]


def test_width_scales_the_channels() -> None:
    full = backbone(BackboneConfig(name="resnest14d", pretrained=False), 1)
    assert full.channels == [64, 256, 512, 1024, 2048]
    assert backbone(SMALL, 1).channels == [16, 64, 128, 256, 512]


@pytest.mark.parametrize("size", [32, 64])
def test_trains_on_a_batch_of_one(size: int) -> None:
    maps = backbone(SMALL, 1).train()(torch.rand(1, 1, size, size))
    assert all(m.isfinite().all() for m in maps)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_file_and_the_summed_first_layer(
    suffix: str, weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    file = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(weights, file)
    else:
        save_file(weights, file)
    state = backbone(BackboneConfig(name="resnest14d", weights_file=file), 1).network.state_dict()
    first = "conv1.0.weight"
    torch.testing.assert_close(state[first], weights[first].sum(dim=1, keepdim=True))
    assert all(torch.equal(state[name], weights[name]) for name in state if name != first)


def test_a_weights_file_of_old_that_counts_no_batches_is_whole(tmp_path: Path) -> None:
    stored = timm.create_model("resnest14d", pretrained=False).state_dict()
    kept = {key: value for key, value in stored.items() if "num_batches" not in key}
    torch.save(kept, file := tmp_path / "old.pth")
    found = backbone(BackboneConfig(name="resnest14d", weights_file=file), 3).network.state_dict()
    assert all(torch.equal(found[key], kept[key]) for key in found if key in kept)
    assert len(found.keys() & kept.keys()) > 100


def test_a_weights_file_of_another_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.pth"
    torch.save({"fc.weight": torch.zeros(2, 2)}, file)
    with pytest.raises(InputError, match=r"other\.pth: is no state dict of resnest14d: it lacks"):
        backbone(BackboneConfig(name="resnest14d", weights_file=file), 1)


def test_weights_of_another_shape_are_refused(
    weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    file = tmp_path / "narrow.pth"
    torch.save({**weights, "bn1.weight": torch.zeros(3)}, file)
    with pytest.raises(InputError, match=r"narrow\.pth: cannot be read as weights"):
        backbone(BackboneConfig(name="resnest14d", weights_file=file), 1)


@pytest.mark.parametrize("content", [None, b"not weights"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_an_unreadable_weights_file_is_named(
    content: bytes | None, suffix: str, tmp_path: Path
) -> None:
    file = tmp_path / f"bad{suffix}"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.\w+: cannot be read as weights of resnest14d: \w"):
        backbone(BackboneConfig(name="resnest14d", weights_file=file), 1)


def test_an_unreachable_hub_names_the_switch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=r"--config\.model\.backbone\.no-pretrained") as caught:
        backbone(BackboneConfig(name="resnest14d"), 1)
    assert "weights-file" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"name": "resnest51d"}, "resnest50d"),
        ({"name": "nothing like it"}, "try resnest"),
        ({"width": 0.5}, "no-pretrained"),
        ({"width": 0.0, "pretrained": False}, "above 0"),
        ({"width": 0.5, "name": "hrnet_w18_small", "pretrained": False}, "ResNeSt"),
        ({"weights_file": Path("w.pth"), "pretrained": False}, "leave one"),
    ],
)
def test_impossible_configs_are_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        BackboneConfig(**settings)  # type: ignore[arg-type]


def test_a_model_with_other_strides_is_refused() -> None:
    with pytest.raises(InputError, match="has strides"):
        backbone(BackboneConfig(name="swin_tiny_patch4_window7_224", pretrained=False), 3)


@pytest.mark.parametrize(
    ("name", "strides", "options"),
    [
        ("vgg16", (1, 2, 4, 8, 16, 32), {}),
        ("resnet50", (2, 4, 8, 8, 8), {"output_stride": 8}),
        ("hrnet_w18_small", (4, 8, 16, 32), {"feature_location": "", "out_indices": (1, 2, 3, 4)}),
    ],
)
def test_a_system_may_want_other_strides(
    name: str, strides: tuple[int, ...], options: dict[str, Any]
) -> None:
    """VGG-16's six maps, an output stride of 8, HRNet's raw branches."""
    network = backbone(BackboneConfig(name=name, pretrained=False), 1, strides, **options)
    found = network.eval()(torch.zeros(1, 1, 64, 64))
    assert [each.shape[1:] for each in found] == [
        (channels, 64 // stride, 64 // stride)
        for channels, stride in zip(network.channels, strides, strict=True)
    ]


@pytest.mark.parametrize(
    ("name", "channels"),
    [("vgg16", [8, 16, 32, 64, 64, 64]), ("vgg16_bn", [8, 16, 32, 64, 64, 64]),
     ("resnet26", [64, 32, 64, 128, 256])],
)  # fmt: skip
def test_an_eighth_of_the_channels(name: str, channels: list[int]) -> None:
    """A ResNet's stem alone keeps its own; batch normalisation is there where the name has it."""
    config = BackboneConfig(name=name, width=0.125, pretrained=False)
    strides = (1, 2, 4, 8, 16, 32) if name.startswith("vgg") else STRIDES
    made = backbone(config, 1, strides).eval()
    assert made.channels == channels
    maps = made(torch.rand(1, 1, 64, 64))
    assert [each.shape[1] for each in maps] == channels
    assert [64 // each.shape[2] for each in maps] == [*strides]
    normal = any(isinstance(module, nn.BatchNorm2d) for module in made.modules())
    assert normal == (name != "vgg16")
