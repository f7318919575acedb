"""The figure of merit that a run of MLflow's says it was judged by."""

import re
from collections.abc import Mapping
from typing import Literal

from dashboards.tables.metrics import metric_of
from lesions.metrics.merit import DICE, Merit

NAME, BETTER = "lesion.merit", "lesion.better"
DIRECTIONS: Mapping[str, Literal["higher", "lower"]] = {"higher": "higher", "lower": "lower"}
_A_METRIC = re.compile(r"[A-Za-z]\w{0,99}", re.ASCII)


def merit_of(tags: Mapping[str, str]) -> Merit:
    """The merit of a run's tags.

    Dice where they name none, as runs of before do, or what is no metric's name; the metric's own
    direction where they tell none.
    """
    name, better = tags.get(NAME, ""), tags.get(BETTER, "")
    if not _A_METRIC.fullmatch(name):
        return DICE
    return Merit(name=name, better=DIRECTIONS.get(better, metric_of(name).better))
