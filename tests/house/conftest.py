"""Recipes trained once for all tests of them."""

import pytest

from tests.house.recipes import RECIPES, InPhases, InTurn
from tests.house.whole import Whole


@pytest.fixture(scope="session")
def phases(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return Whole(InPhases(), tmp_path_factory.mktemp("phases"))


@pytest.fixture(scope="session")
def turns(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return Whole(InTurn(), tmp_path_factory.mktemp("turns"))


@pytest.fixture(params=RECIPES)
def whole(request: pytest.FixtureRequest, phases: Whole, turns: Whole) -> tuple[str, Whole]:
    return request.param, {"in_phases": phases, "in_turn": turns}[request.param]
