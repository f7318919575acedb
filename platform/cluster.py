"""The Ray cluster: joined where there is one, started here where there is none."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from platform.storage import ROOT


@contextmanager
def cluster() -> Iterator[dict[str, float]]:
    """Join or start Ray; its resources, such as {"CPU": 2.0, "GPU": 1.0}.

    Workers get the repository's root on their path: they import `lesions` and `trainables`.
    """
    # Else every kill -9 within 10 s of a trial's end would lose that trial.
    os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "1")
    # Else each short epoch's report waits about a second.
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")
    if "RAY_ADDRESS" not in os.environ:
        # A local cluster's tokens would switch authentication on for later `ray start`s.
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    import ray

    ours = not ray.is_initialized()
    if ours:
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        ray.init(
            runtime_env={"env_vars": {"PYTHONPATH": path}},
            logging_level=logging.WARNING,
            log_to_driver=False,
        )
    try:
        yield ray.cluster_resources()
    finally:
        if ours:
            ray.shutdown()


def has_gpu() -> bool:
    """Whether the cluster that a command would use has a GPU; starts nothing on its own.

    A cluster that is already running is asked; otherwise this machine is looked at.
    """
    import torch

    if torch.cuda.is_available():
        return True
    if "RAY_ADDRESS" not in os.environ:
        return False
    with cluster() as resources:
        return resources.get("GPU", 0) > 0
