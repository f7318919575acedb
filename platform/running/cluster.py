"""The Ray cluster: joined where there is one, started here where there is none."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from signal import SIGHUP
from typing import Any
from unittest.mock import patch

from lesions import InputError
from lesions.files import READABLE_BY
from platform.running.addresses import named_address, reachable
from platform.running.doors import check_short, lock_doors, private_folder, without_agent
from platform.running.interrupted import SIGNALS, held_back, stopping_in_order
from platform.running.storage import ROOT


@contextmanager
def cluster() -> Iterator[dict[str, float]]:
    """Join the cluster that RAY_ADDRESS names, or start one; its resources, as {"CPU": 2.0}.

    Without RAY_ADDRESS it is always a cluster of our own, see `platform.running.doors`: ray.init()
    alone would join any that runs on this machine, another sweep's too, and end with it. A Ray job
    has RAY_ADDRESS set. Workers get the repository's root on their path: they import `lesions` and
    `trainables`.

    Raises:
        InputError: the cluster that RAY_ADDRESS names does not answer, or does not let us in.
    """
    _set_defaults()
    address = named_address()
    if address is None:
        lock_doors()
    import ray

    if ray.is_initialized():
        yield ray.cluster_resources()
        return
    with ExitStack() as stack:
        if address is None:
            folder = stack.enter_context(private_folder())
            stack.callback(ray.shutdown)  # of a start that was interrupted, too
            check_short(folder)
            scratch = folder.parent / "tmp"
            scratch.mkdir()
            with without_agent():  # and what a killed worker leaves goes with the cluster
                _init("local", {"TMPDIR": str(scratch)}, include_dashboard=False,
                      _temp_dir=str(folder))  # fmt: skip
        else:
            found = reachable(address)
            stack.callback(ray.shutdown)
            _join(found)
        yield ray.cluster_resources()


def _join(address: str) -> None:
    try:
        _init(address, {})
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"the Ray cluster at {address} cannot be joined: "
            f"{str(error).strip().partition(chr(10))[0]}",
            remedy="its Python and Ray must be of the same versions as here, and its token known",
        ) from None


def _init(address: str, env: Mapping[str, str], **options: Any) -> None:
    import ray

    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    readers = {READABLE_BY: os.environ[READABLE_BY]} if READABLE_BY in os.environ else {}
    umask = os.umask(0o077)  # to ask for it is to set it
    os.umask(umask)
    # A start that is cut off would leave processes that nobody knows: it is ended when it is whole.
    with stopping_in_order(), _keeping_our_signals():
        ray.init(
            address=address,
            runtime_env={
                "env_vars": {"PYTHONPATH": path, **readers, **env},
                # Ray's workers have the cluster's umask: what Ray writes there is for ours too.
                "worker_process_setup_hook": lambda: os.umask(umask),
            },
            logging_level=logging.WARNING,
            log_to_driver=False,
            **options,
        )


@contextmanager
def _keeping_our_signals() -> Iterator[None]:
    """Where it connects, Ray sets a handler in C that answers SIGTERM with a backtrace.

    Its processes hear no SIGHUP: they would end before this one could end them in order.
    """
    import ray

    connect = ray._private.worker.connect

    def connect_in_quiet(*words: Any, **options: Any) -> Any:
        with held_back(*SIGNALS):
            return connect(*words, **options)

    with held_back(SIGHUP), patch.object(ray._private.worker, "connect", connect_in_quiet):
        yield


def _set_defaults() -> None:
    """What Ray reads from the environment; a user's own settings stay."""
    # Tune's newer output prints boxes and hints even when told to be silent.
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    # Else each short epoch's report waits about a second.
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")


def has_gpu() -> bool:
    """Whether the cluster that a command would use has a GPU; starts nothing on its own.

    A cluster that is already running is asked; otherwise this machine is looked at.
    """
    import torch

    if torch.cuda.is_available():
        return True
    if named_address() is None:
        return False
    with cluster() as resources:
        return resources.get("GPU", 0) > 0
