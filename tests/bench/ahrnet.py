"""AHRNet: what its networks, its position attention, its loss and an answer cost."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from lesions.prompts import case_of
from tests.bench.loops import a_learner, house, kept_batches, sample_lesions
from tests.bench.timing import best_in_turn, seconds, show
from tests.trainables.position import plain
from trainables.ahrnet import AHRNetSystem
from trainables.ahrnet.config import paper, tiny
from trainables.ahrnet.variants import AHRNET, VARIANTS, nnunet, without
from trainables.answering.precision import fast_precision
from trainables.blocks import PositionAttention
from trainables.parts import Parts
from trainables.system import How, Trained

SYSTEM = AHRNetSystem()
CPU = torch.device("cpu")

SIZE = 256
PRESETS = {"paper": paper, "tiny": tiny}
NETWORKS = ("HRNet", "HRNet+DE", "HRNet+DE+DA", AHRNET, "nnunet")


def networks() -> None:
    """Parameters and multiply-adds at 256², beside the baseline's; nothing is computed."""
    for preset, make in PRESETS.items():
        first = 0
        for name in NETWORKS:
            with FakeTensorMode(), FlopCounterMode(display=False) as counter:
                network = SYSTEM.model(VARIANTS[name](make()), pretrained=False).eval()
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


def rls() -> None:
    """A step of AHRNet with the level set, and without: its share of the step."""
    torch.set_num_threads(2)
    for name, make in PRESETS.items():
        config = replace(make(), rls=replace(make().rls, joins=0.0))
        if name == "paper":  # one size, and a batch that two cores hold
            config = replace(
                config,
                samples=replace(config.samples, sizes=(SIZE,)),
                training=replace(config.training, batch_size=2),
            )
        batches = kept_batches(SYSTEM, config, sample_lesions(8, config.pseudo_mask), CPU)
        ours, theirs = best_in_turn(
            [
                house(a_learner(SYSTEM, chosen, CPU, order=torch.channels_last), batches, 2)
                for chosen in (config, without(config))
            ]
        )
        show(f"AHRNet {name}, two steps with the level set", ours, "without", theirs)
        print(f"  {ours / theirs - 1:+.1%} (limit: 5 %)")


def box() -> None:
    """A box answered at 256² by the full-size network, and by nnU-Net's; random weights."""
    torch.set_num_threads(2)
    (lesion,) = sample_lesions(1, "ellipse")
    spent = []
    for config in (paper(), nnunet(paper())):
        config = replace(config, samples=replace(config.samples, sizes=(SIZE,)))
        model = SYSTEM.model(config, pretrained=False).eval()
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        parts = Parts(
            system=SYSTEM, trained=(Trained(config=config, model=model),),
            how=How(device=CPU, precision=fast_precision(CPU)),
        )  # fmt: skip
        case = case_of(lesion, parts.telling)
        spent.append(partial(lambda parts, case: list(parts.predict([case])), parts, case))
    ours, theirs = best_in_turn(spent)
    show("a box, AHRNet with HRNet-W32, 256²", ours, "nnU-Net's network", theirs)
