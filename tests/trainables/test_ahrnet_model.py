"""AHRNet's network: what each switch adds, its outputs, its weights; nnU-Net's beside it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from torch import nn

from lesions.errors import InputError
from trainables.ahrnet.attention import DualAttention, ScaleAttention
from trainables.ahrnet.model import AHRNet, ModelConfig
from trainables.ahrnet.nnunet import NNUNet
from trainables.backbones import BackboneConfig
from trainables.nnunet import NNUNetConfig, heads

SMALL, LARGE = (BackboneConfig(name=n, pretrained=False) for n in ("hrnet_w18_small", "hrnet_w32"))
WIDTHS, LARGE_WIDTHS = (16, 32, 64, 128), (32, 64, 128, 256)
FULL = ModelConfig(backbone=SMALL, features=16)
BASE = replace(FULL, decoder=False, dual_attention=False, scale_attention=False)
ROWS = {
    "HRNet": BASE,
    "+DE": replace(BASE, decoder=True),
    "+DE+DA": replace(FULL, scale_attention=False),
    "+DE+DA+SA": FULL,
    "+DA+SA": replace(FULL, decoder=False),
}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def built(config: ModelConfig) -> AHRNet:
    """With attention to positions and channels, which at its start has none."""
    torch.manual_seed(0)
    model = AHRNet(config)
    for name, parameter in model.named_parameters():
        if name.endswith("gamma"):
            parameter.data.fill_(0.5)
    return model


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def of_decoder(channels: int, f: int) -> int:
    """What DE adds to the 1×1 convolution that it stands in for."""
    finer = 16 * (f + 1) * f + 2 * f + 9 * f * f + 2 * f
    return 9 * channels * f + 2 * f + 2 * finer + 3 * (f + 1) - (channels + 1)


def of_dual_attention(widths: Sequence[int]) -> int:
    """Two convolutions, queries, keys without a bias, values, two gates."""
    return sum(
        2 * (9 * w * w + 2 * w) + (w + 1) * (w // 8) + w * (w // 8) + (w + 1) * w + 2
        for w in widths
    )


def of_scale_attention(channels: int) -> int:
    narrow = channels // 16
    return 2 * (2 * channels * narrow + narrow + channels)


@pytest.mark.parametrize("config", ROWS.values(), ids=ROWS)
def test_outputs_from_coarse_to_fine(config: ModelConfig) -> None:
    with torch.no_grad():
        masks = built(config).eval()(torch.rand(2, 1, 64, 96))
    strides = [4, 2, 1] if config.decoder else [1]
    assert [mask.shape for mask in masks] == [(2, 1, 64 // s, 96 // s) for s in strides]


def test_each_switch_adds_its_own_parameters() -> None:
    counts = {row: parameters(AHRNet(config)) for row, config in ROWS.items()}
    assert counts["HRNet"] == 1_477_009
    assert counts["+DE"] - counts["HRNet"] == of_decoder(240, 16)
    assert counts["+DE+DA"] - counts["+DE"] == of_dual_attention(WIDTHS)
    assert counts["+DE+DA+SA"] - counts["+DE+DA"] == of_scale_attention(240)
    assert counts["+DE+DA+SA"] - counts["+DA+SA"] == of_decoder(240, 16)
    names = {name for name, _ in AHRNet(BASE).named_parameters() if not name.startswith("encoder.")}
    assert names == {"head.mask_heads.0.weight", "head.mask_heads.0.bias"}


def test_the_papers_network() -> None:
    with torch.device("meta"):
        model = AHRNet(ModelConfig(backbone=LARGE))
    assert model.encoder.channels == [*LARGE_WIDTHS]
    parts = of_decoder(480, 32), of_dual_attention(LARGE_WIDTHS), of_scale_attention(480)
    assert parameters(model) == 29_304_865 + sum(parts) == 31_231_875


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("config", ROWS.values(), ids=ROWS)
def test_every_parameter_learns_from_a_batch_of_one(config: ModelConfig, size: int) -> None:
    """At 32² HRNet's coarsest map is a single pixel."""
    model = built(config).train()
    masks = model(torch.rand(1, 1, size, size))
    torch.autograd.backward(torch.stack([mask.square().mean() for mask in masks]).sum())
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        if size > 32:  # there one pixel attends to itself, whatever it asks
            assert parameter.grad.any(), name


def test_the_decoder_sees_the_coarser_prediction() -> None:
    model = built(ROWS["+DE"]).eval()
    image = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        before = model(image)
        model.head.mask_heads[1].bias += 2.0
        after = model(image)
    torch.testing.assert_close(after[0], before[0], rtol=0, atol=0)
    torch.testing.assert_close(after[1], before[1] + 2.0)
    assert not torch.allclose(after[2], before[2], atol=1e-3)


