"""A made system that segments nothing: it is judged by an error in pixels, and has no paper."""

import math
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric

from lesions.metrics.merit import ENDPOINTS, Merit
from tests.dashboards.conftest import DATA, child, log_parent

MERIT = Merit(name="long_axis_location_error", better="lower")
TAGS = {
    "lesion.system": "locator", "lesion.merit": MERIT.name, "lesion.better": MERIT.better,
    "lesion.data": DATA, "lesion.truth": "RECIST marks", "lesion.best_trial": "trial_1",
}  # fmt: skip
ERRORS = [7.5, 2.0, None, 31.25, 4.0]  # of five lesions, in the order of their rows; pixels
BEST = [6.0, 3.5, 9.0]  # the least of each trial


def lesion_of(row: int, error: float | None) -> dict[str, Any]:
    """A lesion's record; None is one of which nothing was predicted."""
    errors = {name: None if error is None else error / (n + 1) for n, name in enumerate(ENDPOINTS)}
    return {
        "file": f"{row}.png", "row": row, "patient": str(row), "lesion_type": "lung",
        "truth": "snakes", **errors, "long_axis_mm": 20.0 + row, "short_axis_mm": 10.0 + row,
    }  # fmt: skip


def log_located(client: MlflowClient, experiment_id: str) -> str:
    """A sweep of three trials; its run id."""
    parent = log_parent(client, experiment_id, "noon", TAGS, started=9)
    for number, best in enumerate(BEST):
        run = child(
            client, experiment_id, parent,
            {"lesion.kind": "trial", "lesion.trial_id": f"trial_{number}",
             "lesion.state": "finished"},
            params={"search.learning_rate": str(10 ** (number - 4))}, started=10 + number,
        )  # fmt: skip
        curve = [best + 8 * math.exp(-epoch) for epoch in range(1, 5)] + [best, best + 1]
        client.log_batch(
            run,
            metrics=[Metric(MERIT.validated, x, 1, at) for at, x in enumerate(curve, start=1)]
            + [Metric("train_loss", x / 10, 1, at) for at, x in enumerate(curve, start=1)],
        )
    tags = {"lesion.kind": "reference", "lesion.method": "the middle of the slice"}
    child(client, experiment_id, parent, tags,
          metrics={MERIT.name: 40.0, f"{MERIT.name}_std": 12.5, "test_n": 5})  # fmt: skip
    lesions = [lesion_of(row, error) for row, error in enumerate(ERRORS, start=1)]
    client.log_dict(parent, lesions, "best/lesions.json")
    values = {"test_n": 5.0}
    for name in ENDPOINTS:
        measured = [one[name] for one in lesions if one[name] is not None]
        mean = sum(measured) / len(measured)
        std = math.sqrt(sum((x - mean) ** 2 for x in measured) / len(measured))
        values |= {name: mean, f"{name}_std": std, f"{name}_n": 4.0}
    client.log_batch(parent, metrics=[Metric(name, x, 0, 0) for name, x in values.items()])
    client.set_terminated(parent, end_time=20)
    return parent
