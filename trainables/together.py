"""Cases that a network answers together."""

from collections.abc import Iterable, Iterator
from itertools import islice

from lesions.prompts import Case

MOST = 16  # at once, whatever the network


def together(cases: Iterable[Case]) -> Iterator[list[Case]]:
    """The cases, some at a time and in order: no more of their slices are decoded at once."""
    coming = iter(cases)
    while some := list(islice(coming, MOST)):
        yield some
