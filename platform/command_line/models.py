"""Which trained models answer: registered ones, or folders of checkpoints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lesions import InputError
from lesions.errors import shown
from platform.command_line.options import Outputs
from platform.running.storage import default_storage, writable
from trainables.answering.identity import WHOLE, Checkpoint

if TYPE_CHECKING:
    from trainables.system import System

SAY = "NAME@ALIAS, NAME:VERSION or a checkpoint's folder"


@dataclass(frozen=True, kw_only=True)
class WhichModel(Outputs):
    """Which trained model answers.

    Attributes:
        model: a checkpoint's folder with run.json and best.pt, or a registered model: NAME@ALIAS,
            as NAME@champion, or NAME:VERSION. Of a system in parts NAME@ALIAS stands for all of
            them, and a word that names one, as a folder or NAME-PART:VERSION, goes before it.
        storage: where the registered models are; `MLFLOW_TRACKING_URI` names a server instead.
    """

    model: tuple[str, ...] = ()
    storage: Path | None = None


def checkpoints(
    system: "System", words: Sequence[str], storage: Path | None
) -> Mapping[str, Checkpoint]:
    """Each part's checkpoint by name, in the system's order; "" of a system without parts.

    Registered ones are fetched into the storage.

    Raises:
        InputError: a part is not named or named twice, a checkpoint is of another system, or no
            such model, alias or version is registered.
    """
    named: dict[str, Checkpoint] = {}
    whole = [word for word in words if _is_whole(system, word)]
    if len(whole) > 1:
        raise InputError(f"{' and '.join(map(shown, whole))} both stand for all parts")
    for word in words:
        if word not in whole:
            found = _checkpoint(word, storage)
            part = _part(system, found)
            if part in named:
                raise InputError(f"two models are named for {part or system.name}")
            named[part] = found
    for part in system.parts or ("",):
        if part not in named:
            word = _of_part(whole, part)
            named[part] = _checkpoint(word, storage)
            if (own := _part(system, named[part])) != part:
                raise InputError(f"{shown(word)} is a model of {own or system.name}, not of {part}")
    return {part: named[part] for part in system.parts or ("",)}


def trained_parts(system: "System", words: Sequence[str], storage: Path | None) -> dict[str, Path]:
    """The folders of trained parts that a training takes over, by the parts' names.

    Raises:
        InputError: a part is named twice, a checkpoint is of another system, or no such model.
    """
    found: dict[str, Path] = {}
    for word in words:
        checkpoint = _checkpoint(word, storage)
        part = _part(system, checkpoint)
        if part in found:
            raise InputError(f"two models are named for {part or system.name}")
        found[part] = checkpoint.folder
    return found


def checkpoints_of_any(
    words: Sequence[str], storage: Path | None
) -> "tuple[System, Mapping[str, Checkpoint]]":
    """The system that one of the checkpoints says it is of, and `checkpoints`."""
    from trainables.checkpoint import read_run  # torch takes seconds

    one = _any_of(words[0], storage)
    system, _ = read_run(one.folder)
    return system, checkpoints(system, words, storage)


def _is_whole(system: "System", word: str) -> bool:
    """Whether a word stands for all parts of a system that has some."""
    if _is_folder(word) or not system.parts:
        return False
    name, alias, _ = word.partition("@")
    name = name.partition(":")[0]
    if any(name.endswith(f"-{part}") for part in system.parts):
        return False
    if not alias:
        first = next(iter(system.parts))
        raise InputError(
            f"--model is {shown(word)!r}",
            remedy=f"say NAME@ALIAS; versions are each part's own: NAME-{first}:1",
        )
    return True


def _of_part(whole: Sequence[str], part: str) -> str:
    if not whole:
        raise InputError(f"which {part or WHOLE} is to answer?", remedy=f"say --model {SAY}")
    name, _, alias = whole[0].partition("@")
    return f"{name}-{part}@{alias}"


def _part(system: "System", found: Checkpoint) -> str:
    """Which part of the system a checkpoint says that it is."""
    from trainables.checkpoint import read_run  # torch takes seconds

    own, config = read_run(found.folder)
    if own.name != system.name:
        raise InputError(f"holds a model of {own.name}, not of {system.name}", file=found.folder)
    return system.part(config)


def _any_of(word: str, storage: Path | None) -> Checkpoint:
    """What a word names; of several parts that it stands for, one of them."""
    from platform.tracking.registry import connect, models_of, split
    from platform.tracking.store import reaching
    from trainables.checkpoint import read_run

    if _is_folder(word):
        return _checkpoint(word, storage)
    name, sign, which = split(word)
    store = connect(writable(storage or default_storage()))
    with reaching(store, "start it, or name a checkpoint's folder"):
        there = [str(model.name) for model in models_of(store.client)]
    for other in there if name not in there else ():
        if other.startswith(f"{name}-"):
            found = _checkpoint(f"{other}{sign}{which}", storage)
            system, config = read_run(found.folder)
            if other == f"{name}-{system.part(config)}":
                return found
    return _checkpoint(word, storage)


def _is_folder(word: str) -> bool:
    return _folder(word).exists() or "/" in word or not set("@:") & set(word)


def _folder(word: str) -> Path:
    return Path(word).expanduser().absolute()


def _checkpoint(word: str, storage: Path | None) -> Checkpoint:
    if _is_folder(word):
        return Checkpoint(folder=_folder(word))
    from platform.tracking.registry import (  # mlflow takes seconds, and folders need none
        connect,
        fetch,
    )

    place = writable(storage or default_storage())
    folder, registered = fetch(connect(place), word, place)
    return Checkpoint(folder=folder, registered=registered)
