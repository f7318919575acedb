"""Parts of a data set, each written by the worker that makes it: no pixel passes between them."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dashboards.tables.terminal import say
from lesions import InputError
from platform.running.cluster import cluster

MOST_PARTS = 8  # in a task: the progress bar moves when one is done


class Plan(Protocol):
    """What is made, and where."""

    @property
    def out(self) -> Path:
        """The data set's folder."""


Make = Callable[[Sequence[dict[str, Any]], Any], list[dict[str, Any]]]


def make_parts(
    doing: str, make: Make, parts: Sequence[dict[str, Any]], plan: Plan, items: int
) -> None:
    """Make every part on the cluster's cores, and show how far it is.

    Args:
        doing: what is done, in a word.
        make: importable by workers; from some parts and the plan to their outcomes: `rows`, how
            many items were done, `error`, empty or why the part was not written, and where there
            are any `remarks`, (file, words), which are said.
        parts: small.
        plan: given to `make`.
        items: how many in all.

    Raises:
        InputError: a part was not written.
    """
    with _progress_bar() as progress:
        task = progress.add_task(doing, total=items)
        for outcome in _outcomes(make, parts, plan):
            if outcome["error"]:
                raise InputError(
                    f"a part cannot be written: {outcome['error']}",
                    file=plan.out,
                    remedy="make room and run the same command again: finished parts are kept",
                )
            for file, words in outcome.get("remarks", ()):
                say(f"warning: {file}: {words}")
            progress.advance(task, outcome["rows"])


def _outcomes(make: Make, parts: Sequence[dict[str, Any]], plan: Plan) -> Iterator[dict[str, Any]]:
    """Each part's outcome as it is done."""
    with cluster() as resources:
        import ray

        # Plain tasks: no pixel passes between them, and Ray Data takes a second of its own.
        task = ray.remote(num_cpus=1)(make)
        cores = max(1, int(resources.get("CPU", 1)))
        held = ray.put(plan)  # once: it may name thousands of files
        waiting = [task.remote(parts[share], held) for share in _shares(len(parts), cores)]
        try:
            while waiting:
                done, waiting = ray.wait(waiting)
                for outcomes in ray.get(done):
                    yield from outcomes
        finally:
            for one in waiting:
                ray.cancel(one)


def _shares(parts: int, cores: int) -> Iterator[slice]:
    """What each task makes: several parts, since tasks cost, but one where the end is near."""
    first = 0
    while first < parts:
        share = min(MOST_PARTS, max(1, (parts - first) // (4 * cores)))
        yield slice(first, first + share)
        first += share


def _progress_bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    )
