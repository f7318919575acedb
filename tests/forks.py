"""Work in a process of its own that begins at once, as a copy of this one."""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

FORK = multiprocessing.get_context("fork")  # a start of its own takes seconds


@contextmanager
def forked(work: Callable[..., None], *given: Any) -> Iterator[tuple[BaseProcess, Connection]]:
    """`work(connection, *given)` in a process, which is killed at the end."""
    ours, theirs = FORK.Pipe()
    process = FORK.Process(target=work, args=(theirs, *given), daemon=True)
    process.start()
    theirs.close()
    try:
        yield process, ours
    finally:
        process.kill()
        process.join()


def told(connection: Connection, seconds: float = 10) -> str:
    """What the work sends next."""
    assert connection.poll(seconds)
    words: str = connection.recv()
    return words
