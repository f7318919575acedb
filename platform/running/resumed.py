"""A run that is gone on with is the one that was planned: what else is asked of it is told.

What changes no result may be changed and is said; what would change one is refused with the plan's
value. Options that the user did not write are not asked.
"""

import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from dashboards.tables.terminal import say
from lesions import InputError
from trainables.configs import flatten

CONFIG = "config."


def said_options(words: Sequence[str] | None = None) -> set[str]:
    """The options that were written on the command line, as fields' names.

    >>> sorted(said_options(["pdnet", "--no-pictures", "--config.training.batch-size=4"]))
    ['config.training.batch_size', 'pictures']
    """
    found = set()
    for word in sys.argv[1:] if words is None else words:
        if word.startswith("--") and len(word) > 2:
            path = word[2:].partition("=")[0].replace("-", "_").split(".")
            path[-1] = path[-1].removeprefix("no_")
            found.add(".".join(path))
    return found


def agreed(
    plan: Mapping[str, Any], options: Any, may_change: Collection[str], *, config: Any,
    data: Path, preset: str, asked_preset: str, said: Collection[str], name: str,
) -> dict[str, Any]:  # fmt: skip
    """The plan's own values, with those that the user wants changed and may.

    Args:
        plan: own fields of the kind of run, as they were written.
        options: as the command line says, or as they are by themselves.
        may_change: the fields that change no result.
        config, data, preset: the plan's others.
        asked_preset: the preset that this command would take.
        said: the options that the user wrote.
        name: the run's.

    Raises:
        InputError: an option contradicts the plan.
    """
    found = dict(plan)
    for field in sorted(plan.keys() & set(said)):
        wanted = getattr(options, field)
        if wanted == plan[field]:
            continue
        if field not in may_change:
            raise _differs(name, _option(field), plan[field], wanted)
        say(f"{_option(field)} {_word(wanted)} in place of {_word(plan[field])}, which was planned")
        found[field] = wanted
    _check_config(name, config, options, said)
    if "data" in said and options.data is not None and not _same(options.data, data):
        raise _differs(name, "--data", data, options.data)
    if "preset" in said and asked_preset != preset:
        raise _differs(name, "--preset", preset, asked_preset)
    return found


def _check_config(name: str, config: Any, options: Any, said: Collection[str]) -> None:
    planned, asked = flatten(config), flatten(options.config)
    fields = [one.removeprefix(CONFIG) for one in said if one.startswith(CONFIG)]
    if "variant" in said:  # it is a config of its own
        fields = list(asked)
    for field in sorted(fields):
        if field in planned and planned[field] != asked.get(field):
            raise _differs(name, _option(CONFIG + field), planned[field], asked.get(field))


def _differs(name: str, option: str, planned: Any, asked: Any) -> InputError:
    return InputError(
        f"{option} of {name} is {_word(planned)} as it was planned, not {_word(asked)}",
        remedy="leave it out to go on, or start another run",
    )


def _option(field: str) -> str:
    return f"--{field.replace('_', '-')}"


def _word(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _same(one: Path, other: Path) -> bool:
    return one.expanduser().resolve() == other.resolve()
