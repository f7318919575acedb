"""Figures of merit: what a system reports, and the one that chooses its best epoch."""

import math
from dataclasses import dataclass
from typing import Literal

SEGMENTATION = ("precision", "recall", "dice", "vs")
DIAMETERS = ("long_axis_error", "short_axis_error")
ENDPOINTS = (
    "long_axis_location_error", "long_axis_length_error",
    "short_axis_location_error", "short_axis_length_error",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Merit:
    """A figure with its direction.

    Attributes:
        name: of a metric that is reported: "dice".
        better: which way it gets better.
    """

    name: str
    better: Literal["higher", "lower"] = "higher"

    @property
    def mode(self) -> Literal["max", "min"]:
        """The direction as searchers call it."""
        return "max" if self.better == "higher" else "min"

    @property
    def validated(self) -> str:
        """The metric's name in a run's curves, over the validation lesions."""
        return f"val_{self.name}"

    @property
    def ends(self) -> tuple[str, str]:
        """The names of its 95 % interval's ends there, over the validation patients."""
        return f"{self.validated}_low", f"{self.validated}_high"

    @property
    def best(self) -> str:
        """The name of the best value so far."""
        return f"best_val_{self.name}"

    @property
    def worst(self) -> float:
        """What stands where there is no value yet; a number, as searchers want one."""
        return -1.0 if self.better == "higher" else 1e9

    def beats(self, one: float, other: float) -> bool:
        """Whether `one` is better than `other`; NaN beats nothing."""
        return one > other if self.better == "higher" else one < other

    def rank(self, value: float | None) -> float:
        """What sorts the best first; None and NaN are last."""
        if value is None or math.isnan(value):
            return math.inf
        return -value if self.better == "higher" else value


DICE = Merit(name="dice")
