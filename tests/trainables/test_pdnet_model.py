from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import nn

from lesions.errors import InputError
from trainables.backbones import BackboneConfig
from trainables.pdnet.model import ModelConfig, Outputs, PDNet

FULL = ModelConfig(
    backbone=BackboneConfig(name="resnest14d", pretrained=False, width=0.125),
    features=8,
    rates=(1, 2, 3),
)
BASE = replace(FULL, prior_encoder=False, top_down=False, bottom_up=False, scale_attention=False)
ROWS = {
    "base": BASE,
    "+PE": replace(BASE, prior_encoder=True),
    "+T2D": replace(BASE, prior_encoder=True, top_down=True),
    "+B2U": replace(FULL, scale_attention=False),
    "+SA": FULL,
}


def built(config: ModelConfig) -> PDNet:
    torch.manual_seed(0)
    return PDNet(config)


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def total(outputs: Outputs) -> torch.Tensor:
    return torch.stack([m.square().mean() for m in [*outputs.masks, *outputs.heatmaps]]).sum()


@pytest.mark.parametrize("size", [64, 96, 128])
def test_eleven_masks_and_three_heatmaps(size: int) -> None:
    outputs = built(FULL)(torch.rand(2, 3, size, size))
    strides = [2, 4, 8, 16, 32, 32, 16, 8, 4, 2, 1]
    assert [m.shape for m in outputs.masks] == [(2, 1, size // s, size // s) for s in strides]
    assert [m.shape for m in outputs.heatmaps] == [(2, 4, size // s, size // s) for s in (4, 2, 1)]


@pytest.mark.parametrize("config", ROWS.values(), ids=ROWS)
def test_every_parameter_learns(config: ModelConfig) -> None:
    model = built(config).train()
    torch.autograd.backward(total(model(torch.rand(2, 3, 96, 96))))
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    # Split attention's last normalisation starts at 0, so within a block only it learns at first.
    for name, parameter in model.named_parameters():
        if not name.startswith("encoder."):
            assert parameter.grad is not None
            assert parameter.grad.any(), name


@pytest.mark.parametrize("config", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("size", [32, 64])
def test_trains_on_a_batch_of_one(config: ModelConfig, size: int) -> None:
    model = built(config).train()
    loss = total(model(torch.rand(1, 3, size, size)))
    torch.autograd.backward(loss)
    assert loss.isfinite()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("config", ROWS.values(), ids=ROWS)
def test_outputs_of_each_row(config: ModelConfig) -> None:
    outputs = built(config).eval()(torch.rand(1, 3, 64, 64))
    assert len(outputs.masks) == (11 if config.prior_encoder else 6)
    assert len(outputs.heatmaps) == 3
    assert outputs.masks[-1].shape == (1, 1, 64, 64)
    assert outputs.heatmaps[-1].shape == (1, 4, 64, 64)


def test_top_down_adds_ten_connections_and_drops_the_unet_path() -> None:
    c, convolution = 8, 8 * 8 * 9 + 2 * 8
    unet = 4 * (2 * c * c * 9 + 2 * c)
    # Wider by 4, 3, 2, 1 and 0 maps: five mask heads, two heat map heads, the deconvolution.
    heads = (4 + 3 + 2 + 1) * c * 9 + 4 * (4 + 3) * c * 9 + 4 * c * c * 16
    added = parameters(built(ROWS["+T2D"])) - parameters(built(ROWS["+PE"]))
    assert added == 10 * convolution + heads - unet


def test_bottom_up_adds_ten_connections() -> None:
    c, convolution = 8, 8 * 8 * 9 + 2 * 8
    heads = (1 + 2 + 3 + 4) * c * 9 + 4 * 1 * c * 9
    added = parameters(built(ROWS["+B2U"])) - parameters(built(ROWS["+T2D"]))
    assert added == 10 * convolution + heads


def test_scale_attention_adds_one_gate_a_scale() -> None:
    with_sa, without = built(FULL), built(ROWS["+B2U"])
    assert parameters(with_sa) - parameters(without) == 5
    gates = [p for name, p in with_sa.named_parameters() if name.endswith("gamma")]
    assert len(gates) == 5
    assert all(gate == 0 for gate in gates)


def test_the_image_encoder_sees_the_click_only_without_the_prior_encoder() -> None:
    assert built(FULL).encoder.network.get_submodule("conv1")[0].in_channels == 1  # type: ignore[index]
    assert built(BASE).encoder.network.get_submodule("conv1")[0].in_channels == 3  # type: ignore[index]


@pytest.mark.parametrize("config", ROWS.values(), ids=ROWS)
def test_the_click_matters(config: ModelConfig) -> None:
    model = built(config).eval()
    image = torch.rand(1, 3, 64, 64)
    moved = image.clone()
    moved[:, 1:] = torch.rand(1, 2, 64, 64)
    with torch.no_grad():
        assert not torch.equal(model(image).masks[-1], model(moved).masks[-1])


def test_a_finer_scale_reaches_a_coarser_output_only_bottom_up() -> None:
    def reach(config: ModelConfig) -> bool:
        model = built(config).eval()
        enhanced = [torch.zeros(1, 8, 32 >> k, 32 >> k) for k in range(5)]
        with torch.no_grad():
            before = model.decoder(enhanced).masks[0]
            enhanced[0] = torch.rand(1, 8, 32, 32)
            return not torch.equal(before, model.decoder(enhanced).masks[0])

    assert reach(ROWS["+B2U"])
    assert not reach(ROWS["+T2D"])
    assert not reach(ROWS["base"])


def test_the_same_seed_gives_the_same_network_and_outputs() -> None:
    image = torch.rand(1, 3, 64, 64)
    first, second = built(FULL).eval()(image), built(FULL).eval()(image)
    for one, other in zip(
        [*first.masks, *first.heatmaps], [*second.masks, *second.heatmaps], strict=True
    ):
        assert torch.equal(one, other)


def test_convolutions_that_feed_a_normalisation_have_no_bias() -> None:
    modules = [m for name, m in built(FULL).named_modules() if not name.startswith("encoder.")]
    for module, following in pairwise(modules):
        if isinstance(following, nn.BatchNorm2d):
            assert module.bias is None


def test_bfloat16_stays_near_float32() -> None:
    model = built(FULL).eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        exact = model(image).masks[-1]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            near = model(image).masks[-1]
    assert near.dtype == torch.bfloat16
    assert (near.float() - exact).abs().max() < 0.1


def test_the_papers_network() -> None:
    model = built(ModelConfig(backbone=BackboneConfig(pretrained=False))).eval()
    with torch.no_grad():
        outputs = model(torch.rand(1, 3, 256, 256))
    assert outputs.masks[-1].shape == (1, 1, 256, 256)
    assert outputs.heatmaps[-1].shape == (1, 4, 256, 256)
    assert model.encoder.channels == [64, 256, 512, 1024, 2048]
    assert parameters(model) == 27_209_916


def test_an_untrained_network_sees_little() -> None:
    outputs = built(FULL)(torch.rand(2, 3, 64, 64))
    assert all(torch.sigmoid(mask).mean() < 0.3 for mask in outputs.masks)
    assert all(heatmap.abs().max() < 0.3 for heatmap in outputs.heatmaps)


@pytest.mark.parametrize("settings", [{"features": 0}, {"rates": (6, 0)}])
def test_impossible_configs_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"must be|is needed"):
        ModelConfig(**settings)  # type: ignore[arg-type]
