"""What may vary in each system, and the paper's values: a new one is one line here."""

from types import ModuleType

from search_spaces import pdnet

SPACES: dict[str, ModuleType] = {"pdnet": pdnet}
