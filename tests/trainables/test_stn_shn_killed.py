"""Killed in the middle of each of the four phases, by the paper's plateaus: the same to the bit."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.house.test_contract import small_stn_shn
from trainables.configs import edited
from trainables.contract.learns import Metrics, curve_of
from trainables.contract.made import made_lesions
from trainables.loop import Run
from trainables.stn_shn import STNSHNSystem
from trainables.stn_shn.config import tiny

# Two epochs without any gain end a rate: the plateau's own state crosses each kill.
PLATEAUS = {
    "training.optimizer": "sgd", "training.learning_rate": 5e-4, "training.schedule": "plateau",
    "training.patience": 2, "training.gain": 0.9, "training.drops": 1, "training.longest": 2,
    "training.epochs": 3, "training.checkpoint_every": 1, "training.precision": "fp32",
    "localisation.backbone.name": "test_resnet", "localisation.backbone.width": 1.0,
}  # fmt: skip


@pytest.mark.slow  # the contract kills at the phases' ends in make test
def test_killed_in_the_middle_of_each_phase(tmp_path: Path) -> None:
    lesions = made_lesions(6, ["ellipse", "human"])
    run = Run(
        system=STNSHNSystem(), config=edited(small_stn_shn(tiny()), PLATEAUS), train=lesions[:4],
        validation=lesions[4:], directory=tmp_path / "whole",
        device=torch.device("cpu"), report=lambda *_: None,
    )  # fmt: skip
    whole = curve_of(run)
    phases = [int(one["phase"]) for one in whole]
    assert sorted(set(phases)) == [1, 2, 3, 4]
    middles = [phases.index(phase) + 2 for phase in (1, 2, 3, 4)]
    assert all(phases[at - 1] == phases[at] for at in middles), "none is at a phase's end"
    rates = [one["learning_rate"] for one in whole]
    assert len(set(rates)) > 1, "the rate drops within phases"
    killed, curve = replace(run, directory=tmp_path / "killed"), list[Metrics]()
    for until in [*middles, None]:
        curve += curve_of(replace(killed, resume=killed.directory if curve else None), until)
    assert curve == whole
    one, other = (
        torch.load(each.directory / "last.pt", weights_only=True) for each in (run, killed)
    )
    assert one["model"].keys() == other["model"].keys()
    assert all(torch.equal(one["model"][name], other["model"][name]) for name in one["model"])
