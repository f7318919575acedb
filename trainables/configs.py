"""Configs as flat names and values, the way a search space and MLflow see them."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from lesions.errors import InputError

C = TypeVar("C")


def flatten(config: Any, prefix: str = "") -> dict[str, Any]:
    """Every field by its dotted name: {"loss.weight": 0.01, …}."""
    flat: dict[str, Any] = {}
    for item in fields(config):
        value, name = getattr(config, item.name), f"{prefix}{item.name}"
        if is_dataclass(value):
            flat |= flatten(value, f"{name}.")
        else:
            flat[name] = str(value) if isinstance(value, Path) else value
    return flat


def edited(config: C, values: Mapping[str, Any]) -> C:
    """The config with the fields of these dotted names replaced, all at once.

    Values may come from JSON, which knows neither tuples nor paths.

    Raises:
        InputError: a name that the config does not have, or a value that its field refuses.
    """
    return cast("C", _edited(config, values, ""))


def _edited(config: Any, values: Mapping[str, Any], prefix: str) -> Any:
    changes: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {}
    hints = get_type_hints(type(config))
    for name, value in values.items():
        head, _, rest = name.partition(".")
        if head not in hints or is_dataclass(getattr(config, head)) != bool(rest):
            raise InputError(f"the config has no field {prefix + name!r}")
        if rest:
            inner.setdefault(head, {})[rest] = value
        else:
            changes[head] = typed(hints[head], value, prefix + name)
    for head, rest_of in inner.items():
        changes[head] = _edited(getattr(config, head), rest_of, f"{prefix}{head}.")
    return replace(config, **changes)


def typed(hint: Any, value: Any, name: str) -> Any:
    """A value from JSON as its field has it; InputError for none of the field's choices."""
    if get_origin(hint) is Literal and value not in get_args(hint):
        choices = ", ".join(map(str, get_args(hint)))
        raise InputError(f"{name} is {value!r}", remedy=f"choose of {choices}")
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, str) and Path in get_args(hint):
        return Path(value)
    return value
