"""The systems by name: a new one of this repository is one line here.

One from elsewhere is named on the command line: by an entry point of its package, or as
`package.module:Class`.
"""

import importlib
import operator
import re
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from lesions import InputError
from lesions.errors import shown
from trainables.ahrnet import AHRNetSystem
from trainables.coseg import CoSegSystem
from trainables.pdnet import PDNetSystem
from trainables.stn_shn import STNSHNSystem
from trainables.system import System
from trainables.tables import PaperTable

OWN: tuple[type[System], ...] = (PDNetSystem, AHRNetSystem, STNSHNSystem, CoSegSystem)
SYSTEMS: dict[str, System] = {kind.name: kind() for kind in OWN}
GROUP = "lesion_platform.systems"  # of entry points
_NAME = re.compile(r"[A-Za-z0-9_]{1,60}")
_WORD = re.compile(r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*):(?P<path>[^\W\d]\w*(\.[^\W\d]\w*)*)")


def find_system(name: str) -> System:
    """The system of that name; InputError with the choices.

    It imports nothing: the name may come from a checkpoint or a plan of somebody else's.
    """
    if name not in SYSTEMS:
        raise InputError(
            f"there is no system {shown(name)!r}",
            remedy=f"choose of {', '.join(SYSTEMS)}; one from elsewhere is named first, as "
            "package.module:Class",
        )
    return SYSTEMS[name]


def named_system(word: str) -> System:
    """The system that a user names, found again by its name from here on.

    Args:
        word: a name, of this repository's or of an installed package's entry point in the group
            "lesion_platform.systems"; or `package.module:Class`, which is imported.

    Raises:
        InputError: there is none, it cannot be imported or is no system, or its name is taken.
    """
    if word in SYSTEMS:
        return SYSTEMS[word]
    if ":" in word:
        return _registered(_imported(word), word)
    for point in entry_points(group=GROUP, name=word):
        system = _registered(_loaded(point), point.value)
        if system.name != word:
            raise InputError(
                f"the entry point {shown(word)!r} names a system that calls itself {system.name!r}",
                remedy=f"say {system.name}, and call the entry point so",
            )
        return system
    raise InputError(
        f"there is no system {shown(word)!r}",
        remedy=f"choose of {', '.join(names())}; or name a class, as package.module:Class",
    )


def names() -> list[str]:
    """What `named_system` takes, without the classes that anybody may have."""
    found = [point.name for point in entry_points(group=GROUP)]
    return list(dict.fromkeys([*SYSTEMS, *sorted(found)]))


def word_of(system: System) -> str:
    """What another process finds the system by: see `named_system`."""
    kind = type(system)
    return system.name if kind in OWN else f"{kind.__module__}:{kind.__qualname__}"


def find_variant(system: System, name: str) -> Callable[[Any], Any]:
    """The system's variant of that name, from config to config; InputError with the choices."""
    if name not in (variants := system.variants()):
        listed = ", ".join(variants)
        raise InputError(
            f"{system.name} has no variant {shown(name)!r}",
            remedy=f"choose of {listed}" if listed else "it has none",
        )
    return variants[name]


def tables() -> dict[str, tuple[System, PaperTable]]:
    """Each paper's tables and their systems, by name: "pdnet-3"."""
    return {
        f"{system.name}-{number}": (system, table)
        for system in SYSTEMS.values()
        for number, table in system.tables().items()
    }


def find_table(name: str) -> tuple[System, PaperTable]:
    """The paper's table "pdnet-3" and its system; InputError with the choices."""
    if name not in (found := tables()):
        raise InputError(
            f"there is no table {shown(name)!r}", remedy=f"choose of {', '.join(found)}"
        )
    return found[name]


def _registered(kind: Any, word: str) -> System:
    """The one instance of a class of systems, made if need be."""
    said = shown(word)
    if not isinstance(kind, type) or not issubclass(kind, System):
        raise InputError(
            f"{said} is no system", remedy="name a class that extends trainables.system.System"
        )
    name = getattr(kind, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(
            f"the system {said} has no name", remedy="give the class `name`: letters, digits and _"
        )
    if name in SYSTEMS:
        if type(SYSTEMS[name]) is not kind:
            raise InputError(
                f"the system {said} calls itself {name!r}, as {word_of(SYSTEMS[name])} does",
                remedy="give the class another `name`",
            )
        return SYSTEMS[name]
    try:
        SYSTEMS[name] = kind()
    except Exception as error:  # whatever somebody's class raises; an abstract one TypeError
        raise InputError(
            f"the system {said} cannot be made: {_line(error)}",
            remedy="it is made without arguments, and has every method that a System must have",
        ) from None
    return SYSTEMS[name]


def _imported(word: str) -> Any:
    match = _WORD.fullmatch(word)
    if match is None:
        raise InputError(f"{shown(word)!r} names no class", remedy="say package.module:Class")
    module, path = match["module"], match["path"]
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise _not_imported(module, error) from None  # it lacks another one
        raise InputError(
            f"there is no module {shown(error.name)!r}",
            remedy="it is looked for in the current folder, on PYTHONPATH and among what is "
            "installed",
        ) from None
    except Exception as error:  # whatever the module raises
        raise _not_imported(module, error) from None
    try:
        return operator.attrgetter(path)(found)
    except AttributeError:
        kinds = [name for name, kind in vars(found).items()
                 if isinstance(kind, type) and issubclass(kind, System)
                 and kind.__module__ == module]  # fmt: skip
        listed = ", ".join(f"{module}:{name}" for name in kinds)
        raise InputError(
            f"the module {shown(module)} has no {shown(path)!r}",
            remedy=f"choose of {listed}" if kinds else "it has no system at all",
        ) from None


def _loaded(point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as error:  # whatever its module raises
        raise _not_imported(point.value, error) from None


def _not_imported(what: str, error: Exception) -> InputError:
    return InputError(
        f"{shown(what)} cannot be imported: {_line(error)}",
        remedy="mend it, or install what it needs",
    )


def _line(error: Exception) -> str:
    return shown(f"{type(error).__name__}: {error}".splitlines()[0])
