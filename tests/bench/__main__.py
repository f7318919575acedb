"""`make bench`: each figure is a ratio of two things measured in turn in this run.

python -m tests.bench            # all
python -m tests.bench recist     # one
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.bench.metrics import recist, segmentation
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


def prepare() -> None:
    """The sample four times over: Ray Data on all cores against one plain loop, start-up out."""
    import os
    from dataclasses import replace

    os.environ.setdefault("RAY_ADDRESS", "local")
    from lesions.prepared.preparing import Plan, parts_of, prepare_part
    from lesions.readers.deeplesion import read_table
    from lesions.sample import ROOT
    from platform.cluster import cluster
    from platform.prepare import run_parts

    rows = [replace(row, nth=1) for row in read_table(ROOT)] * 4
    parts = parts_of(rows)
    with tempfile.TemporaryDirectory() as folder, cluster():
        warm = Plan(source=ROOT, out=Path(folder) / "warm")
        list(run_parts(parts[:4], warm))
        started = time.perf_counter()
        list(run_parts(parts, replace(warm, out=Path(folder) / "ray")))
        ours = time.perf_counter() - started
        started = time.perf_counter()
        for number, part in enumerate(parts):
            prepare_part({"part": number, "rows": part}, replace(warm, out=Path(folder) / "loop"))
        theirs = time.perf_counter() - started
    show(f"prepare, {len(rows)} lesions (a lesion)", ours / len(rows),
         "one plain loop (a lesion)", theirs / len(rows))  # fmt: skip


def mlflow() -> None:
    """An epoch's 20 metrics in one call against a call each, on SQLite."""
    from platform.tracking import Store, log_metrics

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
    "snakes": snakes, "recist": recist, "segmentation": segmentation, "prepare": prepare,
    "mlflow": mlflow,
}  # fmt: skip

if __name__ == "__main__":
    for name in sys.argv[1:] or BENCHES:
        BENCHES[name]()
