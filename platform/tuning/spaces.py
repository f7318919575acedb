"""What a sweep searches, and which trials come first."""

from typing import Any

from lesions import InputError
from search_spaces import SPACES
from trainables.paper import paper_values
from trainables.system import Searches, System


def space_of(system: System, config: Any) -> dict[str, Any]:
    """Optuna's distributions by field; InputError for a system that has no search space."""
    return dict(_source(system).space(config))


def first_trials(system: System, config: Any) -> list[dict[str, Any]]:
    """The paper's values, then what the space says is to come early."""
    paper = paper_values(system, config, space_of(system, config))
    first = getattr(_source(system), "first", None)
    return [paper, *(paper | dict(trial) for trial in (first(config) if first else ()))]


def _source(system: System) -> Searches:
    """This repository's spaces are modules of `search_spaces`; others are their system's own."""
    source: Any = SPACES.get(system.name, system)
    if not isinstance(source, Searches):
        raise InputError(
            f"{system.name} has no search space",
            remedy="give its class the method `space`, see trainables.system.Searches",
        )
    return source
