"""The prompts of a table, answered over the cluster; a run that was killed goes on where it was."""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import track

from dashboards.plots.overlays import answer_overlay
from dashboards.tables.terminal import say
from lesions import InputError, Rejected
from lesions.files import make_folder
from lesions.prompts import Prompt
from lesions.readers.prompt_table import PromptRow, read_prompt_table
from lesions.writers.csv_rows import write_csv
from lesions.writers.dicom import Algorithm
from platform.running.actors import over_actors
from platform.running.cluster import cluster
from trainables.answering.answered import is_answered, read_answer
from trainables.answering.answerer import Answering
from trainables.answering.answers import MEASURED, STATUSES
from trainables.answering.batch import DEATHS, AnswerActor, item_of
from trainables.answering.combined import combine, objects_in, remove_combined
from trainables.answering.files import forget, remove
from trainables.answering.question import Question

ANSWERS, REJECTED = "answers.csv", "rejected.csv"
BEFORE = ("id", "image", "slice")
AFTER = (
    "long_mm", "short_mm", "area_mm2", "spread_max_mm", "status", "found", "doubt", "tracking_id",
    "tracking_uid", "folder", "dicom",
)  # fmt: skip
STATUS = AFTER.index("status") - len(AFTER)  # of a line: columns before differ by the prompt
IMAGES = "images"  # the folder of the DICOM objects of images with several lesions
QUESTIONS_AN_ITEM = 16  # a series with hundreds is shared out all the same


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of prompts, and what is asked where a row is empty.

    Attributes:
        path: the CSV file.
        kind: of the prompts.
        out: the folder of the answers' folders.
        index: the slice.
        spacing: (x, y) mm of a PNG: the table may hold other images beside.
        window: (low, high) HU.
        values_are_hu: whatever their range says.
    """

    path: Path
    kind: type[Prompt]
    out: Path
    index: int | None
    spacing: tuple[float, float] | None
    window: tuple[float, float]
    values_are_hu: bool = False

    def question(self, row: PromptRow) -> Question:
        """What a row asks."""
        png = row.written.lower().endswith(".png")
        return Question(
            image=row.image,
            prompt=row.prompt,
            index=self.index if row.index is None else row.index,
            spacing=row.spacing or (self.spacing if png else None),
            window=row.window or self.window,
            values_are_hu=self.values_are_hu,
            tracking=row.tracking,
            number=row.number,
        )


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A row and its question."""

    row: PromptRow
    question: Question


def answer_table(table: Table, answering: Answering) -> int:
    """Answer every row of the table that is not answered yet, and write both lists.

    Args:
        table: what is asked.
        answering: who answers; it has been loaded once, so that a bad checkpoint was told of.

    Returns:
        How many rows have a measurement.

    Raises:
        InputError: the table cannot be used, or no row at all was answered.
    """
    out = table.out
    rows, rejected, ignored = read_prompt_table(table.path, table.kind)
    if ignored:
        say(f"columns that are not read: {', '.join(ignored)}")
    for name in (ANSWERS, REJECTED):  # they say that a run has ended
        remove(out / name)
    asked, without = _asked(rows, table)
    rejected += without
    todo = [
        one for one in asked if not is_answered(out / one.row.folder, one.question, answering)
    ]  # fmt: skip
    say(f"{len(asked) + len(rejected)} rows: {len(asked) - len(todo)} answered before, "
        f"{len(todo)} to answer, {len(rejected)} set aside")  # fmt: skip
    reasons = _answer(answering, todo, out)
    for one in todo:
        if one.row.folder in reasons:
            rejected.append(_rejected(one.row, reasons[one.row.folder]))
            forget(out / one.row.folder)
    told = [one for one in asked if one.row.folder not in reasons]
    answered, gone = _lines(told, combine_all(told, answering, out), out)
    rejected += gone
    _write_rejected(out / REJECTED, rejected)
    write_csv(out / ANSWERS, (*BEFORE, *table.kind.columns, *AFTER), answered)
    counts = Counter(line[STATUS] for line in answered)
    listed = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
    say(f"{len(answered)} answered{listed and f' ({listed})'}: {out / ANSWERS}\n"
        f"{len(rejected)} rejected: {out / REJECTED}")  # fmt: skip
    if not answered:
        raise InputError(
            "no row could be answered", file=table.path, remedy=f"see {out / REJECTED}"
        )
    return counts[MEASURED]


