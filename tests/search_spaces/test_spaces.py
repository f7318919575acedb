"""Every space holds its paper's values and names fields that the system's config has."""

import pytest

from search_spaces import SPACES
from search_spaces.pdnet import PAPER_SIGMA
from trainables.configs import edited, flatten
from trainables.pdnet import config as pdnet
from trainables.registry import SYSTEMS


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_papers_values_lie_inside_and_are_the_papers(name: str) -> None:
    config = SYSTEMS[name].presets()["paper"]()
    space, paper = SPACES[name].space(config), SPACES[name].paper(config)
    assert space.keys() == paper.keys() <= flatten(config).keys()
    assert all(space[key]._contains(value) for key, value in paper.items())
    searched = flatten(edited(config, paper))
    unset = {key for key, value in flatten(config).items() if value is None}
    assert {k: v for k, v in searched.items() if k not in unset} == {
        k: v for k, v in flatten(config).items() if k not in unset
    }


def test_sigma_is_that_of_the_stage() -> None:
    assert PAPER_SIGMA == pdnet.PAPER_SIGMA
    stage1 = edited(pdnet.paper(), {"stage": 1})
    assert SPACES["pdnet"].paper(stage1)["samples.sigma"] == 3
    assert SPACES["pdnet"].space(stage1)["samples.sigma"].high == 8
