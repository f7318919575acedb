"""Tell a running sweep, from another shell, to change its pace or to come to its end."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from dashboards.tables.terminal import say
from lesions import InputError
from lesions.names import inside
from platform.command_line.options import Outputs, check_positive, parse, run
from platform.running.driving import owner_of
from platform.running.storage import default_storage
from platform.tuning.orders import Order, duration, seconds_until
from platform.tuning.sweeps import PLACE


@dataclass(frozen=True, kw_only=True)
class SteerOptions(Outputs):
    """Tell a running sweep something.

    Attributes:
        name: the sweep's.
        concurrent: trials at a time from now on; those above it run to their ends.
        last: begin no further trial; when those that run have ended, the best is measured.
        until: the time of day, as 18:00 by this machine's clock, at which running trials are
            stopped and kept, and the best of those that have ended is measured.
        budget: the same, from now: 90s, 30m, 8h, 2d.
        storage: where the sweep is kept.
    """

    name: Annotated[str, tyro.conf.Positional]
    concurrent: int | None = None
    last: bool = False
    until: str | None = None
    budget: str | None = None
    storage: Path | None = None

    def order(self) -> Order:
        """What is said; InputError where that is nothing, or contradicts itself."""
        check_positive(self, "concurrent")
        if self.until is not None and self.budget is not None:
            raise InputError("--until and --budget: say one")
        seconds = None if self.until is None else seconds_until(self.until)
        if self.budget is not None:
            seconds = duration(self.budget)
        order = Order(concurrent=self.concurrent, last=self.last, seconds=seconds)
        if order == Order():
            raise InputError(
                "nothing is told", remedy="say --concurrent, --last, --until or --budget"
            )
        return order


def steer(options: SteerOptions) -> None:
    """Leave the order for the sweep's driver; InputError where none is at work."""
    order = options.order()
    folder = inside((options.storage or default_storage()).expanduser() / PLACE, options.name)
    owner = owner_of(folder)
    if owner is None:
        raise InputError(f"no sweep {options.name!r} is running", file=folder)
    order.give(folder)
    say(f"told {options.name}, which {owner} drives; it obeys within seconds")


def main() -> None:
    """Parse the command line and tell."""
    steer(parse(SteerOptions, prog="python -m platform.steer"))


if __name__ == "__main__":
    run(main)
