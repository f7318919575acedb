"""Co-segmentation's networks: their sizes, their symmetry, and what a pair tells each other."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lesions import InputError
from trainables.backbones import BackboneConfig
from trainables.configs import edited
from trainables.coseg.attention import Attention, ChannelGate, MeanMap
from trainables.coseg.config import CoSegConfig, paper, tiny
from trainables.coseg.decoder import Decoder
from trainables.coseg.encoders import Encoder, EncoderConfig
from trainables.coseg.memory import Memory
from trainables.coseg.model import Alone, CoSeg
from trainables.coseg.variants import VARIANTS
from trainables.registry import find_system

COSEG = find_system("coseg")
# Parameters of the published networks without their classifiers.
PARAMETERS = {"vgg": 14_714_688, "resnet": 42_500_160, "drn": 42_500_160}
SIDES = {"vgg": 4, "resnet": 4, "drn": 16}


def small() -> CoSegConfig:
    """Networks of a few channels."""
    return edited(
        tiny(),
        {"samples.size": 64, "model.encoder.vgg.width": 0.125, "model.encoder.resnet.width": 0.125,
         "model.encoder.features": 32, "model.squeeze": 16, "model.hidden": 16,
         "model.memory": 8},
    )  # fmt: skip


def untrained(config: CoSegConfig) -> Any:
    """The network, its weights fixed by a seed, in evaluation mode."""
    torch.manual_seed(0)
    return COSEG.model(config, pretrained=False).eval()


def pairs(count: int, size: int = 64) -> Tensor:
    """Images of noise."""
    return torch.rand(count, 2, 1, size, size, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("which", ["vgg", "resnet", "drn"])
def test_the_papers_encoders_have_their_sizes_and_strides(which: Any) -> None:
    """VGG-16 to pool5, ResNet-101, and the same with a stride of 8."""
    config = paper().model.encoder
    bare = replace(config, which=which, vgg=config.vgg.bare, resnet=config.resnet.bare)
    encoder = Encoder(bare).eval()
    assert sum(p.numel() for p in encoder.backbone.parameters()) == PARAMETERS[which]
    with torch.no_grad():
        features = encoder(torch.rand(1, 1, 128, 128))
    assert features.shape == (1, 512, SIDES[which], SIDES[which])
    assert encoder.stride == 128 // SIDES[which]


def test_stride_32_weights_load_into_the_dilated_network_whole() -> None:
    """Dilation moves taps apart, and changes no weight's shape."""
    wide = paper().model.encoder
    plain, dilated = (
        Encoder(replace(wide, which=which, resnet=wide.resnet.bare)) for which in ("resnet", "drn")
    )
    dilated.load_state_dict(plain.state_dict(), strict=True)
    found = {
        name: module.dilation
        for name, module in dilated.named_modules()
        if isinstance(module, torch.nn.Conv2d) and module.dilation != (1, 1)
    }
    assert {name.split(".")[2] for name in found} == {"layer3", "layer4"}
    assert set(found.values()) == {(2, 2), (4, 4)}
    last = [dilation for name, dilation in found.items() if "layer4.2" in name]
    assert last == [(4, 4)]


def test_a_grey_image_is_normalised_three_times_over() -> None:
    """By ImageNet's mean and deviation of each colour."""
    encoder = Encoder(EncoderConfig(which="vgg", vgg=BackboneConfig(name="vgg11", width=0.125,
                                                                    pretrained=False)))  # fmt: skip
    seen = encoder.normalised(torch.full((1, 1, 2, 2), 0.5))
    expected = [(0.5 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.5 - 0.406) / 0.225]
    assert np.allclose(seen[0, :, 1, 1].numpy(), expected)


def test_the_gate_is_what_the_paper_writes() -> None:
    """σ(W₂ tanh(W₁ GAP(f))), by hand for two channels and one hidden unit."""
    gate = ChannelGate(2, 1)
    first, second = cast("list[nn.Linear]", [gate.layers[0], gate.layers[2]])
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0, -1.0]]))
        first.bias.zero_()
        second.weight.copy_(torch.tensor([[2.0], [0.0]]))
        second.bias.copy_(torch.tensor([0.0, 1.0]))
    features = torch.tensor([[[[3.0, 1.0]], [[0.0, 2.0]]]])  # means 2 and 1
    expected = [1 / (1 + np.exp(-2 * np.tanh(1.0))), 1 / (1 + np.exp(-1.0))]
    assert np.allclose(gate(features).detach().numpy(), [expected])


def test_gates_are_swapped_or_fused_and_maps_are_ones_own() -> None:
    """Channel by channel, by hand."""
    features, partner = torch.rand(2, 3, 2, 2), torch.tensor([[0.0, 0.5, 1.0]] * 2)
    swapped = Attention(3, 4, "swapped", "none")(features, partner)
    assert torch.equal(swapped, features * partner[:, :, None, None])
    fused = Attention(3, 4, "fused", "none")
    expected = features * (partner * fused.gate(features))[:, :, None, None]
    assert torch.equal(fused(features, partner), expected)
    spatial = Attention(3, 4, "swapped", "mean")(features, partner)
    assert torch.equal(spatial, swapped * MeanMap()(features))
    assert torch.allclose(MeanMap()(features)[0, 0, 1, 0], torch.tanh(features[0, :, 1, 0].mean()))


