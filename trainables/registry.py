"""The systems by name: a new one is one line here."""

from lesions import InputError
from trainables.pdnet import PDNetSystem
from trainables.system import System

SYSTEMS: dict[str, System] = {system.name: system for system in (PDNetSystem(),)}


def find_system(name: str) -> System:
    """The system of that name; InputError with the choices."""
    if name not in SYSTEMS:
        raise InputError(f"there is no system {name!r}", remedy=f"choose of {', '.join(SYSTEMS)}")
    return SYSTEMS[name]
