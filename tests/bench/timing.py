"""Two things timed in turn in one run, and their ratio."""

import time
from collections.abc import Callable, Sequence
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


def best_in_turn(calls: Sequence[Callable[[], object]], rounds: int = 4) -> list[float]:
    """The best time of each, taken in turn: what the machine does beside strikes all alike."""
    best = [float("inf")] * len(calls)
    for _ in range(rounds):
        for at, call in enumerate(calls):
            best[at] = min(best[at], seconds(call, least=0.1, runs=1))
    return best


def show(what: str, ours: float, peer: str, theirs: float) -> None:
    print(f"{what:<44} {ours * 1e3:10.2f} ms   {peer:<38} {theirs * 1e3:10.2f} ms   "
          f"{theirs / ours:6.1f} ×")  # fmt: skip
