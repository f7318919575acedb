"""Every system passes the contract: those of the registry by themselves, and the tests' own."""

from dataclasses import replace
from typing import Any, ClassVar

from search_spaces import SPACES
from tests.house.recipes import InPhases, InTurn
from tests.house.toy import Toy
from tests.trainables import runs
from trainables.configs import edited
from trainables.contract import SystemContract
from trainables.registry import SYSTEMS
from trainables.system import System


def small_pdnet(config: Any) -> Any:
    """Two rounds, the second on masks made anew."""
    return replace(runs.small(batch_size=config.training.batch_size), rounds=2)


def small_ahrnet(config: Any) -> Any:
    """Views of 32² and 64² pixels."""
    return replace(config, samples=replace(config.samples, sizes=(32, 64)))


def small_stn_shn(config: Any) -> Any:
    """Views of 32² pixels, and a narrow backbone."""
    narrow = {"localisation.backbone.name": "resnest14d", "localisation.backbone.width": 0.5}
    return edited(config, {"samples.size": 32, "hourglass.features": 16, "hourglass.depth": 2,
                           "localisation.features": 8, **narrow})  # fmt: skip


def small_coseg(config: Any) -> Any:
    """Four pairs an epoch, views of 64² pixels, and narrow networks."""
    return edited(config, {"samples.size": 64, "pairs.draws": 4, "model.encoder.features": 16,
                           "model.encoder.vgg.width": 0.125, "model.encoder.resnet.width": 0.125,
                           "model.squeeze": 16, "model.hidden": 16, "model.memory": 8,
                           "embedder.width": 0.0625})  # fmt: skip


# Where a system's own "tiny" preset takes longer than a test may: what is taken in its place.
SMALL = {
    "ahrnet": small_ahrnet, "coseg": small_coseg, "pdnet": small_pdnet, "stn_shn": small_stn_shn,
}  # fmt: skip


def contract_of(system: System) -> type[SystemContract]:
    """The contract's test class of a system."""

    class Test(SystemContract):
        space: ClassVar[Any] = SPACES.get(system.name)

        def small(self, config: Any) -> Any:
            return SMALL.get(system.name, lambda config: config)(config)

    Test.system = system
    Test.__name__ = Test.__qualname__ = f"Test_{system.name}"
    return Test


for kept in (*SYSTEMS.values(), Toy(), InPhases(), InTurn()):
    globals()[f"Test_{kept.name}"] = contract_of(kept)
