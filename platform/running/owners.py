"""Processes as a lock names them: which one it is, and whether it lives, where that can be seen."""

import json
import os
import re
import secrets
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lesions.errors import shown

_TOKEN = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A process, as a lock names it.

    Attributes:
        host: its name, for people.
        place: what tells whether its process can be seen from here: boot and process namespace.
        pid: its number there.
        begun: when the kernel began it, in ticks since the boot; a later process with its number
            is no owner.
        since: when it took the lock by its own clock, for people.
        token: nobody else's.
        inode: of its file: a copied folder's lock is nobody's.
    """

    host: str
    place: str
    pid: int
    begun: int
    since: str
    token: str
    inode: int

    @property
    def words(self) -> str:
        """Who it is."""
        return f"process {self.pid} on {shown(self.host)} since {shown(self.since)}"


def this_process(inode: int) -> Owner:
    """This process as the owner of a lock's file with this inode, by a token of its own."""
    return Owner(
        host=socket.gethostname(), place=place(), pid=os.getpid(), begun=_process(os.getpid())[1],
        since=time.strftime("%d %B %Y %H:%M:%S"), token=secrets.token_hex(16), inode=inode,
    )  # fmt: skip


def read_owner(words: bytes) -> Owner | None:
    """Whom a lock names; None where it is damaged, or not yet written whole."""
    try:
        found: Any = json.loads(words)
        owner = Owner(**found)
        right = all(type(found[name]) is kind for name, kind in Owner.__annotations__.items())
    except (ValueError, TypeError, RecursionError):
        return None
    return owner if right and _TOKEN.fullmatch(owner.token) else None


def lives(owner: Owner) -> bool | None:
    """Whether a process of this host lives; None where that cannot be seen."""
    state, begun = _process(owner.pid)
    if state:
        return begun == owner.begun and state not in "ZX"
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return None  # another user's, on a host that hides them


def place() -> str:
    """Whose processes can be seen from here, as `Owner.place`."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return secrets.token_hex(16)  # no two processes see each other


def _process(pid: int) -> tuple[str, int]:
    """A process' state and when it began; ("", 0) where there is none to be seen."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return after_name[0], int(after_name[19])
    except (OSError, ValueError, IndexError):
        return "", 0
