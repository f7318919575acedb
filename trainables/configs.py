"""Configs as flat names and values, the way a search space and MLflow see them."""

import json
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from types import NoneType
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    TypeVar,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from lesions.errors import InputError, shown

if TYPE_CHECKING:
    from pydantic import TypeAdapter

C = TypeVar("C")
_WORDS = {
    int: "a whole number", float: "a finite number", bool: "true or false", str: "a text",
    Path: "a path", NoneType: "nothing", dict: "an object",
}  # fmt: skip


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
        InputError: a name that the config does not have, a value of another type than its field's,
            or one that the field refuses.
    """
    return cast("C", _edited(config, values, ""))


def _edited(config: Any, values: Mapping[str, Any], prefix: str) -> Any:
    changes: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {}
    hints = get_type_hints(type(config))
    for name, value in values.items():
        head, _, rest = name.partition(".")
        if head not in hints or is_dataclass(getattr(config, head)) != bool(rest):
            raise InputError(f"the config has no field {shown(prefix + name)!r}")
        if rest:
            inner.setdefault(head, {})[rest] = value
        else:
            changes[head] = typed(hints[head], value, prefix + name)
    for head, rest_of in inner.items():
        changes[head] = _edited(getattr(config, head), rest_of, f"{prefix}{head}.")
    return replace(config, **changes)


def typed(hint: Any, value: Any, name: str) -> Any:
    """A value from JSON as its field has it: tuples and paths are made, nothing else is changed.

    Raises:
        InputError: it is of another type than the field's hint, or none of its choices.
    """
    try:
        # 1.0 and true equal a choice of 1; no text or path has a NUL.
        if (get_origin(hint) is Literal and isinstance(value, bool | float)) or (
            isinstance(value, str) and "\0" in value
        ):
            raise ValueError(value)
        return _adapter(hint).validate_json(json.dumps(value))
    except (TypeError, ValueError, RecursionError):
        found = f"{name} is {shown(reprlib.repr(value))}"
    if get_origin(hint) is Literal:
        raise InputError(found, remedy=f"choose of {', '.join(map(str, get_args(hint)))}")
    raise InputError(f"{found}; it must be {_words(hint)}")


@cache
def _adapter(hint: Any) -> "TypeAdapter[Any]":
    from pydantic import ConfigDict, TypeAdapter  # training itself does without

    return TypeAdapter(hint, config=ConfigDict(strict=True, allow_inf_nan=False))


def _words(hint: Any) -> str:
    """A type for people: "a path or nothing", "a list of 2: a finite number, a finite number"."""
    parts = get_args(hint)
    if words := _WORDS.get(get_origin(hint) or hint):
        return words
    if get_origin(hint) is tuple and Ellipsis in parts:
        return f"a list of which each is {_words(parts[0])}"
    if get_origin(hint) is tuple:
        return f"a list of {len(parts)}: {', '.join(map(_words, parts))}"
    return " or ".join(map(_words, parts)) or str(hint)


def check_range(name: str, value: float | None, least: float, most: float) -> None:
    """InputError unless a setting lies in least…most, or is not set."""
    if value is None or least <= value <= most:
        return
    bound = f"at most {most:,}" if value > most else f"at least {least:,}"
    raise InputError(f"{name} is {shown(str(value))}; it must be {bound}")


def check_sizes(sizes: Sequence[int], least: int, most: int, multiple: int) -> None:
    """InputError unless each side of a view is a multiple within these, in pixels."""
    for size in sizes:
        check_range("a size", size, least, most)
        if size % multiple:
            raise InputError(f"a size is {size}; it must be a multiple of {multiple}")


def check_sides(sides: tuple[float, float], most: float) -> None:
    """InputError unless these can be the least and the largest side of a view, in boxes."""
    low, high = sides
    if not 1 <= low <= high <= most:
        raise InputError(f"a view's side is {low:g} to {high:g} boxes; it must be 1 to {most:g}")


@contextmanager
def blaming(file: Path) -> Iterator[None]:
    """Name the file that an InputError inside is about."""
    try:
        yield
    except InputError as error:
        raise InputError(error.reason, file=file, remedy=error.remedy) from None
