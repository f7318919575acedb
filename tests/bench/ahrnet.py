"""AHRNet: what its networks cost, and its position attention beside the plain form."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from tests.bench.timing import seconds, show
from tests.trainables.position import plain
from trainables.ahrnet.model import AHRNet, ModelConfig
from trainables.ahrnet.nnunet import NNUNet
from trainables.backbones import BackboneConfig
from trainables.blocks import PositionAttention
from trainables.nnunet import NNUNetConfig

SIZE, SMALLEST = 256, 128
PRESETS = {"paper": ("hrnet_w32", 32, 32), "tiny": ("hrnet_w18_small", 16, 8)}
ROWS = {
    "HRNet": (False, False, False),
    "+ DE": (True, False, False),
    "+ DE + DA": (True, True, False),
    "+ DE + DA + SA": (True, True, True),
}


def networks() -> None:
    """Parameters and multiply-adds at 256², beside the baseline's; nothing is computed."""
    for preset in PRESETS:
        first = 0
        for name, build in _rows(preset):
            with FakeTensorMode(), FlopCounterMode(display=False) as counter:
                network = build().eval()
                network(torch.empty(1, 1, SIZE, SIZE))
            parameters = sum(p.numel() for p in network.parameters())
            multiplied = counter.get_total_flops() // 2  # torch counts multiplying and adding
            first = first or multiplied
            print(f"{preset:<6} {name:<16} {parameters:>12,} parameters "
                  f"{multiplied / 1e9:8.3f} G multiply-adds "
                  f"{multiplied / first:6.2f} ×")  # fmt: skip


def position() -> None:
    """Position attention at 64², a batch of 1 on one thread, fp32: forward, then with gradients."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    block = PositionAttention(32)
    features = torch.randn(1, 32, 64, 64).to(memory_format=torch.channels_last)

    def backward(form: Callable[[PositionAttention, Tensor], Tensor]) -> None:
        torch.autograd.backward(form(block, features).sum())

    with torch.no_grad():
        ours = seconds(lambda: block(features))
        theirs = seconds(lambda: plain(block, features))
    show("position attention, 32 × 64²", ours, "all weights held at once", theirs)
    show("  and its gradients", seconds(lambda: backward(PositionAttention.__call__)), "",
         seconds(lambda: backward(plain)))  # fmt: skip


def _rows(preset: str) -> Iterator[tuple[str, Callable[[], nn.Module]]]:
    name, features, finest = PRESETS[preset]
    for row, (decoder, dual, scale) in ROWS.items():
        config = ModelConfig(
            backbone=BackboneConfig(name=name, pretrained=False), decoder=decoder,
            dual_attention=dual, scale_attention=scale, features=features,
        )  # fmt: skip
        yield row, lambda config=config: AHRNet(config)
    yield "nnU-Net", lambda: NNUNet(NNUNetConfig(features=finest), SMALLEST)
