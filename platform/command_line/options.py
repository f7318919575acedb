"""Command lines: from dataclasses, by tyro; and a user's error is one line, not a traceback."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import tyro

from lesions import InputError
from lesions.files import restrict

if TYPE_CHECKING:
    from trainables.system import System

T = TypeVar("T")
Preset = Literal["auto", "paper", "tiny"]


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """What a command writes.

    Attributes:
        readable_by: who may read it: its owner, the owner's group, or all; without it what
            LESION_READABLE_BY says, else owner.
    """

    readable_by: Literal["owner", "group", "all"] | None = None


@dataclass(frozen=True, kw_only=True)
class Which:
    """What is trained.

    Attributes:
        system: one of the published systems.
        preset: the paper's settings, or small ones for CPUs; auto takes tiny without a GPU.
    """

    system: Annotated[str, tyro.conf.Positional]
    preset: Preset = "auto"


@dataclass(frozen=True, kw_only=True)
class WhichVariant(Which):
    """What is trained, and which ablation of it or baseline beside it.

    Attributes:
        variant: its name; without it the preset as it is.
    """

    variant: str | None = None


def run(command: Callable[[], None]) -> None:
    """Run a command; InputError ends it with its message and exit status 2."""
    try:
        command()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def parse(options: Callable[..., T], *, prog: str) -> T:
    """The options of a command without presets."""
    parsed: T = _cli(options, prog=prog)
    return parsed


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
    from trainables.registry import SYSTEMS, find_system  # see `parse_config`

    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"usage: {prog} SYSTEM [--preset auto|paper|tiny] [--variant NAME] [options]\n")
        print(f"SYSTEM is one of: {', '.join(SYSTEMS)}. All options: {prog} pdnet --help")
        for name, system in SYSTEMS.items():
            print(f"variants of {name}: {', '.join(system.variants())}")
        sys.exit(0 if arguments else 2)
    system = find_system(arguments[0])
    preset, parsed = parse_config(
        system, options, prog=prog, has_gpu=has_gpu, make=make, which=WhichVariant
    )
    return system, preset, parsed


def parse_config(
    system: "System",
    options: Any,
    *,
    prog: str,
    has_gpu: Callable[[], bool],
    make: Callable[[Any], Any],
    which: type[Which] = Which,
) -> tuple[str, Any]:
    """The preset's name, and the options; the first word, which says the system, is read already.

    Args:
        system: whose presets and variants are taken.
        options, prog, has_gpu, make: as of `parse_system`.
        which: the words before the options.
    """
    from trainables.registry import find_variant  # torch takes seconds, and prepare needs none

    arguments = sys.argv[1:]
    chosen, rest = tyro.cli(
        which, prog=prog, args=_without_help(arguments), return_unknown_args=True, add_help=False
    )
    rest += [word for word in arguments if word in ("-h", "--help")]
    preset: str = chosen.preset
    if preset == "auto":
        preset = "paper" if has_gpu() else "tiny"
    config = system.presets()[preset]()
    if isinstance(chosen, WhichVariant) and chosen.variant is not None:
        config = find_variant(system, chosen.variant)(config)
    default = make(config)
    typed = options[type(config)]
    return preset, _cli(typed, prog=f"{prog} {chosen.system}", args=rest, default=default)


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
