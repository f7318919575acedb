"""From some of a source's lesions to one part of a prepared set: what a Ray worker runs.

Which lesions make a part depends on the source alone, so the bytes are the same with any number of
workers. A part that is there already is not made again; it is only given the masks that it lacks.
"""

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import cv2

from lesions.errors import InputError
from lesions.lesion import Lesion
from lesions.masks import pseudo_mask
from lesions.prepared.parquet import DamagedError
from lesions.prepared.part import masks_in, part_path, read_part, write_part
from lesions.prepared.remarking import AS_GIVEN, MarksFrom
from lesions.readers.bounded import digest_of
from lesions.readers.deeplesion import (
    EXACT_MASKS,
    TABLE,
    Rejected,
    Remark,
    TableRow,
    is_phantom,
    read_lesion,
    read_table,
)
from lesions.readers.png import encode_labels

ROWS_PER_PART = 32


class Source(Protocol):
    """Where lesions come from.

    Attributes:
        place: its folder, for a manifest and for messages.
        item: what its parts are counted in, in a word.
        one_each: whether an item gives one lesion or is rejected; else it may give several.
    """

    @property
    def place(self) -> Path:
        """See above."""

    @property
    def item(self) -> str:
        """See above."""

    @property
    def one_each(self) -> bool:
        """See above."""

    def identity(self) -> dict[str, str]:
        """A digest that tells its lesions from another's, under a name of its own kind."""

    def options(self) -> dict[str, Any]:
        """How it is read, as JSON: another way would give another set."""

    def parts(self) -> tuple[list[Any], int]:
        """What each part is made of, small, and how many items there are in all.

        Raises:
            InputError: it cannot be used.
        """

    def size(self, part: Any) -> int:
        """How many items a part is made of."""

    def read(self, part: Any) -> Iterator[Lesion | Rejected | Remark]:
        """A part's lesions, what is set aside, and what is said of files; their rows ascend."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table in DeepLesion's layout as a `Source`: an item is a row, and gives one lesion.

    Attributes:
        place: the folder with the table.
        keep_noisy: take rows that the data set flags as possibly noisy.
        values_are_hu: take slices whatever the range of their values says.
        marks: which ones its lesions have; the table's, if nothing else is said.
    """

    place: Path
    keep_noisy: bool = False
    values_are_hu: bool = False
    marks: MarksFrom = AS_GIVEN
    item = "row"
    one_each = True

    def identity(self) -> dict[str, str]:
        """See `Source`."""
        made = {"phantom": EXACT_MASKS} if is_phantom(self.place) else {}
        return {"table": table_digest(self.place), **made, **self.marks.identity}

    def options(self) -> dict[str, Any]:
        """See `Source`."""
        said = {"values_are_hu": True} if self.values_are_hu else {}
        return {"keep_noisy": self.keep_noisy, **said}

    def parts(self) -> tuple[list[bytes], int]:
        """See `Source`; the rows themselves are let go."""
        rows = read_table(self.place)
        return parts_of(rows), len(rows)

    def size(self, part: bytes) -> int:
        """See `Source`."""
        return len(rows_of(part))

    def read(self, part: bytes) -> Iterator[Lesion | Rejected]:
        """See `Source`."""
        for row in rows_of(part):
            read = partial(self._read, row)
            yield _or_rejected(read, row.fields.get("File_name", ""), row.number)

    def _read(self, row: TableRow) -> Lesion:
        how = {"keep_noisy": self.keep_noisy, "values_are_hu": self.values_are_hu}
        return self.marks(read_lesion(row, self.place, **how))


