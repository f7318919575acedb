"""Configs as flat names and values, the way a search space and MLflow see them."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

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
    """The config with the fields of these dotted names replaced.

    Raises:
        ValueError: a name that the config does not have.
    """
    for name, value in values.items():
        config = _edited(config, name.split("."), value, name)
    return config


def _edited(config: Any, path: list[str], value: Any, name: str) -> Any:
    if not is_dataclass(config) or path[0] not in {item.name for item in fields(config)}:
        raise ValueError(f"the config has no field {name!r}")
    if len(path) > 1:
        value = _edited(getattr(config, path[0]), path[1:], value, name)
    elif isinstance(getattr(config, path[0]), tuple):
        value = tuple(value)  # JSON knows lists only
    return replace(config, **{path[0]: value})  # type: ignore[type-var]
