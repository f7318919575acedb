"""The model and the loss are right: four real lesions can be learnt by heart."""

import pytest
import torch
from torch.utils.data import default_collate

from lesions.prepared import PreparedSet
from trainables.configs import edited
from trainables.loader import TrainingSamples
from trainables.pdnet.model import PDNet
from trainables.registry import find_system

STEPS = {1: 110, 2: 80}


def dice(model: PDNet, batch: dict[str, torch.Tensor]) -> float:
    with torch.inference_mode():
        predicted = model.eval()(batch["inputs"]).masks[-1] > 0
    model.train()
    truth = batch["labels"] == 1
    both, sizes = (x.sum((1, 2, 3)) for x in (predicted & truth, predicted * 1 + truth * 1))
    return float((2 * both / sizes).mean())


@pytest.mark.parametrize("stage", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_one_batch_of_four_lesions_is_learnt(training_lesions: PreparedSet, stage: int) -> None:
    system = find_system("pdnet")
    config = edited(system.presets()["tiny"](), {"stage": stage})
    four = [training_lesions[i] for i in (0, 40, 90, 165)]
    samples = TrainingSamples(system, config, four)
    batch = default_collate([samples[(0, i)] for i in range(4)])
    torch.manual_seed(0)
    model = system.model(config)
    assert isinstance(model, PDNet)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(STEPS[stage]):
        loss, _ = system.loss(config, model, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert dice(model, batch) >= 0.95
