"""Each variant is one edit of any preset; each trains by PDNet's own loss; nnU-Net's shapes."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from lesions.errors import InputError
from trainables.configs import edited, flatten
from trainables.nnunet import NNUNetConfig, heads, nnunet, stages_for
from trainables.pdnet import PDNetSystem
from trainables.pdnet.config import PDNetConfig, paper, tiny
from trainables.pdnet.loss import loss_terms
from trainables.pdnet.variants import VARIANTS
from trainables.registry import find_variant
from trainables.steps import weighted

SYSTEM = PDNetSystem()
PRESETS = {"paper": paper, "tiny": tiny}
NETWORKS = [name for name in VARIANTS if "+RLS" not in name]
ABLATIONS = [name for name in NETWORKS if name != "nnunet"]
COUNTS = {
    ("paper", "base"): 26_654_546,
    ("paper", "base+PE"): 27_017_783,
    ("paper", "base+PE+T2D"): 27_113_079,
    ("paper", "base+PE+T2D+B2U"): 27_209_911,
    ("paper", "base+PE+T2D+B2U+SA"): 27_209_916,
    ("paper", "nnunet"): 33_476_926,
    ("tiny", "base"): 708_778,
    ("tiny", "base+PE"): 800_687,
    ("tiny", "base+PE+T2D"): 827_343,
    ("tiny", "base+PE+T2D+B2U"): 852_719,
    ("tiny", "base+PE+T2D+B2U+SA"): 852_724,
    ("tiny", "nnunet"): 487_900,
}


def built(config: PDNetConfig) -> nn.Module:
    torch.manual_seed(0)
    return SYSTEM.model(config, pretrained=False)


def batch(size: int, count: int = 2) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    labels = torch.zeros(count, 1, size, size, dtype=torch.uint8)
    labels[:, :, size // 4 : size // 2, size // 4 : size // 2] = 1
    return {
        "inputs": torch.rand(count, 3, size, size, generator=generator),
        "labels": labels,
        "heatmaps": torch.rand(count, 4, size, size, generator=generator),
    }


@pytest.mark.parametrize(("preset", "variant"), COUNTS)
def test_parameters(preset: str, variant: str) -> None:
    model = built(VARIANTS[variant](PRESETS[preset]()))
    assert sum(p.numel() for p in model.parameters()) == COUNTS[preset, variant]


def test_stage_1_plans_nnunet_one_stage_deeper() -> None:
    model = built(replace(VARIANTS["nnunet"](paper()), stage=1))
    assert sum(p.numel() for p in model.parameters()) == 46_331_203


@pytest.mark.parametrize("variant", NETWORKS)
@pytest.mark.parametrize("preset", PRESETS)
def test_a_variant_edits_only_the_network(preset: str, variant: str) -> None:
    before, after = (
        flatten(config) for config in (PRESETS[preset](), VARIANTS[variant](PRESETS[preset]()))
    )
    allowed = ("network", "model.prior_encoder", "model.top_down", "model.bottom_up",
               "model.scale_attention")  # fmt: skip
    assert {name for name in before if before[name] != after[name]} <= set(allowed)
    assert edited(paper(), after) == VARIANTS[variant](PRESETS[preset]())


@pytest.mark.parametrize("first", NETWORKS)
def test_ablations_do_not_depend_on_what_was_switched_before(first: str) -> None:
    for name in ABLATIONS:
        assert VARIANTS[name](VARIANTS[first](tiny())) == VARIANTS[name](tiny())


def test_the_last_ablation_is_pdnet() -> None:
    assert VARIANTS["base+PE+T2D+B2U+SA"](tiny()) == tiny()


def test_the_level_set_is_pdnets_own_loss_and_one_more() -> None:
    config = VARIANTS["base+PE+T2D+B2U+SA+RLS"](tiny())
    assert config == replace(tiny(), rls=replace(tiny().rls, factor=0.1))


def test_an_unknown_variant_is_told() -> None:
    with pytest.raises(InputError, match=r"no variant 'bare' \(choose of base, base\+PE, "):
        find_variant(SYSTEM, "bare")


def lost(
    config: PDNetConfig, model: nn.Module, given: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, Mapping[str, torch.Tensor]]:
    """The loss, and its terms."""
    (phase,) = SYSTEM.recipe(config)
    terms = SYSTEM.terms(config, model, given, phase.objectives[0])
    return weighted(terms, phase.objectives[0]), terms


@pytest.mark.parametrize("variant", NETWORKS)
def test_the_loss_reaches_every_parameter(variant: str) -> None:
    config = VARIANTS[variant](tiny())
    model = built(config).train()
    loss, parts = lost(config, model, batch(config.input_size))
    torch.autograd.backward(loss)
    assert set(parts) == {"seg_loss", "heatmap_loss"}
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        # Split attention's last normalisation starts at 0, so within a block only it learns at
        # first; a bias before an instance normalisation never does.
        if not name.startswith("encoder.") and not name.endswith("conv.bias"):
            assert parameter.grad.any(), name


@pytest.mark.parametrize("size", [32, 96, 128])
def test_nnunets_outputs(size: int) -> None:
    config = edited(VARIANTS["nnunet"](tiny()), {"samples.input_size": size})
    outputs = built(config)(torch.rand(1, 3, size, size))
    sides = [size >> k for k in reversed(range(stages_for(size) - 1))]
    assert [m.shape for m in outputs.masks] == [(1, 1, s, s) for s in sides]
    assert [m.shape for m in outputs.heatmaps] == [(1, 4, s, s) for s in sides[-3:]]


def test_nnunet_learns_mask_and_heatmaps() -> None:
    torch.manual_seed(0)
    config = edited(VARIANTS["nnunet"](tiny()), {"samples.input_size": 32, "loss.weight": 0.5})
    model = built(config).train()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for _ in range(30):
        loss, _ = lost(config, model, batch(32))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_nnunet_starts_as_pdnet_does() -> None:
    outputs = built(VARIANTS["nnunet"](tiny()))(torch.rand(2, 3, 96, 96))
    assert all(heatmap.abs().max() < 0.3 for heatmap in outputs.heatmaps)
    network = built(VARIANTS["nnunet"](tiny())).get_submodule("network")
    for head in heads(network):  # type: ignore[arg-type]
        assert head.bias is not None
        assert head.bias.tolist() == pytest.approx([math.log(0.12 / 0.88), 0, 0, 0, 0])


def test_nnunet_sees_the_click() -> None:
    model = built(VARIANTS["nnunet"](tiny())).eval()
    one = torch.rand(1, 3, 96, 96)
    moved = one.clone()
    moved[:, 1:] = torch.rand(1, 2, 96, 96)
    with torch.no_grad():
        assert not torch.equal(model(one).masks[-1], model(moved).masks[-1])


def test_nnunets_side_outputs_are_all_supervised() -> None:
    config = VARIANTS["nnunet"](tiny())
    outputs, given = built(config)(batch(96)["inputs"]), batch(96)
    alone = loss_terms(outputs, given["labels"], given["heatmaps"])["seg_loss"]
    assert len(outputs.masks) == 4
    assert alone > 2  # four scales, each near 1 at the start


@pytest.mark.parametrize(
    ("size", "stages"), [(32, 4), (64, 5), (96, 5), (160, 6), (256, 7), (288, 6), (512, 8)]
)
def test_stages(size: int, stages: int) -> None:
    """As nnU-Net plans: 256 → 7 and 512 → 8 stages, down to 4 pixels."""
    assert stages_for(size) == stages


def test_features_double_up_to_512() -> None:
    network = nnunet(NNUNetConfig(), 512, 3, 5)
    assert network.encoder.output_channels == [32, 64, 128, 256, 512, 512, 512, 512]


def test_no_features_is_refused() -> None:
    with pytest.raises(InputError, match=r"nnunet\.features is 0"):
        NNUNetConfig(features=0)
