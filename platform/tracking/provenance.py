"""The version of the code that a run was made with."""

import subprocess  # nosec B404
from collections.abc import Sequence

from platform.running.storage import ROOT


def provenance() -> dict[str, str]:
    """The code's version: the git commit, with `-dirty` when files differ from it."""
    return {"lesion.git_commit": git_commit()}


def git_commit() -> str:
    """The commit of the working tree; "unknown" outside a repository."""
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return "unknown"
    return commit + ("-dirty" if _git("status", "--porcelain", "--untracked-files=no") else "")


def _git(*words: str) -> str:
    command: Sequence[str] = ("git", "-C", str(ROOT), *words)
    try:  # git, with words of ours
        done = subprocess.run(  # nosec B603
            command, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
