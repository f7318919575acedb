"""What the tags of a sweep and of its trials tell: objectives, what a trial held, its number."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

from dashboards.recorded.numbers import number_of
from lesions.errors import InputError
from lesions.metrics.merit import Merit
from lesions.readers.bounded import parse_json

OBJECTIVES, RESOURCES, BUSY = "lesion.objectives", "lesion.resources", "lesion.busy_s"
REASON, VALUES, BREAKS = "lesion.reason", "lesion.values", "lesion.breaks"
MOST_OBJECTIVES = 8
_DIRECTIONS: Mapping[Any, Literal["higher", "lower"]] = {
    "max": "higher", "maximize": "higher", "higher": "higher",
    "min": "lower", "minimize": "lower", "lower": "lower",
}  # fmt: skip
_NUMBERED = re.compile(r"trial (\d{1,9})", re.ASCII)


def objectives_of(text: str) -> list[Merit]:
    """What a sweep searched for, of a JSON list of [metric, direction]; none where it is none."""
    with suppress(InputError, TypeError, ValueError):
        pairs = [(name, _DIRECTIONS[better]) for name, better in parse_json(text, list, OBJECTIVES)
                 if isinstance(name, str) and better in _DIRECTIONS]  # fmt: skip
        return [Merit(name=name, better=better) for name, better in pairs[:MOST_OBJECTIVES]]
    return []


def resources_of(text: str) -> dict[str, float]:
    """What a trial held, all of its workers, of a JSON object: {"CPU": 2, "GPU": 0.5}."""
    return {kind: x for kind, x in _numbers(text, RESOURCES).items() if x >= 0}


def values_of(text: str) -> dict[str, float]:
    """A trial's values of the objectives, of a JSON object: {"val_dice": 0.7}.

    They are of the epoch whose model is kept; the run's metrics are the last epoch's.
    """
    return _numbers(text, VALUES)


def _numbers(text: str, tag: str) -> dict[str, float]:
    with suppress(InputError):
        found = {name: number_of(value) for name, value in parse_json(text, dict, tag).items()}
        return {name: x for name, x in found.items() if x is not None}
    return {}


def numbers_of(names: Sequence[str | None]) -> list[int]:
    """Each trial's number, of runs in the order of starting.

    That of its name ("trial 7") where all have one of their own; else its place.
    """
    told = [_NUMBERED.fullmatch(name or "") for name in names]
    numbers = [int(one[1]) for one in told if one]
    return numbers if len(set(numbers)) == len(names) else list(range(len(names)))