def test_dual_attention_starts_as_its_two_convolutions() -> None:
    block, features = DualAttention(16).eval(), torch.randn(2, 16, 6, 5)
    expected = block.position[0](features) + block.channel[0](features)
    assert torch.equal(block(features), expected)
    for gate in (block.position[1].gamma, block.channel[1].gamma):
        gate.data.fill_(1.0)
        changed = block(features)
        assert not torch.allclose(changed, expected, atol=1e-3)
        expected = changed


def test_scale_attention_by_hand() -> None:
    """Channel 3 is weighted by the mean of channel 0, channel 5 by its maximum."""
    block = ScaleAttention(16)
    for parameter in block.parameters():
        parameter.data.zero_()
    for branch, weighted in ((block.mean, 3), (block.maximum, 5)):
        branch[0].weight.data[0, 0] = 1.0
        branch[2].weight.data[weighted, 0] = 1.0
    features = torch.ones(1, 16, 1, 2)
    features[0, 0, 0] = torch.tensor([1.0, 5.0])
    expected = features / 2
    expected[0, 3] = torch.sigmoid(torch.tensor(3.0))
    expected[0, 5] = torch.sigmoid(torch.tensor(5.0))
    torch.testing.assert_close(block(features), expected)


@pytest.mark.parametrize("config", ROWS.values(), ids=ROWS)
def test_an_untrained_network_sees_about_the_lesions_share(config: ModelConfig) -> None:
    torch.manual_seed(0)
    for mask in AHRNet(config, lesion_share=0.1)(torch.rand(2, 1, 64, 64)):
        assert 0.03 < torch.sigmoid(mask).mean() < 0.25


def test_bfloat16_stays_near_float32() -> None:
    model = built(FULL).eval()
    image = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        exact = model(image)[-1]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            near = model(image)[-1]
    assert near.dtype == torch.bfloat16
    assert (near.float() - exact).abs().max() < 0.1


@pytest.mark.parametrize(
    "name", ["hrnet_w18_small", pytest.param("hrnet_w32", marks=pytest.mark.slow)]
)
def test_weights_from_a_file_load_whole(name: str, tmp_path: Path) -> None:
    """The file is a classifier of RGB images, as ImageNet's are, no number in it a default."""
    stored: dict[str, torch.Tensor] = timm.create_model(name, pretrained=False).state_dict()
    for tensor in stored.values():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 1.0)
        else:
            tensor.fill_(7)
    torch.save(stored, tmp_path / "weights.pth")
    config = BackboneConfig(name=name, weights_file=tmp_path / "weights.pth")
    found = AHRNet(ModelConfig(backbone=config)).encoder.network.state_dict()
    first = "conv1.weight"
    torch.testing.assert_close(found.pop(first), stored[first].sum(dim=1, keepdim=True))
    assert [key for key, tensor in found.items() if not torch.equal(tensor, stored[key])] == []
    head = ("incre_modules.", "downsamp_modules.", "final_layer.", "classifier.", first)
    assert {key for key in stored if not key.startswith(head)} == set(found)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"features": 0}, "features is 0; it must be at least 1"),
        ({"features": 1025}, "at most 1,024"),
        ({"backbone": BackboneConfig()}, "resnest50d; it must be an HRNet.*try hrnet_w32"),
    ],
)
def test_impossible_configs_are_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        ModelConfig(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [128, 160, 224])
def test_nnunet_planned_for_the_smallest_size_takes_the_others(size: int) -> None:
    model = NNUNet(NNUNetConfig(features=2), 128)
    masks = model(torch.rand(2, 1, size, size))
    assert [mask.shape for mask in masks] == [
        (2, 1, size // s, size // s) for s in (16, 8, 4, 2, 1)
    ]
    torch.autograd.backward(torch.stack([mask.square().mean() for mask in masks]).sum())
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize(("features", "count"), [(32, 20_618_085), (8, 1_947_997)])
def test_nnunets_parameters(features: int, count: int) -> None:
    with torch.device("meta"):
        model = NNUNet(NNUNetConfig(features=features), 128)
    assert parameters(model) == count


@pytest.mark.parametrize("share", [0.1, 0.15])
def test_all_heads_start_at_the_lesions_share(share: float) -> None:
    found = [head.bias for head in AHRNet(FULL, share).head.mask_heads]
    found += [head.bias for head in heads(NNUNet(NNUNetConfig(features=2), 128, share).network)]
    assert [torch.sigmoid(bias).item() for bias in found] == pytest.approx(8 * [share])
