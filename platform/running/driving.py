"""One driver a run: a lock in the run's folder, right on shared file systems too.

The lock is a chain of files that are only ever created exclusively, so nobody can take another's
by mistake: `driver.lock` is its first owner's, and `driver.lock.TOKEN` belongs to who took over
from the owner with that token. The last of the chain drives. An owner is dead where its process
is, on this host; else where it has not counted on while we watched, as clocks of two hosts differ.
"""

import errno
import hashlib
import json
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from dashboards.tables.terminal import say
from lesions import InputError
from lesions.files import make_folder
from platform.running.interrupted import end_with
from platform.running.owners import Owner, lives, place, read_owner, this_process

LOCK = "driver.lock"
BEAT_S = 3.0  # from one count to the next
LOOK_S = 0.5
LOOKS = 40  # without a new count, until an owner elsewhere is dead: seven counts were due
_MOST_BYTES = 1 << 12


@dataclass(frozen=True, kw_only=True)
class _Link:
    """One file of the chain as it was read; `owner` is None where it is damaged."""

    path: Path
    token: str
    content: tuple[bytes, int, int]  # bytes, inode, mtime: anything that a live owner changes
    owner: Owner | None

    @property
    def is_copy(self) -> bool:
        return self.owner is not None and self.owner.inode != self.content[1]


@dataclass
class Driver:
    """That this process drives a run.

    Attributes:
        folder: the run's.
        lost: whether another has taken over, as this process was suspended or cut off for long:
            then nothing may be written any more.
    """

    folder: Path
    token: str
    descriptor: int
    lost: bool = False
    _ended: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """InputError where another drives by now: before a step that must not be done twice."""
        if self.lost or not self._drives():
            self.lost = True
            raise _taken(self.folder)

    def _drives(self) -> bool:
        try:
            return any(link.token == self.token for link in _chain(self.folder)[-1:])
        except (OSError, InputError):  # a server that is away may have changed nothing
            return True

    def _beat(self, tell: Callable[[InputError], None]) -> None:
        count = 0
        while not self._ended.wait(BEAT_S):
            count += 1
            with suppress(OSError):  # a full disk; who watches from elsewhere may then take over
                os.pwrite(self.descriptor, b"%020d" % count, 0)
                os.fsync(self.descriptor)
            if not self._drives():
                self.lost = True
                tell(_taken(self.folder))
                return

    def _leave(self) -> None:
        """Remove the chain, its first file first: then no other file counts any more."""
        chain = _chain(self.folder)
        if chain and chain[-1].token == self.token:
            left_behind = self.folder.glob(f"{LOCK}.*")
            for path in [*(link.path for link in chain), *left_behind]:
                path.unlink(missing_ok=True)


@contextmanager
def driving(folder: Path, tell: Callable[[InputError], None] = end_with) -> Iterator[Driver]:
    """Drive the run in this folder, which is made if need be; nobody else does inside the block.

    Args:
        folder: the run's.
        tell: called from a thread, with the reason, where another has taken over; without it the
            command ends in order.

    Raises:
        InputError: another drives it; or the lock cannot be made.
    """
    try:
        driver = _take(make_folder(folder))
    except OSError as error:
        raise InputError(
            f"its lock cannot be made: {error.strerror}", file=folder,
            remedy="make room, or name another --storage",
        ) from None  # fmt: skip
    thread = threading.Thread(target=driver._beat, args=(tell,), daemon=True)
    thread.start()
    try:
        yield driver
    finally:
        driver._ended.set()
        thread.join(BEAT_S)  # a server that is away may hold it
        with suppress(OSError, InputError):
            driver._leave()
        os.close(driver.descriptor)


def _take(folder: Path) -> Driver:
    """The lock, once whoever holds it is dead."""
    while True:
        chain = _chain(folder)
        path = folder / LOCK
        if chain:
            _check_dead(folder, chain[-1])
            path = _after(chain[-1])
        if (mine := _create(path)) is None:
            continue  # another was faster: who is it?
        token, descriptor = mine
        if [link.token for link in _chain(folder)[-1:]] == [token]:
            return Driver(folder, token, descriptor)
        os.close(descriptor)  # the chain that it continued is gone: another has ended meanwhile
        path.unlink(missing_ok=True)


def _create(path: Path) -> tuple[str, int] | None:
    """A link of ours: its token and descriptor; None where there is one already."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o666)  # less the umask: for those who may read the run
    except FileExistsError:
        return None
    try:
        owner = this_process(inode=os.fstat(descriptor).st_ino)
        # The count comes first: it is written over in place.
        whole = b"%020d\n" % 0 + json.dumps(asdict(owner)).encode()
        if os.write(descriptor, whole) < len(whole):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    except BaseException:
        path.unlink(missing_ok=True)
        os.close(descriptor)
        raise
    return owner.token, descriptor


def _chain(folder: Path) -> list[_Link]:
    """The lock's files from the first owner to the last."""
    links: list[_Link] = []
    path = folder / LOCK
    while (link := _read(path)) is not None and link.token not in [one.token for one in links]:
        links.append(link)
        path = _after(link)
    return links


def _after(link: _Link) -> Path:
    return link.path.with_name(f"{LOCK}.{link.token}")


def _read(path: Path) -> _Link | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = "is a link" if path.is_symlink() else f"cannot be read: {error.strerror}"
        raise InputError(reason, file=path, remedy="remove it, if nobody drives the run") from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise InputError("is no file", file=path, remedy="remove it")
        whole = os.read(descriptor, _MOST_BYTES)
    finally:
        os.close(descriptor)
    content = whole, found.st_ino, found.st_mtime_ns
    owner = read_owner(whole.partition(b"\n")[2])
    token = hashlib.sha256(repr(content).encode()).hexdigest()[:32]
    return _Link(path=path, token=owner.token if owner else token, content=content, owner=owner)


def _check_dead(folder: Path, link: _Link) -> None:
    """InputError where a lock's owner lives."""
    owner, alive = link.owner, None
    if owner is not None and not link.is_copy and owner.place == place():
        alive = lives(owner)
    if alive is None:
        alive = _counts_on(folder, link)
    if alive:
        raise InputError(
            f"is driven by {owner.words if owner else 'another process'}", file=folder,
            remedy="wait until it has ended, or stop it there with Ctrl-C or kill",
        )  # fmt: skip


def _counts_on(folder: Path, link: _Link) -> bool:
    """Whether an owner that cannot be seen from here counts on; one that leaves is dead."""
    who = link.owner.words if link.owner else "a process that its damaged lock does not name"
    say(f"{folder.name} was driven by {who}: watching for {LOOKS * LOOK_S:.0f} s whether it lives")
    for _ in range(LOOKS):  # not until a time: this process may be suspended itself
        time.sleep(LOOK_S)
        now = _read(link.path)
        if now is None:
            return False
        if now.content != link.content:
            return now.owner == link.owner  # else it is another's by now: to be looked at anew
    return False


def owner_of(folder: Path) -> str | None:
    """Who drives the run in a folder, in words; None where nobody does, as far as this host sees.

    Raises:
        InputError: the lock cannot be read.
    """
    links = _chain(folder)
    owner = links[-1].owner if links and not links[-1].is_copy else None
    if owner is None or (owner.place == place() and lives(owner) is False):
        return None
    return owner.words


def _taken(folder: Path) -> InputError:
    return InputError(
        "this process drives the run no more: while it was suspended or cut off another has taken "
        "over, or the folder was moved",
        file=folder, remedy="leave it to the other, or go on with --resume where it is now",
    )  # fmt: skip
