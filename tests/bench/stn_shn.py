"""STN + SHN: the time that a box takes at full size, and where it goes."""

from functools import partial

import torch

from lesions.prompts import case_of
from tests.bench.loops import sample_lesions
from tests.bench.timing import best_in_turn, show
from trainables.answering.precision import fast_precision
from trainables.parts import Parts
from trainables.stn_shn import STNSHNSystem
from trainables.stn_shn.config import paper
from trainables.stn_shn.model import STNSHN
from trainables.system import How, Trained

SYSTEM = STNSHNSystem()
CPU = torch.device("cpu")
LIMIT_S = 0.15  # a box on two cores


def box_endpoints() -> None:
    """A box after loading, ResNet-50 and two stacks at 128², random weights, on two cores."""
    torch.set_num_threads(2)
    (lesion,) = sample_lesions(1, "ellipse")
    ours, plainly = _parts(fast=True), _parts(fast=False)
    case = case_of(lesion, ours.telling)
    model = ours.trained[0].model
    assert isinstance(model, STNSHN)
    assert model.stn is not None
    crop = torch.rand(1, 1, 128, 128).to(memory_format=torch.channels_last)
    calls = {
        "whole": lambda: list(ours.predict([case])),
        "plain": lambda: list(plainly.predict([case])),
        "ResNet-50": partial(_alone, model.stn.backbone, crop),
        "STN": partial(_alone, model.stn, crop),
        "SHN": partial(_alone, model.shn, crop),
    }
    found = dict(zip(calls, best_in_turn(list(calls.values())), strict=True))
    show("a box, STN + SHN with ResNet-50, 128²", found["whole"],
         "fp32, axes as torch has them", found["plain"])  # fmt: skip
    print(f"  {LIMIT_S / found['whole']:.2f} × below the limit of {LIMIT_S * 1e3:.0f} ms; in fp32 "
          f"STN {found['STN'] * 1e3:.0f} ms, of it ResNet-50 {found['ResNet-50'] * 1e3:.0f} ms; "
          f"SHN {found['SHN'] * 1e3:.0f} ms")  # fmt: skip


def _parts(*, fast: bool) -> Parts:
    """The full-size system: as the platform answers, or as torch does without being told."""
    model = SYSTEM.model(paper(), pretrained=False).eval()
    if fast:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    how = How(device=CPU, precision=fast_precision(CPU) if fast else None)
    return Parts(system=SYSTEM, trained=(Trained(config=paper(), model=model),), how=how)


@torch.inference_mode()
def _alone(part: torch.nn.Module, crop: torch.Tensor) -> object:
    return part(crop)