def table_digest(folder: Path) -> str:
    """What tells one data set's table from another's, wherever it lies."""
    return digest_of(folder / TABLE)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is prepared, and how: two runs with the same plan write the same set.

    Attributes:
        source: where its lesions come from; a folder stands for the `Table` in it.
        out: the prepared set's folder.
        masks: the pseudo masks to make.
        keep_noisy: of a table: take rows that the data set flags as possibly noisy.
    """

    source: Path | Source
    out: Path
    masks: tuple[str, ...] = ("snakes",)
    keep_noisy: bool = False

    @property
    def lesions(self) -> Source:
        """Where its lesions come from."""
        if isinstance(self.source, Path):
            return Table(place=self.source, keep_noisy=self.keep_noisy)
        return self.source

    @property
    def mask_columns(self) -> tuple[str, ...]:
        """The masks a part holds: the pseudo masks, and the human one where there is one."""
        return ("human", *self.masks)


def parts_of(rows: Sequence[TableRow]) -> list[bytes]:
    """The rows of each part, packed: what a driver holds of a large table is small."""
    starts = range(0, len(rows), ROWS_PER_PART)
    return [_packed(rows[at : at + ROWS_PER_PART]) for at in starts]


def rows_of(part: bytes) -> list[TableRow]:
    """The rows of one of `parts_of`."""
    return [TableRow(**fields) for fields in json.loads(zlib.decompress(part))]


def _packed(rows: Sequence[TableRow]) -> bytes:
    return zlib.compress(json.dumps([vars(row) for row in rows]).encode(), level=1)


def prepare_parts(items: Sequence[dict[str, Any]], plan: Plan) -> list[dict[str, Any]]:
    """The outcomes of some parts, see `prepare_part`: what a task makes."""
    return [prepare_part(item, plan) for item in items]


def prepare_part(item: dict[str, Any], plan: Plan) -> dict[str, Any]:
    """Make one part, unless it is there with all its masks.

    Args:
        item: `part`, its number; `rows`, one of the source's `parts`.
        plan: what to make.

    Returns:
        `part`, `rows` (how many of the source's items were done) and `error` (empty, or why the
        part was not written: an error returned, not raised, lets the driver say it in one line);
        where there are any, `remarks`, (file, words) of what had to be chosen to read the files.
    """
    cv2.setNumThreads(0)  # there is a worker for each core already
    path = part_path(plan.out, item["part"])
    outcome: dict[str, Any] = {"part": item["part"], "rows": plan.lesions.size(item["rows"])}
    outcome["error"] = ""
    try:
        held = masks_in(path)
        missing = [name for name in plan.mask_columns if name not in (held or ())]
        if held is not None and missing:
            held = _write_further(path, held, missing)
        if held is None:
            made, remarks = _from_source(item["rows"], plan)
            _write(path, made, plan.mask_columns)
            outcome |= {"remarks": remarks} if remarks else {}
    except (OSError, InputError) as error:
        outcome["error"] = str(error)
    return outcome


def _from_source(part: Any, plan: Plan) -> tuple[list[Lesion | Rejected], list[tuple[str, str]]]:
    """The lesions with their masks, and what is set aside; and what is said of files."""
    made: list[Lesion | Rejected] = []
    remarks = []
    for found in plan.lesions.read(part):
        if isinstance(found, Remark):
            remarks.append((found.file, found.words))
        else:
            made.append(_masked_or_rejected(found, plan.masks))
    return made, remarks


def _write_further(path: Path, held: list[str], names: Sequence[str]) -> list[str] | None:
    """Give a part further masks, the same as if they had been made with its others.

    Returns:
        The masks it has now; None where it is damaged.
    """
    try:
        lesions, rejected = read_part(path)
    except DamagedError:
        return None
    made = [_masked_or_rejected(lesion, names) for lesion in lesions]
    made = sorted([*made, *(Rejected(**fields) for fields in rejected)], key=lambda one: one.row)
    _write(path, made, [*held, *names])
    return [*held, *names]


def _masked_or_rejected(lesion: Lesion | Rejected, names: Sequence[str]) -> Lesion | Rejected:
    if isinstance(lesion, Rejected):
        return lesion
    return _or_rejected(partial(_with_masks, lesion, names), lesion.file, lesion.row)


def _write(path: Path, made: Sequence[Lesion | Rejected], masks: Sequence[str]) -> None:
    lesions = [one for one in made if isinstance(one, Lesion)]
    rejected = [asdict(one) for one in made if isinstance(one, Rejected)]
    write_part(path, lesions, masks, rejected)


def _or_rejected(make: Callable[[], Lesion], file: str, row: int) -> Lesion | Rejected:
    """A lesion, or why there is none."""
    try:
        return make()
    except InputError as error:
        return Rejected(file=file, row=row, reason=error.reason)
    except Exception as error:  # one row must not end a batch; its reason says what happened
        return Rejected(file=file, row=row, reason=f"{type(error).__name__}: {error}")


def _with_masks(lesion: Lesion, names: Sequence[str]) -> Lesion:
    slice_hu = lesion.slice_hu
    made = {
        name: encode_labels(pseudo_mask(name, slice_hu, lesion.recist, lesion.window))
        for name in names
    }
    return replace(lesion, masks={**lesion.masks, **made})
