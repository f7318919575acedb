import copy
from typing import cast

import pytest
import timm
import torch
from timm.layers.split_attn import SplitAttn
from torch import nn

from trainables.backbones import BackboneConfig, backbone
from trainables.split_attention import SplitAttention, without_copies


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("radix", "groups"), [(1, 1), (2, 1), (2, 2), (3, 1)])
def test_it_is_timms_block(radix: int, groups: int, memory_format: torch.memory_format) -> None:
    torch.manual_seed(0)
    theirs = SplitAttn(12, 12, radix=radix, groups=groups, norm_layer=nn.BatchNorm2d).double()
    ours = cast("SplitAttention", without_copies(copy.deepcopy(theirs)))
    assert type(ours) is SplitAttention
    image = torch.rand(3, 12, 10, 8, dtype=torch.float64).to(memory_format=memory_format)
    seen = [image.clone().requires_grad_(), image.clone().requires_grad_()]
    found = [theirs(seen[0]), ours(seen[1])]
    torch.testing.assert_close(found[1], found[0])
    for out in found:
        torch.autograd.backward((out**2).sum())
    torch.testing.assert_close(seen[1].grad, seen[0].grad)
    for other, own in zip(theirs.parameters(), ours.parameters(), strict=True):
        torch.testing.assert_close(own.grad, other.grad)
    assert ours.state_dict().keys() == theirs.state_dict().keys()


def test_channels_stay_last() -> None:
    block = without_copies(SplitAttn(8, 8, radix=2)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    image = torch.rand(2, 8, 6, 6).to(memory_format=torch.channels_last)
    assert block(image).is_contiguous(memory_format=torch.channels_last)


def test_a_backbone_has_no_other_and_computes_what_timms_does() -> None:
    torch.manual_seed(0)
    ours = backbone(BackboneConfig(name="resnest14d", pretrained=False), 1).eval()
    blocks = [module for module in ours.modules() if isinstance(module, SplitAttn)]
    assert {type(block) for block in blocks} == {SplitAttention}
    theirs = timm.create_model("resnest14d", features_only=True, in_chans=1).eval()
    theirs.load_state_dict(ours.network.state_dict())
    image = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        for own, other in zip(ours(image), theirs(image), strict=True):
            torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-5)
