"""Which trained models answer: both stages of a registered one, or folders of checkpoints."""

from dataclasses import dataclass
from pathlib import Path

from lesions import InputError
from platform.command_line.options import Outputs
from platform.running.storage import default_storage, writable


@dataclass(frozen=True, kw_only=True)
class BothStages(Outputs):
    """Which trained models answer.

    Attributes:
        model: both stages of a registered model, NAME@ALIAS, as pdnet@champion.
        stage1: stage 1's model: a checkpoint's folder with run.json and best.pt, or a registered
            NAME@ALIAS or NAME:VERSION. It goes before --model's.
        stage2: stage 2's.
        storage: where the registered models are; `MLFLOW_TRACKING_URI` names a server instead.
    """

    model: str | None = None
    stage1: str | None = None
    stage2: str | None = None
    storage: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A trained stage.

    Attributes:
        folder: with run.json and best.pt.
        registered: its NAME:VERSION, where it comes from the registry.
    """

    folder: Path
    registered: str | None = None


def checkpoints(which: BothStages) -> tuple[Checkpoint, Checkpoint]:
    """Stage 1's and stage 2's checkpoints; registered ones are fetched into the storage.

    Raises:
        InputError: a stage is not named, or no such model, alias or version is registered.
    """
    if which.model is not None and "@" not in which.model:
        raise InputError(
            f"--model is {which.model!r}",
            remedy="say NAME@ALIAS, as pdnet@champion; versions are each stage's own: "
            "--stage1 NAME-stage1:1",
        )
    words = []
    for stage, own in ((1, which.stage1), (2, which.stage2)):
        if own is None and which.model is None:
            raise InputError(
                f"which stage {stage} is to answer?",
                remedy=f"say --model NAME@ALIAS, or --stage{stage} FOLDER",
            )
        words.append(own if own is not None else _of_stage(str(which.model), stage))
    first, second = words
    return _checkpoint(first, which.storage), _checkpoint(second, which.storage)


def _of_stage(model: str, stage: int) -> str:
    name, _, alias = model.partition("@")
    return f"{name}-stage{stage}@{alias}"


def _checkpoint(word: str, storage: Path | None) -> Checkpoint:
    folder = Path(word).expanduser().absolute()
    if folder.exists() or "/" in word or not set("@:") & set(word):
        return Checkpoint(folder=folder)
    from platform.tracking.registry import (  # mlflow takes seconds, and folders need none
        connect,
        fetch,
    )

    place = writable(storage or default_storage())
    folder, registered = fetch(connect(place), word, place)
    return Checkpoint(folder=folder, registered=registered)
