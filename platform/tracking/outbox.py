"""What is to be recorded while MLflow is away, slow or refuses: the work never waits for it."""

import threading
import time
from collections import deque
from collections.abc import Callable

from dashboards.recorded.credentials import told
from dashboards.tables.terminal import say
from platform.tracking.faults import is_passing

RETRY_S = 15.0
LIMIT_S = 30.0  # of a last wait
PATIENCE_S = 2.0  # of a wait that nothing is said of
MOST_WAITING = 100_000  # records; an epoch of a trial is one, of a kilobyte or so
MOST_NAMED = 3  # groups of records in a report
AGAIN = "resume the command: what is not recorded is recorded then"
Call = Callable[[], object]


class Outbox:
    """Calls to MLflow, made one after the other by a thread of their own.

    A call that fails in passing (the server is away, slow, out of breath) stays at the head of the
    line, and is made again every 15 s. One that would fail for ever (its run was deleted, a value
    is refused) is put aside, and the others go on.

    Attributes:
        away_until: while MLflow is away, when it is tried again, on the monotonic clock.
    """

    def __init__(self) -> None:
        self.away_until: float | None = None
        self._calls: deque[tuple[str, Call]] = deque()
        self._aside: dict[str, list[str]] = {}  # reasons, by what the records are of
        self._why = ""
        self._tried = self._failed = 0  # how many tries there were, and which one failed last
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()

    def send(self, call: Call, of: str = "the run") -> None:
        """Have a call made after those that wait; this returns at once and never raises.

        Args:
            call: it has to bear being made twice: an answer may be lost.
            of: what it records, in words: "trial 3".
        """
        with self._changed:
            if len(self._calls) >= MOST_WAITING:
                self._put_aside(of, f"more than {MOST_WAITING} records were waiting")
                return
            self._calls.append((of, call))
            self._start()

    def flush(self, limit_s: float = LIMIT_S) -> int:
        """Wait until every call was made, or MLflow is away, at most so long; how many wait on."""
        end = time.monotonic() + limit_s
        with self._changed:
            before = self._tried
            self.away_until = None  # it may be back
            self._start()
            self._changed.notify_all()

            def settled() -> bool:
                return not self._calls or self._failed > before

            if not self._changed.wait_for(settled, min(PATIENCE_S, limit_s)):
                say(f"MLflow is slow: waiting for it to take {_records(len(self._calls))}, "
                    f"at most {limit_s:.0f} s")  # fmt: skip
                self._changed.wait_for(settled, end - time.monotonic())
            return len(self._calls)

    @property
    def waiting(self) -> list[str]:
        """What the calls that were not made yet record, the next one first."""
        with self._changed:
            return [of for of, _ in self._calls]

    def report(self, mend: str = AGAIN) -> list[str]:
        """What was not recorded and why, and how to mend it: a few lines, none where all is well.

        Args:
            mend: the remedy, in words.
        """
        with self._changed:
            aside = {of: list(reasons) for of, reasons in self._aside.items()}
            waiting, why = [of for of, _ in self._calls], self._why or "it has not answered yet"
        lines = [
            f"not recorded in MLflow: {_records(len(reasons))} of {of}: {reasons[0]}"
            for of, reasons in list(aside.items())[:MOST_NAMED]
        ]
        if more := list(aside)[MOST_NAMED:]:
            count = sum(len(aside[of]) for of in more)
            lines.append(f"not recorded either: {_records(count)} of {_listed(more)}")
        if waiting:
            of = _listed(list(dict.fromkeys(waiting)))
            lines.append(f"still waiting for MLflow: {_records(len(waiting))} of {of}: {why}")
        return [*lines, f"to mend it: {mend}"] if lines else []

    def _start(self) -> None:
        if self._thread is None and self._calls:
            self._thread = threading.Thread(target=self._work, name="MLflow", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        """Make calls until none waits."""
        while (due := self._next()) is not None:
            of, call = due
            fault: Exception | None = None
            try:
                call()
            except Exception as error:  # a record that cannot be made ends no sweep
                fault = error
            with self._changed:
                self._note(of, fault)
                self._changed.notify_all()

    def _next(self) -> tuple[str, Call] | None:
        with self._changed:
            while self._calls:
                left = 0.0 if self.away_until is None else self.away_until - time.monotonic()
                if left <= 0:
                    self._tried += 1
                    return self._calls[0]
                self._changed.wait(left)
            self._thread = None
            return None

    def _note(self, of: str, fault: Exception | None) -> None:
        if fault is not None and is_passing(fault):
            if not self._why:
                say(f"MLflow is away; its records wait: {told(fault)}")
            self._why = told(fault)
            self._failed = self._tried
            self.away_until = time.monotonic() + RETRY_S
            return
        self._calls.popleft()
        if fault is not None:
            self._put_aside(of, told(fault))
        if self._why:
            say("MLflow is back")
        self._why, self.away_until = "", None

    def _put_aside(self, of: str, reason: str) -> None:
        if of not in self._aside:
            say(f"MLflow does not take a record of {of}, others go on: {reason}")
        self._aside.setdefault(of, []).append(reason)


def _records(count: int) -> str:
    return "1 record" if count == 1 else f"{count} records"


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown
