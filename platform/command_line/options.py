"""Command lines: from dataclasses, by tyro; and a user's error is one line, not a traceback."""

import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import tyro

from dashboards.tables.terminal import say
from lesions import InputError
from lesions.files import FULL, restrict
from lesions.of_mask import KeySlice
from lesions.readers.from_mask import AS_PAPERS, BRIDGE, LEAST_MM, Taking
from platform.running import interrupted

if TYPE_CHECKING:
    from trainables.system import System

T = TypeVar("T")
AUTO = "auto"
SAME_AGAIN = "go on with the same command: what is done is kept"
OF_MASKS = "--least-mm, --bridge and --key-slice-by"


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a command writes.

    Attributes:
        readable_by: who may read it: its owner, the owner's group, or all; without it what
            LESION_READABLE_BY says, else owner.
    """

    readable_by: Literal["owner", "group", "all"] | None = None


@dataclass(frozen=True, kw_only=True)
class WhichRun(Outputs):
    """Which run a command begins, or goes on with.

    Attributes:
        name: the run's name; without it one is made from the time.
        resume: the name of a run to go on with, as it was started.
        resume_or_start: the name of a run to go on with where there is one, else to start: for
            schedulers that repeat a command.
    """

    name: str | None = None
    resume: str | None = None
    resume_or_start: str | None = None

    def __post_init__(self) -> None:
        """InputError where a run is named twice."""
        if sum(map(bool, (self.name, self.resume, self.resume_or_start))) > 1:
            raise InputError("--name, --resume and --resume-or-start: say one")


@dataclass(frozen=True, kw_only=True)
class FromMasks(Outputs):
    """How lesions are taken from 3D masks.

    Attributes:
        least_mm: a part of --human-masks that is shorter on every slice is set aside as a speck;
            0 takes everything.
        bridge: parts that at most this many empty slices alone part are one lesion; 0 joins none.
        key_slice_by: area: a lesion is measured where its area is largest, as in the papers;
            diameter: where its long axis is longest, as RECIST 1.1 does.
    """

    least_mm: float = LEAST_MM
    bridge: int = BRIDGE
    key_slice_by: KeySlice = "area"

    def taking(self) -> Taking:
        """The same; InputError for what cannot be meant."""
        return Taking(least_mm=self.least_mm, bridge=self.bridge, key_slice=self.key_slice_by)

    def takes_otherwise(self) -> bool:
        """Whether one of them is not as it is by itself."""
        return self.taking() != AS_PAPERS


@dataclass(frozen=True, kw_only=True)
class Which:
    """What is trained.

    Attributes:
        system: one of the published systems, or one from elsewhere, as package.module:Class;
            `--system` before it changes nothing.
        preset: the paper's settings, or small ones for CPUs; auto takes tiny without a GPU.
    """

    system: Annotated[str, tyro.conf.Positional]
    preset: str = AUTO


@dataclass(frozen=True, kw_only=True)
class WhichVariant(Which):
    """What is trained, and which ablation of it or baseline beside it.

    Attributes:
        variant: its name; without it the preset as it is.
    """

    variant: str | None = None


def run(command: Callable[[], None], again: str = "") -> None:
    """Run a command; InputError ends it with its message and exit status 2.

    A signal ends it with a line and the status that shells give it; `again` is how to go on then.
    """
    try:
        with interrupted.caught(), interrupted.going_on(lambda: again):
            command()
    except KeyboardInterrupt:
        sys.exit(interrupted.say_why())
    except Exception as error:
        if interrupted.asked_to_stop():  # what a signal to all of Ray's processes leads to
            sys.exit(interrupted.say_why())
        if isinstance(error, OSError) and error.errno in FULL:
            error = interrupted.disk_full(error)
        if not isinstance(error, InputError):
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def parse(options: Callable[..., T], *, prog: str) -> T:
    """The options of a command without presets."""
    given = sys.argv[1:]
    if "system" in getattr(options, "__dataclass_fields__", {}):
        given = system_first(given)
    parsed: T = _cli(options, prog=prog, args=given)
    return parsed


def take_system(given: Sequence[str]) -> tuple[str | None, list[str]]:
    """The word after `--system`, where there is one, and all other words."""
    for at, word in enumerate(given):
        if word == "--system" and at + 1 < len(given):
            return given[at + 1], [*given[:at], *given[at + 2 :]]
        if word.startswith("--system="):
            return word.removeprefix("--system="), [*given[:at], *given[at + 1 :]]
    return None, list(given)


def system_first(given: Sequence[str]) -> list[str]:
    """The words of a command that takes a system first: `--system WORD` is the same."""
    word, others = take_system(given)
    return others if word is None else [word, *others]


def parse_system(
    options: Any, *, prog: str, has_gpu: Callable[[], bool], make: Callable[[Any], Any]
) -> "tuple[System, str, Any]":
    """The system, the preset's name, and the options with that preset's config as default.

    Args:
        options: a generic dataclass of the config's type.
        prog: how the command is called.
        has_gpu: asked only when the preset is "auto".
        make: from a config to the options' default.
    """
    from trainables.registry import named_system  # see `parse_config`

    arguments = system_first(sys.argv[1:])
    if not arguments or arguments[0] in ("-h", "--help"):
        say_systems(prog)
        sys.exit(0 if arguments else 2)
    system = named_system(arguments[0])
    preset, parsed = parse_config(
        system, options, arguments, prog=prog, has_gpu=has_gpu, make=make, which=WhichVariant
    )
    return system, preset, parsed


def say_systems(prog: str) -> None:
    """How a command that takes a system and a preset is called, and with which."""
    from trainables.registry import SYSTEMS, names  # see `parse_config`

    listed = names()
    say(f"usage: {prog} SYSTEM [--preset PRESET] [--variant NAME] [options]\n\n"
        f"SYSTEM is one of: {', '.join(listed)}; or a class of yours: package.module:Class\n"
        f"All options: {prog} {listed[0]} --help")  # fmt: skip
    for name, system in SYSTEMS.items():
        say(f"presets of {name}: {', '.join([AUTO, *system.presets()])}")
        if variants := system.variants():
            say(f"variants of {name}: {', '.join(variants)}")


def parse_config(
    system: "System",
    options: Any,
    arguments: Sequence[str],
    *,
    prog: str,
    has_gpu: Callable[[], bool],
    make: Callable[[Any], Any],
    which: type[Which] = Which,
) -> tuple[str, Any]:
    """The preset's name, and the options.

    Args:
        system: whose presets and variants are taken.
        options, prog, has_gpu, make: as of `parse_system`.
        arguments: the command's words, of which the first has said the system.
        which: the words before the options.
    """
    from trainables.registry import find_variant  # torch takes seconds, and prepare needs none

    chosen, rest = tyro.cli(
        which, prog=prog, args=_without_help(arguments), return_unknown_args=True, add_help=False
    )
    rest += [word for word in arguments if word in ("-h", "--help")]
    preset, config = _preset(system, chosen.preset, has_gpu)
    if isinstance(chosen, WhichVariant) and chosen.variant is not None:
        config = find_variant(system, chosen.variant)(config)
    default = make(config)
    typed = options[type(config)]
    return preset, _cli(typed, prog=f"{prog} {arguments[0]}", args=rest, default=default)


def _preset(system: "System", name: str, has_gpu: Callable[[], bool]) -> tuple[str, Any]:
    """The preset that is meant, and its config."""
    presets = system.presets()
    name = preset_of(system.name, name, presets, has_gpu)
    return name, presets[name]()


def preset_of(whose: str, said: str, presets: Collection[str], has_gpu: Callable[[], bool]) -> str:
    """The name of the preset that is meant; InputError with the choices.

    Args:
        whose: presets they are, in words.
        said: by the user; AUTO chooses.
        presets: their names.
        has_gpu: whether AUTO takes "paper".
    """
    if said == AUTO:
        said = "paper" if has_gpu() else "tiny"
    if said not in presets:
        raise InputError(
            f"{whose} has no preset {said!r}",
            remedy=f"choose of {', '.join([AUTO, *presets])}",
        )
    return said


def check_positive(options: Any, *names: str) -> None:
    """InputError for a field among `names` that is set, and not above 0."""
    for name in names:
        if (value := getattr(options, name)) is not None and value <= 0:
            raise InputError(f"--{name.replace('_', '-')} is {value}; it must be above 0")


def _cli(options: Any, **arguments: Any) -> Any:
    """Tyro's own message for a bad word; InputError for a value that a dataclass refuses.

    From here on this process writes for those whom the options let read.
    """
    try:
        parsed = tyro.cli(options, **arguments)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(str(error)) from None
    restrict(parsed.readable_by if isinstance(parsed, Outputs) else None)
    return parsed


def _without_help(arguments: Sequence[str]) -> list[str]:
    return [word for word in arguments if word not in ("-h", "--help")]
