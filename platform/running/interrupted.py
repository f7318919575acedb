"""Ctrl-C, SIGTERM and SIGHUP mean "go on later": one orderly end, one line, one exit status.

The first of them raises KeyboardInterrupt in the main thread, or sets a flag where the code inside
`stopping_in_order` wants to end by itself; all that follow change nothing. What then hangs is
ended from outside after MOST_S seconds.
"""

import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from lesions import InputError
from lesions.errors import printable

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MOST_S = 25.0  # a scheduler kills after 30
_KILLED = 128  # a shell's exit status of a process that a signal ended, less the signal's number
_SIGNAL = signal.signal


@dataclass
class _Ending:
    """Whether and why this process is to end.

    Attributes:
        number: the first signal that came; None before.
        told: whether the main thread knows of it.
        error: why no signal but this process itself wants its end.
        caught: whether signals are caught at all.
        in_order: how many blocks that want no KeyboardInterrupt are open.
        again: how the user goes on.
        folders: what goes even where the end hangs.
    """

    number: int | None = None
    told: bool = False
    error: InputError | None = None
    caught: bool = False
    in_order: int = 0
    again: Callable[[], str] = str
    folders: list[Path] = field(default_factory=list)

    def said(self) -> tuple[str, int]:
        """The one line, and the exit status."""
        if self.error is not None:
            return f"error: {self.error}", 2
        again = self.again()
        line = f"interrupted; {again}" if again else "interrupted"
        return printable(line), _KILLED + (self.number or signal.SIGINT)


_ending = _Ending()


def asked_to_stop() -> bool:
    """Whether the command is to end, and go on later."""
    return _ending.number is not None


def lost_to_another() -> bool:
    """Whether it is to end because another driver has its run: it records nothing any more."""
    return _ending.error is not None


@contextmanager
def caught() -> Iterator[None]:
    """Catch the signals inside the block, whatever libraries set; only in the main thread."""
    global _ending
    if threading.current_thread() is not threading.main_thread() or _ending.caught:
        yield
        return
    _ending = _Ending(caught=True)
    before = {number: _SIGNAL(number, _on_signal) for number in SIGNALS}
    hearing, heard = socket.socketpair()
    heard.setblocking(False)
    was_heard = signal.set_wakeup_fd(heard.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_end_what_hangs, args=(hearing, _ending), daemon=True).start()
    try:
        with patch.object(signal, "signal", _set_but_ours):
            yield
    finally:
        _ending.caught = False
        signal.set_wakeup_fd(was_heard)
        for number, handler in before.items():  # a second one while Python ends says nothing
            _SIGNAL(number, signal.SIG_IGN if asked_to_stop() else handler)
        if not asked_to_stop():
            heard.close()
            hearing.close()


def _on_signal(number: int, frame: Any) -> None:
    _ending.number = _ending.number or number
    if not _ending.told:
        _ending.told = True
        if not _ending.in_order:
            raise KeyboardInterrupt


def _set_but_ours(number: int, handler: Any) -> Any:
    """`signal.signal` for all but these: Ray, its Train and its Tune would each take some."""
    return signal.getsignal(number) if number in SIGNALS else _SIGNAL(number, handler)


def _end_what_hangs(hearing: socket.socket, ending: _Ending) -> None:
    """Hears signals even while the main thread is in a library's hands."""
    with suppress(OSError):
        while (got := hearing.recv(1)) and got[0] not in SIGNALS:
            pass
        if not got:
            return
        ending.number = got[0]  # of two that wait for the main thread it would see the lower first
        time.sleep(MOST_S)
        line, status = ending.said()
        print(line, file=sys.stderr, flush=True)
        for folder in ending.folders:
            _remove(folder)
        os._exit(status)


@contextmanager
def held_back(*numbers: signal.Signals) -> Iterator[None]:
    """These wait until the block has ended, and are then caught though it set handlers in C.

    What is started inside the block never hears them.
    """
    if not _ending.caught:
        yield
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        for number in numbers:
            _SIGNAL(number, _on_signal)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


@contextmanager
def stopping_in_order() -> Iterator[Callable[[], bool]]:
    """Inside the block a signal raises nothing: it asks whether it is to stop, and ends itself.

    Raises:
        KeyboardInterrupt: at the block's end, where it was asked to.
    """
    _ending.in_order += 1
    try:
        yield asked_to_stop
    finally:
        _ending.in_order -= 1
    if asked_to_stop():
        _ending.told = True
        raise KeyboardInterrupt


@contextmanager
def going_on(words: Callable[[], str]) -> Iterator[None]:
    """What a user is told who interrupts inside the block: how to go on."""
    before, _ending.again = _ending.again, words
    yield
    _ending.again = before  # not after an interruption: then it is what is said


@contextmanager
def gone_at_the_end(folder: Path) -> Iterator[None]:
    """A folder of this process' own goes with the block, and where the block's end hangs.

    With it go the processes whose output it holds.
    """
    _ending.folders.append(folder)
    try:
        yield
    finally:
        _remove(folder)
        with suppress(ValueError):
            _ending.folders.remove(folder)


def _remove(folder: Path) -> None:
    for _ in range(10):  # processes that are ending may still write
        _end_those_in(folder.resolve())
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.2)


def _end_those_in(folder: Path) -> None:
    """Kill the processes whose output goes into a folder.

    A worker of Ray's that hears SIGTERM finishes its task first, be it hours, and though its
    cluster has ended: it would write on while another command goes on with the run.
    """
    for process in filter(str.isdecimal, _listed("/proc")):
        for output in (1, 2):
            with suppress(OSError):  # it is another user's, or has ended
                if Path(os.readlink(f"/proc/{process}/fd/{output}")).is_relative_to(folder):
                    os.kill(int(process), signal.SIGKILL)
                    break


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # there is none but on Linux
        return []


def disk_full(error: OSError) -> InputError:
    """What is said where nothing more can be written, and how to go on."""
    again = _ending.again() or "give the same command again"
    return InputError(
        f"the disk is full: {error.strerror}", file=error.filename,
        remedy=f"make room and {again}",
    )  # fmt: skip


def end_with(error: InputError) -> None:
    """End this process' command in order, for this reason; from any thread."""
    _ending.error = error
    if _ending.caught:
        os.kill(os.getpid(), signal.SIGTERM)


def say_why() -> int:
    """Say how the command was interrupted; its exit status."""
    line, status = _ending.said()
    print(line, file=sys.stderr, flush=True)
    return status
