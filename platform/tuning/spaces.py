"""What a sweep searches, and which trials come first."""

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from lesions import InputError
from search_spaces import SPACES
from trainables.configs import edited, flatten
from trainables.paper import paper_values
from trainables.roles import Searches
from trainables.system import System

FORMS = ("log:LOW:HIGH, uniform:LOW:HIGH, int:LOW:HIGH, intlog:LOW:HIGH, choice:A,B,C, "
         "or fixed, which is not searched")  # fmt: skip


def space_of(system: System, config: Any, said: Sequence[str] = ()) -> dict[str, BaseDistribution]:
    """Optuna's distributions by field.

    Args:
        system: has a search space, unless `said` is one.
        config: what every trial starts from.
        said: the words of `--space`, FIELD=FORM; they stand beside the system's own, or in their
            place.

    Raises:
        InputError: a system without a space, or a word that is none, or of a field that is not
            there or cannot have such values; or nothing is left to be searched.
    """
    own = {} if said and not _has_space(system) else dict(_source(system).space(config))
    for word in said:
        name, _, form = word.partition("=")
        if name not in flatten(config):
            raise InputError(f"--space {word!r}: the config of {system.name} has no field {name!r}")
        own.pop(name, None)
        if form != "fixed":
            own[name] = _distribution(word, form, flatten(config)[name])
            for value in _ends(own[name]):
                _check(config, name, value, word)
    if not own:
        raise InputError("nothing is left to be searched", remedy="say less of it fixed")
    return own


def first_trials(
    system: System, config: Any, space: Mapping[str, BaseDistribution] | None = None
) -> list[dict[str, Any]]:
    """The paper's values, then what the system's space says is to come early.

    Fields whose value the paper does not tell have the config's own.
    """
    space = space_of(system, config) if space is None else space
    own = _source(system).space(config).keys() if _has_space(system) else set()
    paper = paper_values(system, config, [name for name in space if name in own])
    fields = flatten(config)
    paper = {name: paper.get(name, fields[name]) for name in space}
    first = getattr(_source(system), "first", None) if _has_space(system) else None
    early = first(config) if first else ()
    return [
        paper,
        *(paper | {name: x for name, x in trial.items() if name in space} for trial in early),
    ]


def _has_space(system: System) -> bool:
    return isinstance(SPACES.get(system.name, system), Searches)


def _source(system: System) -> Searches:
    """This repository's spaces are modules of `search_spaces`; others are their system's own."""
    source: Any = SPACES.get(system.name, system)
    if not isinstance(source, Searches):
        raise InputError(
            f"{system.name} has no search space",
            remedy="give its class the method `space`, see trainables.system.Searches; or say "
            "--space FIELD=log:LOW:HIGH …",
        )  # fmt: skip
    return source


def _distribution(word: str, form: str, default: Any) -> BaseDistribution:
    kind, _, rest = form.partition(":")
    try:
        if kind == "choice" and rest:
            return CategoricalDistribution([_value(one, default) for one in rest.split(",")])
        if kind in ("int", "intlog"):
            low, high = map(int, rest.split(":"))
            return IntDistribution(low, high, log=kind == "intlog")
        if kind in ("log", "uniform"):
            least, most = map(float, rest.split(":"))
            return FloatDistribution(least, most, log=kind == "log")
    except ValueError as error:
        raise InputError(f"--space {word!r}: {error}", remedy=f"write {FORMS}") from None
    raise InputError(f"--space {word!r} has no form that is known", remedy=f"write {FORMS}")


def _value(text: str, default: Any) -> Any:
    """A choice as its field has it: a word, a number, or yes and no."""
    if isinstance(default, bool):
        if text.lower() not in ("true", "false"):
            raise ValueError(f"{text!r} is not true or false")
        return text.lower() == "true"
    if isinstance(default, str):
        return text
    number = float(text)
    return int(number) if number.is_integer() and not isinstance(default, float) else number


def _ends(one: BaseDistribution) -> Sequence[Any]:
    if isinstance(one, CategoricalDistribution):
        return list(one.choices)
    assert isinstance(one, FloatDistribution | IntDistribution)
    return (one.low, one.high)


def _check(config: Any, name: str, value: Any, word: str) -> None:
    try:
        edited(config, {name: value})
    except InputError as error:
        raise InputError(f"--space {word!r}: {error.reason}", remedy=error.remedy) from None
