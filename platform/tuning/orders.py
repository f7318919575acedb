"""What a running sweep is told from another shell, and how long it may work.

An order is a file in the sweep's folder, which its owner alone may write; the driver takes it away
when it has read it.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from dashboards.tables.terminal import say
from lesions import InputError
from lesions.files import write_text
from lesions.readers.bounded import read_json
from platform.tuning.course import Course
from platform.tuning.progress import in_words

FILE = "orders.json"
LOOK_S = 1.0
_MOST_ORDER = 1 << 12
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


class TimeOverError(Exception):
    """The search has worked as long as it may."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to change.

    Attributes:
        concurrent: trials at a time from now on; those above it run to their ends.
        last: no further trial begins; those that run are finished, and the best is measured.
        seconds: how long it may work from now on; then running trials are stopped where they are,
            and kept.
    """

    concurrent: int | None = None
    last: bool = False
    seconds: float | None = None

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> "Order":
        """From its file; InputError for what is none."""
        if not said.keys() <= {one.name for one in fields(cls)}:
            raise InputError(f"is no order: {', '.join(sorted(said))}")
        order = cls(**said)
        for name, kinds in (("concurrent", (int,)), ("seconds", (int, float)), ("last", (bool,))):
            value = getattr(order, name)
            if value is not None and type(value) not in kinds:
                raise InputError(f"its {name} is none")
        seconds = order.seconds or 0.0
        if (order.concurrent is not None and order.concurrent < 1) or not 0 <= seconds < math.inf:
            raise InputError("its numbers must be above 0")
        return order

    def give(self, folder: Path) -> None:
        """Leave it for the driver of the sweep in a folder."""
        said = {one.name: getattr(self, one.name) for one in fields(self)}
        write_text(folder / FILE, json.dumps(said))


@dataclass
class Orders:
    """What the driver looks at as it goes.

    Attributes:
        folder: the sweep's.
        course: what orders change.
        deadline: by the monotonic clock, which no change of the time of day moves.
    """

    folder: Path
    course: Course
    deadline: float | None = None
    looked: float = 0.0

    def look(self) -> None:
        """Take what has come; TimeOverError where the time is."""
        now = time.monotonic()
        if now - self.looked < LOOK_S:
            return
        self.looked = now
        if (order := self._taken()) is not None:
            self._obey(order, now)
        if self.deadline is not None and now >= self.deadline:
            raise TimeOverError

    def _taken(self) -> Order | None:
        path = self.folder / FILE
        if not path.exists():
            return None
        try:
            return Order.read(read_json(path, dict, _MOST_ORDER))
        except (InputError, OSError, TypeError) as error:
            say(f"an order in {path} cannot be read: {error}")
            return None
        finally:
            with suppress(OSError):
                path.unlink()

    def _obey(self, order: Order, now: float) -> None:
        words = []
        if order.concurrent is not None:
            self.course.concurrent = order.concurrent
            words.append(f"{order.concurrent} trials at a time")
        if order.last:
            self.course.ending = True
            words.append("no further trial begins")
        if order.seconds is not None:
            self.deadline = now + order.seconds
            words.append(f"the end in {in_words(order.seconds)}")
        if words:
            say(f"told from another shell: {', '.join(words)}")


def duration(words: str) -> float:
    """Seconds of a budget, as 90s, 30m, 8h, 2d.

    >>> [duration(word) for word in ("90s", "1.5h", "2d")]
    [90.0, 5400.0, 172800.0]
    """
    number, unit = words.rstrip("smhdin"), words.lstrip("0123456789.")
    try:
        return float(number) * _UNITS[unit]
    except (ValueError, KeyError):
        raise InputError(
            f"{words!r} is no duration", remedy="write it as 90s, 30m, 8h, 2d"
        ) from None


def seconds_until(words: str, now: Callable[[], datetime] = datetime.now) -> float:
    """Seconds to the next time that a clock here shows HH:MM."""
    try:
        hour, minute = map(int, words.split(":"))
        at = now().replace(hour=hour, minute=minute, second=0, microsecond=0)
    except ValueError:
        raise InputError(f"{words!r} is no time of day", remedy="write it as 18:00") from None
    if at <= now():
        at += timedelta(days=1)
    return (at - now()).total_seconds()
