"""What may vary in each system: a new one is one line here.

A module has `space(config)`: Optuna's distributions by the dotted names of a config's fields. It
may have `first(config)`: a list of trials that are to come early, each some of these fields with
their values; what one leaves out has the paper's. The paper's own trial is the first of all.
"""

from importlib import import_module
from types import ModuleType

NAMES = ("ahrnet", "coseg", "pdnet", "stn_shn")
SPACES: dict[str, ModuleType] = {name: import_module(f"search_spaces.{name}") for name in NAMES}
