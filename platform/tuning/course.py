"""What one driver of a sweep has under way."""

from dataclasses import dataclass, field
from typing import Any

from platform.tuning.trials import Trial, Trials


@dataclass
class Course:
    """What one driver has under way.

    Attributes:
        trials: the sweep's.
        concurrent: how many at a time; it may be changed.
        running: by Tune's names for them.
        ending: whether no further trial is begun.
    """

    trials: Trials
    concurrent: int
    running: dict[str, Trial] = field(default_factory=dict)
    ending: bool = False

    def __getstate__(self) -> dict[str, Any]:
        """Tune copies what it is given to disk; the study does not travel."""
        return {}
