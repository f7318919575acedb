"""What a sweep or a training is: its plan, written to disk once and read again by --resume."""

import json
import time
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_type_hints

from lesions import InputError
from lesions.errors import shown
from lesions.files import write_text
from lesions.names import inside
from lesions.readers.bounded import read_json
from lesions.seen import seen_in
from platform.command_line.models import trained_parts
from platform.running.datasets import Data, find_data
from platform.running.storage import found_again
from trainables.configs import blaming, edited, flatten, typed
from trainables.registry import word_of
from trainables.system import System
from trainables.workers import Job

P = TypeVar("P", bound="Planned")
_MOST_PLAN = 1 << 20  # bytes; real ones have 2 kB
_SHARED: dict[str, Any] = {
    "preset": str, "config": dict[str, Any], "data": Path, "parts": dict[str, Path],
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A sweep or a training; a resumed one is the same as when it was started.

    Fields that a subclass adds bear the names of its command's options.

    Attributes:
        name: of the run.
        folder: where it is kept.
        system, preset, config: what is trained.
        data: on what.
        parts: checkpoints' folders of the system's other parts, by name, where phases take them
            over.
    """

    place: ClassVar[str]
    file: ClassVar[str]

    name: str
    folder: Path
    system: System
    preset: str
    config: Any
    data: Data
    parts: Mapping[str, Path] = field(default_factory=dict)

    @property
    def job(self) -> Job:
        """What a worker trains."""
        return Job(
            system=word_of(self.system), config=self.config, data=self.data.root,
            scratch=self.folder / "masks", parts=self.parts,
            seen=seen_in(self.data.root, self.data.fingerprint),
        )  # fmt: skip

    def write(self) -> None:
        """Write what `--resume` reads."""
        own = {name: getattr(self, name) for name in _own_fields(type(self))}
        plan = {"preset": self.preset, "config": flatten(self.config),
                "data": str(self.data.root), "parts": dict(self.parts)}  # fmt: skip
        write_text(self.folder / self.file, json.dumps(plan | own, indent=1, default=str))


def start(
    kind: type[P], system: System, preset: str, options: Any, storage: Path, prefix: str = ""
) -> P:
    """A new run of this kind; or, with `--resume`, an old one as its plan says.

    A run that the user does not name is called after `prefix`, or the system, and the time.

    Raises:
        InputError: the name is taken, or none that was started, or no name at all; or the plan is
            damaged.
    """
    default = f"{prefix or system.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    name = options.resume or options.name or default
    folder = inside(storage / kind.place, name)
    if options.resume:
        plan = read_plan(folder / kind.file, kind)
        preset, data = plan.pop("preset"), found_again(plan.pop("data"), storage)
        plan["parts"] = {part: found_again(folder, storage)
                         for part, folder in plan.get("parts", {}).items()}  # fmt: skip
        with blaming(folder / kind.file):
            config = edited(system.presets()["paper"](), plan.pop("config"))
    elif (folder / kind.file).exists():
        raise InputError(
            f"there is a run {name!r} already", remedy=f"go on with it by --resume {name}"
        )
    else:
        plan = {name: getattr(options, name) for name in _own_fields(kind)}
        plan["parts"] = trained_parts(system, options.parts, storage)
        config, data = options.config, options.data
    # A resumed run may be told to show less, never more.
    plan["pictures"] = plan.get("pictures", True) and options.pictures
    found = find_data(data, storage, config.pseudo_mask)
    return kind(
        name=name, folder=folder, system=system, preset=preset, config=config, data=found, **plan
    )


def _own_fields(kind: type[Planned]) -> list[str]:
    shared = {one.name for one in fields(Planned)}
    return [one.name for one in fields(kind) if one.name not in shared]


def read_plan(path: Path, kind: type[Planned]) -> dict[str, Any]:
    """A plan as it was written; InputError where there is none, or it is damaged."""
    name, runs = path.parent.name, path.parent.parent
    try:
        plan = _upgraded(read_json(path, dict, _MOST_PLAN))
    except FileNotFoundError:
        there = sorted(other.parent.name for other in runs.glob(f"*/{path.name}"))
        raise InputError(
            f"there is no run {name!r} to go on with",
            file=runs,
            remedy=f"choose of {', '.join(there)}" if there else "there is none at all",
        ) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from None
    own, hints = _own_fields(kind), get_type_hints(kind)
    wanted = _SHARED | {name: hints[name] for name in own}
    optional = {one.name for one in fields(kind) if one.default is not MISSING} | {"parts"}
    with blaming(path):
        if missing := sorted(wanted.keys() - optional - plan.keys()):
            raise InputError(f"lacks {missing[0]!r}")
        if foreign := sorted(plan.keys() - wanted.keys()):
            raise InputError(f"has {shown(foreign[0])!r}, which is no part of such a plan")
        return {name: typed(wanted[name], value, name) for name, value in plan.items()}


def _upgraded(plan: dict[str, Any]) -> dict[str, Any]:
    """A plan of a version before, whose rounds were no part of the config."""
    rounds = plan.pop("rounds", None)
    if rounds is not None and isinstance(plan.get("config"), dict):
        plan["config"] = {"rounds": rounds, **plan["config"]}
    return plan
