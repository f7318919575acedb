"""A Ray cluster of a command's own that nobody else on the network or the machine gets into.

Ray listens on every address of the machine, whatever it is told. So each of its doors wants a
token that only this process and its workers know, and those doors that know no token stay shut:
the dashboard, its agent with the jobs API, and the metrics.
"""

import fcntl
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from lesions import InputError
from platform.running.interrupted import gone_at_the_end

# Sockets' paths must be short; the folder made here has a random name and is closed.
_BASE = "/tmp"  # nosec B108
_PREFIX = "lesion-ray-"
_LOCK = "lock"
_MOST_BYTES = 39  # of a socket's 107: Ray's own folders, their times and its process take the rest
_LEFT_BEHIND_S = 600.0  # one that is being made has no lock yet


def lock_doors() -> None:
    """Let every Ray process that this one starts want a token, a random one of its own."""
    # No metrics: their ports ask for no token; -1 is none, so it is not opened.
    os.environ.update(RAY_enable_metrics_collection="0", AUTOSCALER_METRIC_PORT="-1")
    if "ray" not in sys.modules:  # Ray reads them once
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    if os.environ.get("RAY_AUTH_MODE") != "token":
        raise RuntimeError("Ray was imported before its doors were shut")


@contextmanager
def without_agent() -> Iterator[None]:
    """Start no dashboard agent's HTTP server inside the block: Ray is as if installed without."""
    with patch.dict(sys.modules, {"ray.dashboard.optional_deps": None}):
        yield


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder for Ray's sockets, objects and logs, or Tune's; it goes with the block.

    Ray opens its own folders to everybody, so they lie in one that is the user's alone. What a
    killed command left behind goes with the next command, ten minutes later or more.
    """
    base = Path(os.environ.get("RAY_TMPDIR", _BASE))
    for folder in base.glob(f"{_PREFIX}*"):
        _remove_left_behind(folder)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    with gone_at_the_end(folder), (folder / _LOCK).open("x") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder / "ray"


def check_short(folder: Path) -> None:
    """InputError for a folder of `private_folder` whose path is too long for sockets."""
    if len(os.fsencode(folder.parent)) > _MOST_BYTES:
        raise InputError(
            f"RAY_TMPDIR is {folder.parent.parent}, too long a path for Ray's sockets",
            remedy="name a folder with a short path, or unset it",
        )


def _remove_left_behind(folder: Path) -> None:
    """Remove a folder of ours that nobody uses any more."""
    try:
        found = folder.lstat()
        if found.st_uid != os.geteuid() or time.time() - found.st_mtime < _LEFT_BEHIND_S:
            return
        with (folder / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:  # it is in use, or gone already
        return
