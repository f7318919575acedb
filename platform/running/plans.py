"""What a sweep or a training is: its plan, written to disk once and read again by --resume."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_type_hints

from dashboards.tables.terminal import say
from lesions import InputError
from lesions.errors import shown
from lesions.files import write_text
from lesions.names import inside
from lesions.readers.bounded import read_json
from lesions.seen import seen_in
from platform.command_line.models import trained_parts
from platform.running.datasets import Data, find_data
from platform.running.driving import driving
from platform.running.embedded import with_looks
from platform.running.interrupted import going_on
from platform.running.resumed import agreed, said_options
from platform.running.storage import found_again, given_up_if_empty, unnamed
from trainables.configs import blaming, edited, flatten, typed
from trainables.registry import word_of
from trainables.system import System
from trainables.workers import Job

P = TypeVar("P", bound="Planned")
COPY = ".copy"  # after a plan's name
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
        may_change: own fields that may be others when it is gone on with: they change no result.
        may_come: those that its command itself puts together with what was planned.
    """

    place: ClassVar[str]
    file: ClassVar[str]
    may_change: ClassVar[frozenset[str]] = frozenset({"register", "pictures"})
    may_come: ClassVar[frozenset[str]] = frozenset()

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
        text = json.dumps(plan | own, indent=1, default=str)
        for name in (self.file + COPY, self.file):
            write_text(self.folder / name, text)


@contextmanager
def start(
    kind: type[P], system: System, preset: str, options: Any, storage: Path, prefix: str = ""
) -> Iterator[P]:
    """A new run of this kind; or an old one as its plan says. This process alone drives it.

    A run that the user does not name is called after `prefix`, or the system, and the time. A name
    is taken from now on, before data is prepared; and free again where the block ends, however it
    does, before there is a plan.

    Args:
        kind: of run.
        system, preset: what a new one trains.
        options: of the command, `WhichRun` among them.
        storage: where runs are kept.
        prefix: of the name.

    Raises:
        InputError: the name is taken, or none that was started, or no name at all; another drives
            the run; or the plan is damaged.
    """
    place = storage / kind.place
    wanted = options.resume or options.resume_or_start or options.name
    if wanted:
        _check_name(inside(place, wanted) / kind.file, kind, options)  # before a lock is waited for
    folder = inside(place, wanted) if wanted else unnamed(place, prefix or system.name)
    path = folder / kind.file

    def again() -> str:
        how = "go on with --resume" if path.exists() else "start it again with --name"
        return f"{how} {folder.name}"

    with given_up_if_empty(folder), going_on(again), driving(folder):
        _check_name(path, kind, options)
        if path.exists():
            yield _as_planned(path, kind, system, preset, options, storage)
        else:
            yield _as_asked(path, kind, system, preset, options, storage)


def _check_name(path: Path, kind: type[Planned], options: Any) -> None:
    """InputError where the run that is named must be there, and is not, or the other way round."""
    if options.resume and not path.exists():
        read_plan(path, kind)
    if path.exists() and not (options.resume or options.resume_or_start):
        name = path.parent.name
        raise InputError(
            f"there is a run {name!r} already", remedy=f"go on with it by --resume {name}"
        )


def _as_planned(
    path: Path, kind: type[P], system: System, asked: str, options: Any, storage: Path
) -> P:
    """An old run, see `agreed`; it may be told to show less than its plan says, never more."""
    plan = read_plan(path, kind)
    preset, data = plan.pop("preset"), found_again(plan.pop("data"), storage)
    plan["parts"] = {part: found_again(folder, storage)
                     for part, folder in plan.get("parts", {}).items()}  # fmt: skip
    with blaming(path):
        config = edited(system.presets()["paper"](), plan.pop("config"))
    own = {name: plan.get(name, _default(kind, name)) for name in _own_fields(kind)}
    own = agreed(
        own, options, kind.may_change, config=config, data=data, preset=preset, asked_preset=asked,
        said=said_options() - kind.may_come, name=path.parent.name,
    )  # fmt: skip
    plan |= own | {"pictures": own["pictures"] and options.pictures}
    found = find_data(data, storage, config.pseudo_mask)
    config, found = with_looks(system, config, preset, found)  # the set may lie elsewhere by now
    return kind(
        name=path.parent.name, folder=path.parent, system=system, preset=preset, config=config,
        data=found, **plan,
    )  # fmt: skip


def _as_asked(
    path: Path, kind: type[P], system: System, preset: str, options: Any, storage: Path
) -> P:
    """A new run."""
    plan = {name: getattr(options, name) for name in _own_fields(kind)}
    plan["parts"] = trained_parts(system, options.parts, storage)
    found = find_data(options.data, storage, options.config.pseudo_mask)
    config, found = with_looks(system, options.config, preset, found)
    return kind(
        name=path.parent.name, folder=path.parent, system=system, preset=preset, config=config,
        data=found, **plan,
    )  # fmt: skip


def _default(kind: type[Planned], name: str) -> Any:
    """Of a field that a plan of a version before lacks; `read_plan` has seen that it has one."""
    return next(one.default for one in fields(kind) if one.name == name)


def _own_fields(kind: type[Planned]) -> list[str]:
    shared = {one.name for one in fields(Planned)}
    return [one.name for one in fields(kind) if one.name not in shared]


def read_plan(path: Path, kind: type[Planned]) -> dict[str, Any]:
    """A plan as it was written; InputError where there is none, or it is damaged."""
    name, runs = path.parent.name, path.parent.parent
    try:
        plan = _upgraded(_read(path))
    except FileNotFoundError:
        if path.parent.is_dir():
            raise InputError(
                f"{name!r} was ended before its plan was written", file=path.parent,
                remedy=f"start it again with --name {name}",
            ) from None  # fmt: skip
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


def _read(path: Path) -> dict[str, Any]:
    """The plan's file, or its copy where it is damaged."""
    try:
        return read_json(path, dict, _MOST_PLAN)
    except InputError as error:
        try:
            found = read_json(path.with_name(path.name + COPY), dict, _MOST_PLAN)
        except (InputError, OSError):
            raise error from None
        say(f"{path} is damaged: its copy beside it is taken")
        return found


def _upgraded(plan: dict[str, Any]) -> dict[str, Any]:
    """A plan of a version before, whose rounds were no part of the config."""
    rounds = plan.pop("rounds", None)
    if rounds is not None and isinstance(plan.get("config"), dict):
        plan["config"] = {"rounds": rounds, **plan["config"]}
    return plan
