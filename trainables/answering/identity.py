"""Which checkpoints answer: their folders, versions and weights."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WHOLE = "model"  # how answers call the part of a system that has none


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A trained part.

    Attributes:
        folder: with run.json and best.pt.
        registered: its NAME:VERSION, where it comes from the registry.
    """

    folder: Path
    registered: str | None = None


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A model: all parts of a system.

    Attributes:
        system: its name.
        parts: their checkpoints by name, in the system's order; "" of a system without parts.
        digests: of their weights, likewise.
    """

    system: str
    parts: Mapping[str, Checkpoint]
    digests: Mapping[str, str]

    @property
    def folders(self) -> tuple[Path, ...]:
        """Of the checkpoints, in order."""
        return tuple(part.folder for part in self.parts.values())

    @property
    def version(self) -> str:
        """The start of the last part's digest."""
        return [*self.digests.values()][-1][:12]

    def said(self, folder: Path) -> dict[str, Any]:
        """As an answer in this folder says it: absolute paths would tell of users."""
        return {"system": self.system, "parts": {
            name or WHOLE: {
                "checkpoint": os.path.relpath(part.folder, folder),
                "sha256": self.digests[name],
                **({} if part.registered is None else {"registered": part.registered}),
            }
            for name, part in self.parts.items()
        }}  # fmt: skip

    def is_said(self, said: Mapping[str, Any]) -> bool:
        """Whether an answer says that the same system answered, with the same weights."""
        digests = {name: part["sha256"] for name, part in said["parts"].items()}
        own = {name or WHOLE: digest for name, digest in self.digests.items()}
        return said["system"] == self.system and digests == own


def identify(system: str, parts: Mapping[str, Checkpoint]) -> Identity:
    """Whose checkpoints these are; InputError where one cannot be read."""
    from trainables.checkpoint import model_digest  # torch takes seconds

    digests = {name: model_digest(part.folder) for name, part in parts.items()}
    return Identity(system=system, parts=parts, digests=digests)
