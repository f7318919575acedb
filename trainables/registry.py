"""The systems by name: a new one is one line here."""

from collections.abc import Callable
from typing import Any

from lesions import InputError
from lesions.errors import shown
from trainables.pdnet import PDNetSystem
from trainables.system import System
from trainables.tables import PaperTable

SYSTEMS: dict[str, System] = {system.name: system for system in (PDNetSystem(),)}
TABLES: dict[str, tuple[System, PaperTable]] = {
    f"{system.name}-{number}": (system, table)
    for system in SYSTEMS.values()
    for number, table in system.tables().items()
}


def find_system(name: str) -> System:
    """The system of that name; InputError with the choices."""
    if name not in SYSTEMS:
        raise InputError(
            f"there is no system {shown(name)!r}", remedy=f"choose of {', '.join(SYSTEMS)}"
        )
    return SYSTEMS[name]


def named_system(word: str) -> System:
    """The system that a command line names."""
    return find_system(word)


def word_of(system: System) -> str:
    """The word that names a system to a worker."""
    return system.name


def find_variant(system: System, name: str) -> Callable[[Any], Any]:
    """The system's variant of that name, from config to config; InputError with the choices."""
    if name not in (variants := system.variants()):
        raise InputError(
            f"{system.name} has no variant {shown(name)!r}",
            remedy=f"choose of {', '.join(variants)}",
        )
    return variants[name]


def find_table(name: str) -> tuple[System, PaperTable]:
    """The paper's table "pdnet-3" and its system; InputError with the choices."""
    if name not in TABLES:
        raise InputError(
            f"there is no table {shown(name)!r}", remedy=f"choose of {', '.join(TABLES)}"
        )
    return TABLES[name]
