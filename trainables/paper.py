"""The paper's values of single settings: they are read from its preset, never written twice."""

from collections.abc import Iterable
from typing import Any

from lesions.errors import InputError
from trainables.configs import edited, flatten
from trainables.system import System


def paper_values(system: System, config: Any, names: Iterable[str]) -> dict[str, Any]:
    """What the preset "paper" has in some fields, for the part that a config makes.

    Where the preset leaves a field unset the config itself says what that means, by a property of
    the field's own name: `config.sigma` is that of `samples.sigma`.

    Args:
        system: whose preset it is.
        config: says the part; all else about it is no matter.
        names: fields' dotted names.

    Raises:
        InputError: the config has no such field, or it stays unset.
    """
    part = system.parts.get(system.part(config), {})
    paper = edited(system.presets()["paper"](), part)
    fields = flatten(paper)
    found = {}
    for name in names:
        if name not in fields:
            raise InputError(f"the config of {system.name} has no field {name!r}")
        value = fields[name]
        if value is None:
            value = getattr(paper, name.rpartition(".")[2], None)
        if value is None:
            raise InputError(f"the paper's {name} of {system.name} is not known")
        found[name] = value
    return found
