"""Many clicks: an actor that loads both stages once and answers the clicks of an image."""

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lesions import InputError
from lesions.files import make_folder, write_text
from lesions.readers.bounded import read_text
from lesions.readers.clicked import read_volumes
from trainables.pdnet.answered import is_answered
from trainables.pdnet.answers import Click, Draw, answer, precision_of
from trainables.pdnet.two_stages import load_two_stages
from trainables.workers import use_assigned_resources

MOST_DEATHS = 2  # Ray starts an actor that died again and again: an image may be to blame
DEATHS = ".deaths"

Item = Mapping[str, str]


def item_of(clicks: Sequence[tuple[str, Click]]) -> dict[str, str]:
    """Clicks on one image, each with its folder's name, as an actor's item."""
    return {"clicks": json.dumps([[name, asdict(click)] for name, click in clicks], default=str)}


def clicks_of(item: Item) -> list[tuple[str, Click]]:
    """What `item_of` was given."""
    return [(name, _click(fields)) for name, fields in json.loads(item["clicks"])]


def _click(fields: dict[str, Any]) -> Click:
    pairs = {name: tuple(fields[name]) for name in ("at", "window")}
    spacing = None if fields["spacing"] is None else tuple(fields["spacing"])
    return Click(**{**fields, **pairs, "spacing": spacing, "image": Path(fields["image"])})


class ClickActor:
    """Answers clicks into folders, one a click, as the single command does.

    Args:
        stages: the folders of both checkpoints.
        model: `identity`'s.
        out: the folder of the clicks' folders; all nodes see it.
        tta, precision: the command's options.
        draw: an answer's picture.
    """

    def __init__(
        self, stages: tuple[Path, Path], model: dict[str, Any], out: Path, tta: bool,
        precision: str, draw: Draw,
    ) -> None:  # fmt: skip
        device = use_assigned_resources()
        self.both = load_two_stages(
            *stages, device, precision=precision_of(precision, device), tta=tta
        )
        self.model, self.out, self.precision, self.draw = model, out, precision, draw
        # An image's other clicks come next: a series or a NIfTI file is read once for them.
        self.volumes = functools.lru_cache(maxsize=1)(read_volumes)

    def __call__(self, item: Item) -> dict[str, str]:
        """Answer an item's clicks; `rejected` holds (folder, reason) of those that cannot be."""
        clicks = clicks_of(item)
        deaths = make_folder(self.out / clicks[0][0]) / DEATHS
        died = _read_deaths(deaths)
        write_text(deaths, str(died + 1))
        rejected = [
            (name, reason) for name, click in clicks if (reason := self._reason(name, click, died))
        ]
        deaths.unlink(missing_ok=True)
        return {"rejected": json.dumps(rejected)}

    def _reason(self, name: str, click: Click, died: int) -> str:
        """Answer a click, unless that is done; "" or why it cannot be answered."""
        if is_answered(self.out / name, click, self.model, self.both.tta, self.precision):
            return ""
        if died >= MOST_DEATHS:
            return f"the worker ended {died} times over this image: is there memory enough?"
        try:
            answer(self.both, self.model, click, self.out / name, self.draw, self.volumes)
        except Exception as error:  # one click must not end a batch; its reason says what happened
            return reason_of(error)
        return ""


def reason_of(error: Exception) -> str:
    """What went wrong, without the file's path: lists of reasons are given away."""
    if isinstance(error, InputError):
        return error.advice
    return f"{type(error).__name__}: {error.strerror if isinstance(error, OSError) else error}"


def _read_deaths(file: Path) -> int:
    """How often a worker ended over these clicks; 0 where the file does not say."""
    try:
        return int(read_text(file, 16))
    except (OSError, ValueError):
        return 0
