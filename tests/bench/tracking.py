"""MLflow: an epoch's metrics at once, or one by one."""

import tempfile

from platform.tracking.runs import log_metrics
from platform.tracking.store import Store
from tests.bench.timing import seconds, show


def mlflow() -> None:
    """An epoch's 20 metrics in one call against a call each, on SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(uri=f"sqlite:///{folder}/mlflow.db", experiment="bench", experiment_id="0")
        client = store.client
        run_id = client.create_run("0").info.run_id
        metrics = {f"metric_{i}": float(i) for i in range(20)}

        def each() -> None:
            for name, value in metrics.items():
                client.log_metric(run_id, name, value)

        show("MLflow, 20 metrics in a batch", seconds(lambda: log_metrics(store, run_id, metrics)),
             "log_metric each", seconds(each))  # fmt: skip
