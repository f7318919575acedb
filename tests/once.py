"""What one `make test` makes once: the first of its processes that wants it, for all."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

SHARED = "TESTS_SHARED"  # a folder that `make test` makes and takes away


def once(name: str, make: Callable[[Path], object], alone: Path) -> Path:
    """The folder that `make` has filled, in this process or another; nothing may change it.

    Args:
        name: of what is made.
        make: fills an empty folder.
        alone: where it is made for this process, which no `make test` has started.
    """
    if not (shared := os.environ.get(SHARED)):
        (alone / name).mkdir()
        make(alone / name)
        return alone / name
    folder = Path(shared) / name
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (whole := Path(f"{folder}.whole")).exists():
            folder.mkdir(exist_ok=True)
            make(folder)
            whole.touch()
    return folder