def _asked(rows: Sequence[PromptRow], table: Table) -> tuple[list[Asked], list[Rejected]]:
    """The rows with their questions, and those whose folder cannot be made."""
    asked, rejected = [], []
    for row in rows:
        try:
            make_folder(table.out / row.folder)
            remove(table.out / row.folder / DEATHS)  # a driver that was killed is no image's fault
        except OSError as error:
            reason = f"its folder {row.folder} cannot be made: {error.strerror}"
            rejected.append(_rejected(row, reason))
        else:
            asked.append(Asked(row=row, question=table.question(row)))
    return asked, rejected


def _answer(answering: Answering, todo: Sequence[Asked], out: Path) -> dict[str, str]:
    """The reasons of those that could not be answered, by their folders' names."""
    if not todo:
        return {}
    items = [item_of([(one.row.folder, one.question) for one in some]) for some in _by_image(todo)]
    arguments = {"answering": answering, "out": out, "draw": answer_overlay}
    reasons: dict[str, str] = {}
    with cluster() as resources:
        done = over_actors(items, AnswerActor, arguments, resources)
        for found in track(done, "measuring", len(items)):
            reasons.update(json.loads(found["rejected"]))
    return reasons


def _by_image(todo: Sequence[Asked]) -> Iterator[Sequence[Asked]]:
    """The questions about one image stand together, at most QUESTIONS_AN_ITEM at a time."""
    for some in _images(todo).values():
        for at in range(0, len(some), QUESTIONS_AN_ITEM):
            yield some[at : at + QUESTIONS_AN_ITEM]


def _images(asked: Sequence[Asked]) -> dict[str, list[Asked]]:
    """The questions about each image, in order."""
    images: dict[str, list[Asked]] = defaultdict(list)
    for one in asked:
        images[os.path.abspath(one.question.image)].append(one)
    return images


def combine_all(told: Sequence[Asked], answering: Answering, out: Path) -> dict[str, str]:
    """Write the DICOM objects of images with several lesions; where each row's are, by its folder.

    What an earlier table left there is deleted.
    """
    algorithm = Algorithm(name=answering.model.system, version=answering.model.version)
    places: dict[str, str] = {}
    for some in _images(told).values():
        place = f"{IMAGES}/{some[0].row.folder}"
        folders = [out / one.row.folder for one in some]
        for words in combine(folders, algorithm, out / place, fewest=2):
            say(f"warning: {some[0].row.written}: {words}")
        together = objects_in(out / place)
        for one in some:
            own = objects_in(out / one.row.folder)
            there = place if own & together else one.row.folder
            places[one.row.folder] = there if own else ""
    for folder in (out / IMAGES).glob("*"):
        if f"{IMAGES}/{folder.name}" not in places.values():
            remove_combined(folder)
            with suppress(OSError):  # it holds something else, or is none
                folder.rmdir()
    return places


def _rejected(row: PromptRow, reason: str) -> Rejected:
    return Rejected(file=row.written, row=row.number, reason=reason)


def _write_rejected(path: Path, rejected: Sequence[Rejected]) -> None:
    rows = [(one.row, one.file, one.reason) for one in sorted(rejected, key=lambda one: one.row)]
    write_csv(path, ("row", "image", "reason"), rows)


def _lines(
    told: Sequence[Asked], places: Mapping[str, str], out: Path
) -> tuple[list[tuple[Any, ...]], list[Rejected]]:
    """The answers' lines, and the rows whose answers are gone by now."""
    lines, rejected = [], []
    for row in (one.row for one in told):
        if found := read_answer(out / row.folder):
            lines.append(_line(row, found, places[row.folder]))
        else:
            reason = "its answer was damaged or deleted after it was written"
            rejected.append(_rejected(row, reason))
    return lines, rejected


def _line(row: PromptRow, found: Mapping[str, Any], place: str) -> tuple[Any, ...]:
    recist, mask = found["recist"], found["mask"]
    axes = [recist[name] for name in ("long_axis", "short_axis")] if recist else []
    lengths = [axis["mm"] for axis in axes] or ["", ""]
    spreads = [end["spread_mm"] for axis in axes for end in axis["ends"]]
    spread = "" if not spreads or None in spreads else max(spreads)
    told = [number for point in found["told"]["points"] for number in point]
    tracking = found["tracking"]
    said = found["status"], found["found"], found.get("doubt", "")
    called = tracking["identifier"], tracking["uid"] or ""
    return (row.id, row.written, found["slice"], *told, *lengths, mask["area_mm2"] if mask else "",
            spread, *said, *called, row.folder, place)  # fmt: skip
