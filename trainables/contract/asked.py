"""Of whom the contract asks, and with which small lesions."""

from collections.abc import Iterator
from typing import Any, ClassVar

import torch

from lesions import Lesion
from trainables.configs import edited
from trainables.contract.made import made_lesions
from trainables.parts import Parts
from trainables.system import How, System, Trained

CPU = torch.device("cpu")


class Asked:
    """What a subclass of the contract says.

    Attributes:
        system: the one that is tested.
        space: its search space, a module of `search_spaces`; None = the system's own, if any.
    """

    system: ClassVar[System]
    space: ClassVar[Any] = None

    def small(self, config: Any) -> Any:
        """A config that trains in seconds on one core, made from the "tiny" preset's."""
        return config

    def lesions(self, count: int) -> list[Lesion]:
        """What it learns from and is tested on: each with the masks that it wants."""
        masks = {"human", *(config.pseudo_mask for config in self.configs())}
        return made_lesions(count, sorted(masks))

    def configs(self) -> list[Any]:
        """A small one of each part, in order."""
        config = self.small(self.system.presets()["tiny"]())
        parts = self.system.parts.values()
        return [edited(config, fields) for fields in parts] if parts else [config]

    def untrained(self) -> Parts:
        """All parts, their weights fixed by a seed."""
        torch.manual_seed(0)
        trained = tuple(
            Trained(config=config, model=self.system.model(config, pretrained=False).eval())
            for config in self.configs()
        )
        return Parts(system=self.system, trained=trained, how=How(device=CPU))

    def answering(self) -> Iterator[Parts]:
        """All parts together, and each alone where there are several."""
        together = self.untrained()
        yield together
        if len(together.trained) > 1:
            yield from map(together.alone, range(len(together.trained)))
