"""What a network sees together."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
MOST = 16  # at once, whatever the network


def together(items: Iterable[T], most: int = MOST) -> Iterator[list[T]]:
    """Cases or others, some at a time and in order: no more slices are decoded at once."""
    coming = iter(items)
    while some := list(islice(coming, most)):
        yield some
