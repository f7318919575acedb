"""A signal while a command still imports its libraries: one word and its status, no traceback."""

import os
import signal
import sys
from typing import Any


def interrupt_in_quiet() -> None:
    """Where this process is one of the commands; what they then do catches more."""
    _, _, after = " ".join(sys.orig_argv).partition(" -m ")
    if after.startswith("platform."):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _end)


def _end(number: int, frame: Any) -> None:
    os.write(2, b"interrupted\n")
    os._exit(128 + number)
