"""Every space holds its paper's values and names fields that the system's config has."""

from collections.abc import Mapping
from typing import Any

import pytest
from optuna.distributions import BaseDistribution, FloatDistribution

from lesions import InputError
from platform.tuning.spaces import first_trials, space_of
from search_spaces import SPACES
from tests.platform.made import Millimetres, Spaceless
from trainables.configs import edited, flatten
from trainables.paper import paper_values
from trainables.registry import SYSTEMS

PDNET = SYSTEMS["pdnet"]


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_papers_values_lie_inside_and_are_the_papers(name: str) -> None:
    system = SYSTEMS[name]
    for part in system.parts.values() or ({},):
        config = edited(system.presets()["paper"](), part)
        space, paper = space_of(system, config), first_trials(system, config)[0]
        assert space.keys() == paper.keys() <= flatten(config).keys()
        assert all(space[key]._contains(value) for key, value in paper.items())
        searched = flatten(edited(config, paper))
        unset = {key for key, value in flatten(config).items() if value is None}
        assert {k: v for k, v in searched.items() if k not in unset} == {
            k: v for k, v in flatten(config).items() if k not in unset
        }


def test_a_space_is_of_a_system_that_there_is() -> None:
    assert SPACES.keys() <= SYSTEMS.keys()


@pytest.mark.parametrize("preset", ["paper", "tiny"])
@pytest.mark.parametrize(("stage", "sigma", "most"), [(1, 3.0, 8.0), (2, 7.0, 14.0)])
def test_pdnets_first_trial_is_the_papers(
    preset: str, stage: int, sigma: float, most: float
) -> None:
    config = edited(PDNET.presets()[preset](), {"stage": stage, "samples.sigma": 5.0})
    assert first_trials(PDNET, config) == [
        {"loss.weight": 0.01, "samples.sigma": sigma, "training.learning_rate": 1e-3}
    ]
    assert space_of(PDNET, config)["samples.sigma"].high == most


def test_a_system_may_bring_its_own_space_and_say_what_comes_early() -> None:
    system = Millimetres()
    config = system.presets()["tiny"]()
    assert list(space_of(system, config)) == ["training.learning_rate"]
    rates = [trial["training.learning_rate"] for trial in first_trials(system, config)]
    assert rates == [1e-3, 3e-2, 1e-12]


class TwoFields(Millimetres):
    """An early trial of it names one of its two fields."""

    def space(self, config: Any) -> Mapping[str, BaseDistribution]:
        return {name: FloatDistribution(1e-4, 10) for name in ("loss.weight", "samples.sigma")}

    def first(self, config: Any) -> list[dict[str, float]]:
        return [{"loss.weight": 1.0}]


def test_what_an_early_trial_leaves_out_is_the_papers() -> None:
    assert first_trials(TwoFields(), PDNET.presets()["tiny"]()) == [
        {"loss.weight": 0.01, "samples.sigma": 7.0},
        {"loss.weight": 1.0, "samples.sigma": 7.0},
    ]


def test_a_system_without_a_space_is_told() -> None:
    with pytest.raises(InputError, match="spaceless has no search space"):
        space_of(Spaceless(), PDNET.presets()["tiny"]())


def test_the_papers_values_are_of_fields_that_there_are() -> None:
    config = PDNET.presets()["paper"]()
    with pytest.raises(InputError, match=r"the config of pdnet has no field 'loss\.wait'"):
        paper_values(PDNET, config, ["loss.wait"])
    with pytest.raises(InputError, match=r"the paper's training\.loader_workers of pdnet is not"):
        paper_values(PDNET, config, ["training.loader_workers"])
