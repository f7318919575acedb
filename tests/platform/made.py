"""Systems made for the tests, as a user's own: named as `tests.platform.made:CLASS`."""

from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution

from lesions.metrics.merit import Merit
from trainables.pdnet import PDNetSystem


class Millimetres(PDNetSystem):
    """Judged by an error, of which less is better; without a paper."""

    name = "millimetres"
    title = "Millimetres"
    paper = ""
    merit = Merit(name="long_axis_error", better="lower")

    def space(self, config: Any) -> Mapping[str, BaseDistribution]:
        """A rate that learns, and one that stands still."""
        return {"training.learning_rate": CategoricalDistribution((1e-3, 3e-2, 1e-12))}

    def first(self, config: Any) -> list[dict[str, float]]:
        """After the paper's 0.001."""
        return [{"training.learning_rate": 3e-2}, {"training.learning_rate": 1e-12}]


class Spaceless(PDNetSystem):
    """Has no search space."""

    name = "spaceless"
    title = "Spaceless"


class Taken(PDNetSystem):
    """Calls itself as another does."""


class NoName(PDNetSystem):
    """Has a name that is none."""

    name = "../up"


class Unmade(PDNetSystem):
    """Cannot be made without arguments."""

    name = "unmade"

    def __init__(self, what: str) -> None:
        """Wants a word."""


class NoSystem:
    """Is none."""
