"""Four real lesions learned by heart, with the STN in front, through all four phases."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from lesions import Lesion, pseudo_mask
from lesions.heatmaps import endpoints
from lesions.readers.deeplesion import read_deeplesion
from lesions.readers.png import encode_labels
from lesions.sample import ROOT
from trainables.configs import edited
from trainables.optimisers import optimiser
from trainables.recipe import Objective
from trainables.steps import weighted
from trainables.stn_shn import STNSHNSystem
from trainables.stn_shn.config import STNSHNConfig, tiny
from trainables.stn_shn.layout import jittered, named, to_view
from trainables.stn_shn.model import STNSHN

STEPS = {"region": 30, "layout": 50, "endpoints": 200, "jointly": 100}
RATES = {"region": 2e-3, "layout": 2e-3, "endpoints": 4e-3, "jointly": 2e-3}
MOST_ERROR = 1.5  # pixels of a view of 128²


def four_lesions() -> list[Lesion]:
    """The first slices of four training patients."""
    found: dict[str, Lesion] = {}
    for lesion in read_deeplesion(ROOT)[0]:
        if lesion.split == "train":
            found.setdefault(lesion.patient, lesion)
    return [
        replace(one, masks={"ellipse": encode_labels(
            pseudo_mask("ellipse", one.slice_hu, one.recist, one.window))})
        for one in list(found.values())[:4]
    ]  # fmt: skip


def mean_error(config: STNSHNConfig, model: STNSHN, batch: dict[str, Tensor]) -> float:
    """Of endpoints in the view, pixels of 128²."""
    with torch.no_grad():
        found = model.eval()(batch["crop"])
    model.train()
    seen = np.stack([endpoints(maps.numpy())[0] for maps in found.heatmaps[-1]])
    truth = named(to_view(batch["endpoints"], found.thetas, config.samples.size))
    off = 4 * torch.from_numpy(seen).float() + 1.5 - truth
    return off.norm(dim=2).mean().item() * 128 / config.samples.size


def steps(
    system: STNSHNSystem, config: STNSHNConfig, model: STNSHN, batch: dict[str, Tensor],
    objective: Objective,
) -> None:  # fmt: skip
    """Of one phase; what the SHN alone sees is drawn anew at each."""
    rate = replace(objective.optimizer, learning_rate=RATES[objective.name])
    own = optimiser(model, replace(objective, optimizer=rate))
    true, rng = batch["layout"].numpy(), np.random.default_rng(5)
    for _ in range(STEPS[objective.name]):
        near = [jittered(one, rng, shift=0.1, turn=15, scale=(0.85, 1.15)) for one in true]
        batch["near"] = torch.from_numpy(np.stack(near))
        loss = weighted(system.terms(config, model, batch, objective), objective)
        model.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10)
        own.step()


@pytest.mark.slow
def test_four_real_lesions_are_learned_by_heart() -> None:
    torch.manual_seed(0)
    system, config = STNSHNSystem(), edited(tiny(), {"samples.intensity": 0.0})
    samples = [system.sample(config, lesion, np.random.default_rng(at))
               for at, lesion in enumerate(four_lesions())]  # fmt: skip
    batch = {name: torch.stack([one[name] for one in samples]) for name in samples[0]}
    model = system.model(config)
    assert isinstance(model, STNSHN)
    assert mean_error(config, model, batch) > 10
    for phase in system.recipe(config):
        steps(system, config, model.train(), batch, phase.objectives[0])
    assert mean_error(config, model, batch) < MOST_ERROR