@pytest.mark.parametrize(("stride", "doublings"), [(32, 5), (8, 3)])
def test_the_decoder_comes_back_to_full_size(stride: int, doublings: int) -> None:
    """Channels are halved each time."""
    decoder = Decoder(32, stride).eval()
    assert decoder(torch.rand(1, 32, 2, 2)).shape == (1, 2, 2 * stride, 2 * stride)
    widths = [one[1][0].out_channels for one in list(decoder)[2:-1]]  # type: ignore[index]
    assert widths == [16] * doublings  # never fewer than the paper's last, of 512


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_a_pair_is_symmetric(name: str) -> None:
    """Swapped lesions have swapped masks; a lesion beside itself has the same mask twice."""
    model, images = untrained(VARIANTS[name](small())), pairs(3)
    with torch.no_grad():
        here, swapped = model(images), model(images.flip(1))
        twice = model(images[:, :1].expand(-1, 2, -1, -1, -1))
    assert here.shape == (3, 2, 2, 64, 64)
    assert (here - swapped.flip(1)).abs().max() < 1e-6
    assert (twice[:, 0] - twice[:, 1]).abs().max() < 1e-6


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_a_partner_changes_the_mask_by_attention_alone(name: str) -> None:
    """Without attention, and for FCN-16, the other image is not seen at all."""
    model, images = untrained(VARIANTS[name](small())), pairs(2)
    blank = images.clone()
    blank[:, 1] = 0
    with torch.no_grad():
        moved = (model(images)[:, 0] - model(blank)[:, 0]).abs().max().item()
    if name in ("FCN-16", "VGG-16-alone"):
        assert moved == 0
    else:
        assert moved > 1e-6


def test_zeroed_features_change_the_partner() -> None:
    """Zero features still have a gate: that of the biases."""
    model, images = untrained(VARIANTS["VGG-16"](small())), pairs(1)[0]
    with torch.no_grad():
        features = model.network.encoder(images)
        gates = model.network.gates(features)
        mine = model.network.masks(features[:1], gates[1:])
        nothing = model.network.gates(torch.zeros_like(features[1:]))
        other = model.network.masks(features[:1], nothing)
    assert (mine - other).abs().max() > 0


def test_the_embedder_stays_as_it_was() -> None:
    """It is in evaluation mode while the rest trains, and asks for no gradient."""
    model = untrained(VARIANTS["VGG-16"](small()))
    model.train()
    assert model.network.training
    assert not any(module.training for module in model.embedder.modules())
    assert not any(parameter.requires_grad for parameter in model.embedder.parameters())


def test_memory_finds_the_nearest_and_travels_with_the_weights() -> None:
    """By cosine; a tie goes to the first; what is asked for beyond what is held is not there."""
    memory = Memory(4, 2, 3)
    vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    gates = torch.arange(9.0).reshape(3, 3)
    memory.keep(vectors, gates)
    found = memory.nearest(torch.tensor([[0.6, 0.8], [1.0, 0.0]]), 2)
    assert torch.equal(found, gates[torch.tensor([[1, 0], [0, 2]])])
    assert memory.nearest(torch.tensor([[1.0, 0.0]]), 9).shape == (1, 3, 3)
    assert torch.equal(memory.evenly(2), gates[[0, 1]])
    other = Memory(4, 2, 3)
    other.load_state_dict(memory.state_dict())
    assert other.held == 3
    assert torch.equal(other.nearest(vectors, 1), memory.nearest(vectors, 1))
    memory.keep(vectors[:1], gates[:1])
    assert memory.held == 1
    assert not cast("Tensor", memory.vectors)[1:].any()


def test_memory_is_filled_evenly() -> None:
    """All where there is room, else each as far from the next."""
    memory = Memory(4, 2, 3)
    assert memory.places(3) == [0, 1, 2]
    assert memory.places(10) == [0, 2, 5, 7]


@pytest.mark.parametrize(
    "field", ["model.squeeze", "model.hidden", "model.memory", "model.encoder.features",
              "samples.size", "pairs.draws", "neighbours.count", "crf.smoothness_px"],
)  # fmt: skip
def test_a_network_that_cannot_be_is_refused(field: str) -> None:
    """In words, before anything is made."""
    with pytest.raises(InputError):
        edited(tiny(), {field: 0})


def test_baselines_have_no_memory() -> None:
    """FCN-16 compares nothing."""
    assert isinstance(untrained(VARIANTS["FCN-16"](small())), Alone)
    assert isinstance(untrained(VARIANTS["VGG-16"](small())), CoSeg)
