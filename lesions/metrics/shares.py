"""What papers say of single lesions beside a mean over them: the worst, and shares of them."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_WORST = re.compile(r"worst_(?P<metric>.+)")
_SHARE = re.compile(r"fraction_(?P<metric>.+)_(?P<sign>ge|gt)_(?P<level>\d+(\.\d+)?)")
SIGNS = {"ge": "≥", "gt": ">"}


@dataclass(frozen=True, kw_only=True)
class OfLesions:
    """One number of many lesions' values of a metric of which more is better.

    Attributes:
        metric: whose values: "dice".
        sign: of the share of lesions whose value is "≥" or ">" the level; "" of the worst value.
        level: as it is written, "0.80".
    """

    metric: str
    sign: str = ""
    level: str = ""

    def of(self, values: ArrayLike) -> float:
        """The lowest of the values, or the share of them; NaN without any.

        Args:
            values: (N,), one a lesion; a NaN is left out, as in `summary`.
        """
        known = np.asarray(values, dtype=np.float64)
        known = known[~np.isnan(known)]
        if len(known) == 0:
            return float("nan")
        return float(self.reached(known).mean() if self.sign else known.min())

    def reached(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Which of the values a share counts."""
        level = float(self.level)
        found: NDArray[np.bool_] = values >= level if self.sign == SIGNS["ge"] else values > level
        return found


def of_lesions(name: str) -> OfLesions | None:
    """What the name of a paper's figure says: "worst_dice", "fraction_dice_ge_0.80"; or None."""
    if worst := _WORST.fullmatch(name):
        return OfLesions(metric=worst["metric"])
    if share := _SHARE.fullmatch(name):
        return OfLesions(metric=share["metric"], sign=SIGNS[share["sign"]], level=share["level"])
    return None
