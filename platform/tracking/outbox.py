"""What is to be recorded while MLflow is away."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from dashboards.recorded.credentials import told
from dashboards.tables.terminal import say
from platform.tracking.store import FAULTS

RETRY_S = 15.0


@dataclass
class Outbox:
    """Calls to a server that may be away for a while: kept in order, sent when it is back."""

    waiting: list[Callable[[], object]] = field(default_factory=list)
    away_until: float | None = None

    def send(self, call: Callable[[], object]) -> None:
        """Make the call after those that wait; a failure keeps it and never raises."""
        self.waiting.append(call)
        self.flush()

    def flush(self) -> int:
        """Make the calls that wait; how many still do."""
        if self.away_until is not None and time.monotonic() < self.away_until:
            return len(self.waiting)  # every try on a dead server would hold the trials up
        while self.waiting:
            try:
                self.waiting[0]()
            except FAULTS as error:
                if self.away_until is None:
                    say(f"MLflow is away; its records wait: {told(error)}")
                self.away_until = time.monotonic() + RETRY_S
                break
            del self.waiting[0]
            if self.away_until is not None:
                say("MLflow is back")
            self.away_until = None
        return len(self.waiting)
