"""`make bench`: each figure is a ratio of two things measured in turn in this run.

python -m tests.bench            # all
python -m tests.bench recist     # one
"""

import sys
import tempfile
from collections.abc import Callable

import numpy as np

from tests.bench.metrics import recist, segmentation
from tests.bench.pdnet import click, training
from tests.bench.prepare import masks, prepare, prepare_memory
from tests.bench.timing import seconds, show


def snakes() -> None:
    """Chan-Vese on a 128² crop, 20 iterations: the same mask, pixel for pixel."""
    from skimage.segmentation import morphological_chan_vese

    from lesions.masks.snakes import chan_vese

    rng = np.random.default_rng(0)
    y, x = np.mgrid[:128, :128]
    start = (x - 64) ** 2 + (y - 60) ** 2 < 30**2
    image = rng.normal(0, 0.3, (128, 128)) + ((x - 70) ** 2 + (y - 64) ** 2 < 34**2)
    for smoothing in (1, 2):
        options = {"smoothing": smoothing, "lambda1": 1, "lambda2": 1}
        ours = chan_vese(image, start, iterations=20, smoothing=smoothing)
        theirs = morphological_chan_vese(image, 20, init_level_set=start, **options)
        assert np.array_equal(ours == 1, theirs == 1)
        show(
            f"Chan-Vese snake, smoothing {smoothing}",
            seconds(lambda s=smoothing: chan_vese(image, start, iterations=20, smoothing=s)),
            "scikit-image",
            seconds(
                lambda o=options: morphological_chan_vese(image, 20, init_level_set=start, **o)
            ),
        )


def mlflow() -> None:
    """An epoch's 20 metrics in one call against a call each, on SQLite."""
    from platform.tracking.runs import log_metrics
    from platform.tracking.store import Store

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


BENCHES: dict[str, Callable[[], None]] = {
    "snakes": snakes, "recist": recist, "segmentation": segmentation, "masks": masks,
    "prepare": prepare, "prepare_memory": prepare_memory, "mlflow": mlflow,
    "training": training, "click": click,
}  # fmt: skip

if __name__ == "__main__":
    for name in sys.argv[1:] or BENCHES:
        BENCHES[name]()
