"""Two things timed in turn in one run, and their ratio."""

import time
from collections.abc import Callable
from typing import Any


def seconds(function: Callable[[], Any], *, least: float = 0.3, runs: int = 5) -> float:
    """The best of some runs, each long enough to be timed."""
    best = float("inf")
    for _ in range(runs):
        started, calls = time.perf_counter(), 0
        while (spent := time.perf_counter() - started) < least or not calls:
            function()
            calls += 1
        best = min(best, spent / calls)
    return best


def show(what: str, ours: float, peer: str, theirs: float) -> None:
    print(f"{what:<44} {ours * 1e3:10.2f} ms   {peer:<38} {theirs * 1e3:10.2f} ms   "
          f"{theirs / ours:6.1f} ×")  # fmt: skip
