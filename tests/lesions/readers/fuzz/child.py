"""The process that reads damaged inputs: it may crash, hang or run out of memory.

python -m tests.lesions.readers.fuzz.child "DICOM frames" 17 /tmp/kept    # one input, kept there

Without arguments, jobs come as JSON [[kind, seed], …] on stdin; a line of JSON answers each.
"""

import faulthandler
import json
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from random import Random
from typing import Any

from lesions import InputError
from tests.lesions.readers.fuzz.kinds import KINDS

MOST_MEMORY = 1 << 20  # kB that one input may take
MOST_ADDRESSES = 8 << 30  # bytes; reading a damaged length asks for 4 GB and touches none of it
MOST_CPU_SECONDS, MOST_SECONDS = 10.0, 100.0
LONGEST_REASON = 400
# Our own mistakes, which a catch-all took for a damaged file, and words that say nothing.
_MISTAKE = re.compile("NoneType|object has no|object is not|' is not defined|read: None|: $")


def answer(kind: str, seed: int, folder: Path) -> dict[str, Any]:
    """What came of reading one damaged input."""
    KINDS[kind].write(Random(f"{kind} {seed}"), folder)
    accepted, reasons, failure = 0, [], ""
    started = time.process_time()
    # The signals' default action ends the process, whatever C code it is in.
    signal.setitimer(signal.ITIMER_PROF, MOST_CPU_SECONDS)
    signal.setitimer(signal.ITIMER_REAL, MOST_SECONDS)
    try:
        accepted, reasons = KINDS[kind].read(folder)
    except InputError as error:
        reasons = [error.reason]
    except Exception:
        failure = traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    for reason in reasons:
        if _MISTAKE.search(reason) or len(reason) > LONGEST_REASON or not reason.isprintable():
            failure = f"not a reason that a user can act on: {reason[:1000]}"
    return {
        "kind": kind, "seed": seed, "accepted": accepted, "reasons": reasons, "failure": failure,
        "seconds": time.process_time() - started,
    }  # fmt: skip


def main() -> None:
    warnings.simplefilter("error", RuntimeWarning)
    if len(sys.argv) > 1:
        folder = Path(sys.argv[3])
        folder.mkdir(parents=True)
        print(json.dumps(answer(sys.argv[1], int(sys.argv[2]), folder), indent=1))
        return
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES, MOST_ADDRESSES))
    for kind, seed in json.load(sys.stdin):
        before = _held_now()
        with tempfile.TemporaryDirectory() as folder:
            answered = answer(kind, seed, Path(folder))
        if greedy := (taken := _most_memory() - before) > MOST_MEMORY:
            answered["failure"] += f"it took {taken >> 10} MB"
        print(json.dumps(answered), flush=True)
        if greedy:  # a new process measures the next one
            return


def _held_now() -> int:
    """kB that this process holds; from here on the most is counted anew."""
    Path("/proc/self/clear_refs").write_text("5")
    return _most_memory()


def _most_memory() -> int:
    """kB that this process has held at once; getrusage would count its parent's."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1])


if __name__ == "__main__":
    main()
