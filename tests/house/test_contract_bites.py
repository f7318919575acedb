"""The contract sees what is wrong with a system: each of these breaks one clause of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from optuna.distributions import FloatDistribution
from torch import Tensor, nn

from lesions import InputError
from lesions.metrics.merit import Merit
from lesions.prompts import Click, TellBox
from tests.house.toy import Toy, ToyConfig
from trainables import registry
from trainables.contract import SystemContract
from trainables.recipe import Objective, Phase
from trainables.system import Prediction
from trainables.tables import PaperTable


class Nameless(Toy):
    name = "to y"


class OnePreset(Toy):
    def presets(self) -> Any:
        return {"tiny": super().presets()["tiny"]}


@dataclass
class Loose:
    pseudo_mask: str = "ellipse"


class NotFrozen(Toy):
    def presets(self) -> Any:
        return {"paper": Loose, "tiny": Loose}


class StrayVariant(Toy):
    def variants(self) -> Any:
        return {"none": lambda config: None}


class StrayTable(Toy):
    def tables(self) -> Any:
        rows = {"Toy": {"": "thick"}}
        return {"1": PaperTable(number="1", rows=rows, parts={"": {}}, columns={})}


class StrayShare(Toy):
    def tables(self) -> Any:
        return {"1": replace(super().tables()["1"], of_lesions=("worst_recall",))}


class StraySpace(Toy):
    def space(self, config: ToyConfig) -> Any:
        return {"training.rate": FloatDistribution(0, 1)}


class PaperOutside(Toy):
    def space(self, config: ToyConfig) -> Any:
        return {"training.learning_rate": FloatDistribution(0.5, 1)}


class Misheard(Toy):
    def telling(self, configs: Any) -> Any:
        return TellBox()


class Deaf(Toy):
    """Looks at the middle of the slice, whatever it is told."""

    def predict(self, parts: Any, cases: Any, how: Any) -> Iterator[Prediction]:
        middles = (replace(case, prompt=Click(at=(60.0, 48.0))) for case in cases)
        return super().predict(parts, middles, how)


class Knowing(Toy):
    """Remembers what it was asked before."""

    asked = 0

    def predict(self, parts: Any, cases: Any, how: Any) -> Iterator[Prediction]:
        for found in super().predict(parts, cases, how):
            self.asked += 1
            assert found.probability is not None
            yield replace(found, probability=found.probability / np.float32(self.asked))


class Cropped(Toy):
    """Answers in the crop's pixels."""

    def predict(self, parts: Any, cases: Any, how: Any) -> Iterator[Prediction]:
        for found in super().predict(parts, cases, how):
            assert found.mask is not None
            assert found.probability is not None
            yield replace(found, mask=found.mask[:48, :48], probability=found.probability[:48, :48])


class Elsewhere(Toy):
    """Its answer stays where it is when the image moves."""

    def predict(self, parts: Any, cases: Any, how: Any) -> Iterator[Prediction]:
        for found in super().predict(parts, cases, how):
            assert found.probability is not None
            still = np.linspace(0, 1, found.probability.size, dtype=np.float32)
            yield replace(found, probability=still.reshape(found.probability.shape))


class Unmeasured(Toy):
    merit = Merit(name="hausdorff")


class Upward(Toy):
    """Its loss grows as it learns: each call costs more."""

    calls = 0

    def terms(self, *given: Any) -> Mapping[str, Tensor]:
        self.calls += 1
        return {name: term + self.calls for name, term in super().terms(*given).items()}


class Idle(nn.Sequential):
    def __init__(self, network: nn.Module) -> None:
        super().__init__(network)
        self.idle = nn.Parameter(torch.zeros(3))


class Unused(Toy):
    def model(self, config: ToyConfig, *, pretrained: bool = True) -> nn.Module:
        return Idle(super().model(config))


class NeverLearned(Toy):
    def recipe(self, config: ToyConfig) -> Any:
        return [Phase(epochs=3, objectives=(Objective(learns=("2.", "4.")),))]


class Restless(Toy):
    """Its samples depend on how often it was asked: a resumed run draws others."""

    calls = 0

    def sample(self, config: Any, lesion: Any, rng: np.random.Generator) -> Any:
        self.calls += 1
        sample = super().sample(config, lesion, rng)
        return {**sample, "image": sample["image"] + self.calls / 100}


BROKEN: dict[type[Toy], Callable[[SystemContract], None]] = {
    Nameless: SystemContract.test_its_names,
    OnePreset: SystemContract.test_presets_are_configs,
    NotFrozen: SystemContract.test_presets_are_configs,
    StrayVariant: SystemContract.test_variants_make_whole_configs,
    StrayTable: SystemContract.test_tables_name_what_there_is,
    StrayShare: SystemContract.test_tables_name_what_there_is,
    StraySpace: SystemContract.test_its_search_space_names_fields,
    PaperOutside: SystemContract.test_its_search_space_names_fields,
    Misheard: SystemContract.test_it_is_told_by_prompts_of_its_kind,
    Deaf: SystemContract.test_the_prompt_decides_what_is_seen,
    Knowing: SystemContract.test_cases_are_answered_together_as_one_by_one,
    Cropped: SystemContract.test_answers_are_in_the_slices_own_pixels,
    Elsewhere: SystemContract.test_an_answer_moves_with_its_image,
    Unmeasured: SystemContract.test_what_it_reports_is_measured,
    Upward: SystemContract.test_steps_on_one_batch_lower_every_objective,
    Unused: SystemContract.test_every_parameter_learns_in_some_phase,
    NeverLearned: SystemContract.test_every_parameter_learns_in_some_phase,
    Restless: SystemContract.test_a_killed_run_goes_on_to_the_bit,
}


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them call themselves "toy": none is known when the next one is."""
    monkeypatch.setattr(registry, "SYSTEMS", dict(registry.SYSTEMS))


@pytest.mark.parametrize("broken", BROKEN, ids=lambda kind: kind.__name__)
def test_a_broken_system_fails(broken: type[Toy]) -> None:
    contract = SystemContract()
    contract.system = broken()  # type: ignore[misc]
    # Not any error will do: one of the contract's own, or the house's.
    with pytest.raises((AssertionError, InputError, pytest.fail.Exception)):
        BROKEN[broken](contract)


def test_the_toy_itself_does_not() -> None:
    contract = SystemContract()
    contract.system = Toy()  # type: ignore[misc]
    for clause in set(BROKEN.values()):
        clause(contract)
