"""The embedder: unit vectors, boxes at their place, what it refuses, and its files."""

from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from lesions import InputError
from tests.trainables.embedding.narrow import NARROW, narrow
from trainables.embedding.network import Embedder, EmbedderConfig
from trainables.embedding.saved import CONFIG, MODEL, WEIGHTS, read_embedder, save_embedder

BOX = torch.tensor([[8.0, 10, 20, 18]])


def test_vectors_have_unit_length() -> None:
    torch.manual_seed(0)
    patches, boxes = torch.rand(3, 1, 32, 32), BOX.repeat(3, 1)
    found = narrow()(patches, boxes)
    assert found.shape == (3, 8)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))
    assert not torch.allclose(found[0], found[1])


def test_it_looks_at_the_box() -> None:
    """The same patch with another box has another vector."""
    patch = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0)).repeat(2, 1, 1, 1)
    first, second = narrow()(patch, torch.cat([BOX, BOX + 6]))
    assert not torch.allclose(first, second, atol=1e-4)


def test_a_box_counts_from_pixel_centres() -> None:
    """At the first stage cells of a box of five pixels are these pixels."""
    model = narrow()
    seen: list[torch.Tensor] = []
    model.parts[0].register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    model.stages = torch.nn.Module()  # its maps are the patch itself, and 4 of nothing
    model.stages.forward = lambda patch: [  # type: ignore[method-assign]
        patch.repeat(1, 8, 1, 1), *(torch.zeros(1, part.in_features // 25, 4, 4)
                                    for part in list(model.parts)[1:])
    ]  # fmt: skip
    patch = torch.arange(1024.0).reshape(1, 1, 32, 32)
    model(patch, torch.tensor([[9.5, 3.5, 14.5, 8.5]]))
    torch.testing.assert_close(seen[0].reshape(8, 5, 5)[0], patch[0, 0, 4:9, 10:15])


def test_the_papers_is_vgg_16() -> None:
    model = Embedder(EmbedderConfig(), pretrained=False)
    assert [part.in_features for part in model.parts] == [
        64 * 25,
        128 * 25,
        256 * 25,
        512 * 25,
        512 * 25,
    ]
    assert model.whole.in_features == 1280
    convolutions = [one for one in model.stages.modules() if isinstance(one, torch.nn.Conv2d)]
    assert len(convolutions) == 13


def test_the_narrow_one_has_the_same_shape() -> None:
    convolutions = [one for one in narrow().stages.modules() if isinstance(one, torch.nn.Conv2d)]
    assert len(convolutions) == 13


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"dimension": 0}, "dimension is 0"),
        ({"width": 0.0}, "width is 0"),
        ({"width": 0.5, "pretrained": True}, "no pretrained weights"),
        ({"side_mm": 10.0}, "side_mm is 10"),
        ({"side_mm": 1000.0, "pixel_mm": 1.0}, "pixel_mm is 1000"),
        ({"pixel_mm": 0.0}, "pixel_mm is 0"),
        ({"imagenet_file": Path("x")}, "imagenet_file is given"),
    ],
)
def test_what_no_embedder_can_be_is_refused(values: dict[str, object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        replace(NARROW, **values)  # type: ignore[arg-type]


def test_it_is_read_back_with_its_weights(tmp_path: Path) -> None:
    model = narrow(3)
    save_embedder(tmp_path / MODEL, model)
    config = read_embedder(tmp_path)
    assert config.weights_file == tmp_path / MODEL / WEIGHTS
    assert config.bare == NARROW
    patch = torch.rand(1, 1, 32, 32)
    again = Embedder(config).eval()
    torch.testing.assert_close(again(patch, BOX), model(patch, BOX), rtol=0, atol=0)
    other = Embedder(config, pretrained=False).eval()
    assert not torch.allclose(other(patch, BOX), model(patch, BOX))


def test_what_is_no_embedder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no embedder.*without --model"):
        read_embedder(tmp_path)
    save_embedder(tmp_path / MODEL, narrow())
    weights = tmp_path / MODEL / WEIGHTS
    safetensors.torch.save_file({"whole.weight": torch.zeros(2, 2)}, weights)
    with pytest.raises(InputError, match="embedder's weights"):
        Embedder(read_embedder(tmp_path))
    weights.unlink()
    with pytest.raises(InputError, match="are gone"):
        read_embedder(tmp_path)
    (tmp_path / MODEL / CONFIG).write_text('{"width": "wide"}')
    with pytest.raises(InputError, match="width"):
        read_embedder(tmp_path)
