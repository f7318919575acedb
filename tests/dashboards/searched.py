"""Made sweeps: as many trials as asked for, whose value follows from what was searched."""

import math
import random
from collections.abc import Sequence
from typing import Any

from dashboards.pages.view import SweepView, Trial
from lesions.metrics.merit import Merit

BEGUN = 1_795_000_000_000.0
DICE, SECONDS = Merit(name="val_dice"), Merit(name="seconds", better="lower")


def trial_of(number: int, value: float | None, state: str = "finished", **fields: Any) -> Trial:
    history = {} if value is None else {"val_dice": [(1, value)], "train_loss": [(1, 0.5)]}
    given = {
        "trial_id": f"t{number}", "searched": {}, "history": history,
        "started": BEGUN + 60_000 * number, "ended": BEGUN + 60_000 * number + 90_000,
    }  # fmt: skip
    return Trial(number=number, state=state, **given | fields)


def sweep_of(trials: Sequence[Trial], **fields: Any) -> SweepView:
    given: dict[str, Any] = {
        "experiment": "pdnet", "run_id": "r", "status": "FINISHED", "started": None, "ended": None,
        "tags": {"sweep": "night", "system": "pdnet"}, "config": {}, "test": {}, "references": [],
        "lesions": [], "overlays": {},
    }  # fmt: skip
    return SweepView(trials=list(trials), **given | fields)


def searched_trials(count: int) -> list[Trial]:
    """The rate decides of Dice, the width of seconds; the name of the optimiser of nothing.

    Every fourth was pruned, every ninth failed.
    """
    chance, trials = random.Random(0), []
    for number in range(count):
        rate, width = 10 ** chance.uniform(-5, -1), chance.choice([8, 16, 32])
        dice = 0.8 - 0.1 * abs(math.log10(rate) + 3)
        state = "failed" if number % 9 == 8 else "pruned" if number % 4 == 3 else "finished"
        searched = {"loop.rate": str(rate), "model.width": str(width),
                    "optimiser": chance.choice(["sgd", "adam"])}  # fmt: skip
        values = {"val_dice": dice, "seconds": width / 100 + chance.random() / 50}
        value = None if state == "failed" else dice
        trials.append(trial_of(
            number, value, state, searched=searched, values=values if value else {},
            reason="no memory" if state == "failed" else "", busy_s=90.0,
            resources={"CPU": 2.0, "GPU": 0.5},
        ))  # fmt: skip
    return trials
