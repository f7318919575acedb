"""The clicks of a table, answered over the cluster; a run that was killed goes on where it was."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.progress import track

from dashboards.plots.overlays import click_overlay
from dashboards.tables.terminal import say
from lesions import InputError, Rejected
from lesions.files import make_folder
from lesions.readers.click_table import ClickRow, read_click_table
from lesions.writers.csv_rows import write_csv
from platform.command_line.models import Checkpoint
from platform.running.actors import over_actors
from platform.running.cluster import cluster
from trainables.pdnet.answered import is_answered, read_answer
from trainables.pdnet.answers import Click, clear, remove
from trainables.pdnet.batch import DEATHS, ClickActor, item_of

if TYPE_CHECKING:
    from platform.predict import PredictOptions

ANSWERS, REJECTED = "answers.csv", "rejected.csv"
COLUMNS = ("id", "image", "slice", "x", "y", "long_mm", "short_mm", "area_mm2", "spread_max_mm",
           "stage1_found", "folder")  # fmt: skip
CLICKS_AN_ITEM = 16  # a series with hundreds is shared out all the same


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A row and its click, with the command's options where the row is empty."""

    row: ClickRow
    click: Click


def answer_table(
    options: "PredictOptions",
    stages: tuple[Checkpoint, Checkpoint],
    model: dict[str, Any],
    out: Path,
) -> None:
    """Answer every click of the table that is not answered yet, and write both lists.

    Args:
        options: the command's.
        stages: both checkpoints; they have been loaded once, so that a bad one was told of.
        model: their `identity`.
        out: the folder of the answers' folders.

    Raises:
        InputError: the table cannot be used, or no click at all was answered.
    """
    assert options.clicks is not None
    rows, rejected, ignored = read_click_table(options.clicks)
    if ignored:
        say(f"columns that are not read: {', '.join(ignored)}")
    for name in (ANSWERS, REJECTED):  # they say that a run has ended
        remove(out / name)
    asked, without = _asked(rows, options, out)
    rejected += without
    todo = [
        one for one in asked
        if not is_answered(out / one.row.folder, one.click, model, options.tta, options.precision)
    ]  # fmt: skip
    say(f"{len(asked) + len(rejected)} clicks: {len(asked) - len(todo)} answered before, "
        f"{len(todo)} to answer, {len(rejected)} set aside")  # fmt: skip
    reasons = _answer(options, stages, model, todo, out)
    for one in todo:
        if one.row.folder in reasons:
            rejected.append(_rejected(one.row, reasons[one.row.folder]))
            _forget(out / one.row.folder)
    answered, gone = _lines([one.row for one in asked if one.row.folder not in reasons], out)
    rejected += gone
    _write_rejected(out / REJECTED, rejected)
    write_csv(out / ANSWERS, COLUMNS, answered)
    say(f"{len(answered)} answered: {out / ANSWERS}\n"
        f"{len(rejected)} rejected: {out / REJECTED}")  # fmt: skip
    if not answered:
        raise InputError(
            "no click could be answered", file=options.clicks, remedy=f"see {out / REJECTED}"
        )


def _asked(
    rows: Sequence[ClickRow], options: "PredictOptions", out: Path
) -> tuple[list[Asked], list[Rejected]]:
    """The rows with their clicks, and those whose folder cannot be made."""
    asked, rejected = [], []
    for row in rows:
        try:
            make_folder(out / row.folder)
            remove(out / row.folder / DEATHS)  # a driver that was killed is no image's fault
        except OSError as error:
            reason = f"its folder {row.folder} cannot be made: {error.strerror}"
            rejected.append(_rejected(row, reason))
        else:
            asked.append(Asked(row=row, click=_click(row, options)))
    return asked, rejected


def _click(row: ClickRow, options: "PredictOptions") -> Click:
    """Only a PNG takes the command's spacing: a table may hold other images beside."""
    png = row.written.lower().endswith(".png")
    return Click(
        image=row.image,
        at=row.at,
        index=options.slice if row.index is None else row.index,
        spacing=row.spacing or (options.spacing if png else None),
        window=row.window or options.window,
    )


def _answer(
    options: "PredictOptions",
    stages: tuple[Checkpoint, Checkpoint],
    model: dict[str, Any],
    todo: Sequence[Asked],
    out: Path,
) -> dict[str, str]:
    """The reasons of those that could not be answered, by their folders' names."""
    if not todo:
        return {}
    items = [item_of([(one.row.folder, one.click) for one in some]) for some in _by_image(todo)]
    arguments = {
        "stages": tuple(stage.folder.absolute() for stage in stages), "model": model, "out": out,
        "tta": options.tta, "precision": options.precision, "draw": click_overlay,
    }  # fmt: skip
    reasons: dict[str, str] = {}
    with cluster() as resources:
        done = over_actors(items, ClickActor, arguments, resources)
        for found in track(done, "measuring", len(items)):
            reasons.update(json.loads(found["rejected"]))
    return reasons


def _by_image(todo: Sequence[Asked]) -> Iterator[Sequence[Asked]]:
    """The clicks of one image stand together, at most CLICKS_AN_ITEM at a time."""
    images: dict[Path, list[Asked]] = defaultdict(list)
    for one in todo:
        images[one.click.image].append(one)
    for clicks in images.values():
        for at in range(0, len(clicks), CLICKS_AN_ITEM):
            yield clicks[at : at + CLICKS_AN_ITEM]


def _forget(folder: Path) -> None:
    """What an earlier table's row may have left where this one's cannot be answered."""
    if folder.is_dir():
        clear(folder)
        if not any(folder.iterdir()):
            folder.rmdir()


def _rejected(row: ClickRow, reason: str) -> Rejected:
    return Rejected(file=row.written, row=row.number, reason=reason)


def _write_rejected(path: Path, rejected: Sequence[Rejected]) -> None:
    rows = [(one.row, one.file, one.reason) for one in sorted(rejected, key=lambda one: one.row)]
    write_csv(path, ("row", "image", "reason"), rows)


def _lines(rows: Sequence[ClickRow], out: Path) -> tuple[list[tuple[Any, ...]], list[Rejected]]:
    """The answers' lines, and the rows whose answers are gone by now."""
    lines, rejected = [], []
    for row in rows:
        if found := read_answer(out / row.folder):
            lines.append(_line(row, found))
        else:
            reason = "its answer was damaged or deleted after it was written"
            rejected.append(_rejected(row, reason))
    return lines, rejected


def _line(row: ClickRow, found: Mapping[str, Any]) -> tuple[Any, ...]:
    recist = found["recist"]
    axes = [recist[name] for name in ("long_axis", "short_axis")] if recist else []
    lengths = [axis["mm"] for axis in axes] or ["", ""]
    spreads = [end["spread_mm"] for axis in axes for end in axis["ends"]]
    spread = "" if not spreads or None in spreads else max(spreads)
    return (row.id, row.written, found["slice"], *found["click"], *lengths,
            found["mask"]["area_mm2"], spread, found["stage1_found"], row.folder)  # fmt: skip
