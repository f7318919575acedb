"""The DeepLesion data set on disk: `DL_info.csv` beside `Images_png/PPPPPP_SS_RR/KKK.png`.

Yan et al. 2018, doi:10.1117/1.JMI.5.3.036501. Any data in this layout reads the same way, our
sample too; human masks, where there are any, lie in `Masks_png/PPPPPP_SS_RR/KKK_N.png`, N being
the annotation's number among those of its slice (1 = the first in the table).
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lesions.errors import InputError
from lesions.labels import check_lesion
from lesions.lesion import LESION_TYPES, SPLITS, Lesion
from lesions.readers.bounded import open_regular, read_bytes
from lesions.readers.csv_rows import Record, read_csv
from lesions.readers.hounsfield import REMEDY, not_hu
from lesions.readers.png import LARGEST_SIDE
from lesions.recist import Recist

TABLE = "DL_info.csv"
PHANTOM = "Phantom"  # a further column, of made lesions alone
EXACT_MASKS = "exact masks of made lesions (phantom)"  # what these are judged by

# A coordinate c of the table lies at c - 0.5 when pixel centres are at integers: on 158 lesions
# with human masks (ULS23) ellipses score Dice 0.853 so, 0.842 as written and 0.833 at c - 1.
ORIGIN = 0.5

COLUMNS = (
    "File_name", "Patient_index", "Study_index", "Series_ID", "Measurement_coordinates",
    "Coarse_lesion_type", "Possibly_noisy", "Spacing_mm_px_", "Image_size", "DICOM_windows",
    "Train_Val_Test",
)  # fmt: skip
TYPE_CODES = {"-1": LESION_TYPES[0]} | {str(c): n for c, n in enumerate(LESION_TYPES[1:], 1)}
SPLIT_CODES = {str(code): name for code, name in enumerate(SPLITS, 1)}
# No more digits than a file's name may have.
_FILE_NAME = re.compile(r"([0-9]{1,9}(?:_[0-9]{1,9}){2})_([0-9]{1,9})\.png")
_SPACINGS = (1e-3, 1e3)  # mm


@dataclass(frozen=True, kw_only=True)
class TableRow:
    """One row of the table, as written.

    Attributes:
        number: 1 = the first row after the header.
        nth: which annotation of its slice it is, 1 = the first in the table.
        fields: the text of each column; a column that the row lacks is absent.
        surplus: how many fields it has beyond the last column.
        damage: why the row cannot be read at all; it has no fields then.
    """

    number: int
    nth: int
    fields: Mapping[str, str]
    surplus: int = 0
    damage: str = ""


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A row set aside, and why."""

    file: str
    row: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Remark:
    """What had to be chosen or left out to read a file, in a sentence."""

    file: str
    words: str


def read_deeplesion(
    root: str | Path, *, keep_noisy: bool = False
) -> tuple[list[Lesion], list[Rejected]]:
    """Read every lesion under `root` whose row, slice and human mask, if any, are sound.

    Pixels are checked now and decoded again when asked for, so memory stays small.

    Returns:
        The lesions, and the rejected rows with their reasons; together they are the table.

    Raises:
        InputError: the table itself is missing, empty or lacks a column.
    """
    lesions, rejected = [], []
    for row in read_table(root):
        try:
            lesions.append(read_lesion(row, root, keep_noisy=keep_noisy))
        except InputError as error:
            rejected.append(
                Rejected(file=row.fields.get("File_name", ""), row=row.number, reason=error.reason)
            )
    return lesions, rejected


def read_table(root: str | Path) -> list[TableRow]:
    """The table's rows as text; InputError when the table itself cannot be used."""
    path = Path(root) / TABLE
    if not path.exists():
        raise InputError(
            "there is no such file", file=path, remedy=f"--source is the folder that holds {TABLE}"
        )
    columns, records = read_csv(path)
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        raise InputError(
            f"the table lacks the columns {', '.join(missing)}",
            file=path,
            remedy="take DL_info.csv as NIH publishes it",
        )
    if not records:
        raise InputError("the table has no rows", file=path, remedy="download it again")
    return list(_rows(columns, records))


def is_phantom(root: str | Path) -> bool:
    """Whether the table says that its lesions are made ones."""
    with open_regular(Path(root) / TABLE) as file:
        columns = file.readline(1 << 16).decode("utf-8", "replace")
    return PHANTOM in (name.strip(' "\r\n') for name in columns.split(","))


def _rows(columns: Sequence[str], records: Iterable[Record]) -> Iterator[TableRow]:
    seen: Counter[str] = Counter()
    for record in records:
        fields = dict(zip(columns, record.cells, strict=False))
        seen[fields.get("File_name", "")] += 1
        yield TableRow(
            number=record.number,
            nth=seen[fields.get("File_name", "")],
            fields=fields,
            surplus=max(0, len(record.cells) - len(columns)),
            damage=record.damage,
        )


def read_lesion(
    row: TableRow, root: str | Path, *, keep_noisy: bool = False, values_are_hu: bool = True
) -> Lesion:
    """The lesion of one row, its slice decoded and checked.

    Args:
        row: of `read_table`.
        root: the folder with the table.
        keep_noisy: take a row that the data set flags as possibly noisy.
        values_are_hu: whatever the range of the slice's values says.

    Raises:
        InputError: what is wrong, with the file and row; see the module's tests for every case.
    """
    try:
        return _read_lesion(row, Path(root), keep_noisy, values_are_hu)
    except InputError as error:
        file = row.fields.get("File_name") or TABLE
        raise InputError(error.reason, file=file, row=row.number, remedy=error.remedy) from None


def _read_lesion(row: TableRow, root: Path, keep_noisy: bool, values_are_hu: bool) -> Lesion:
    if row.damage:
        raise InputError(row.damage)
    if row.surplus:
        raise InputError(f"the row has {row.surplus} more fields than the table has columns")
    folder, index = _location(_text(row, "File_name"))
    noisy = _choice(row, "Possibly_noisy", {"0": "", "1": "noisy"}) == "noisy"
    if noisy and not keep_noisy:
        raise InputError("flagged as possibly noisy by the data set", remedy="--keep-noisy")
    spacing, window = _numbers(row, "Spacing_mm_px_", 3), _numbers(row, "DICOM_windows", 2)
    if min(spacing) <= 0:
        raise InputError(f"Spacing_mm_px_ is not positive: {spacing}")
    if min(spacing) < _SPACINGS[0] or max(spacing) > _SPACINGS[1]:
        raise InputError(f"Spacing_mm_px_ is beyond 0.001 to 1000 mm: {spacing}")
    if not -32768 <= window[0] <= window[1] - 1 <= 32766:
        raise InputError(f"DICOM_windows is not low, high of 16-bit HU: {window}")
    width, height = _numbers(row, "Image_size", 2)
    if not all(1 <= side <= LARGEST_SIDE and side.is_integer() for side in (width, height)):
        raise InputError(f"Image_size is not whole numbers up to {LARGEST_SIDE}: "
                         f"{width:g}, {height:g}")  # fmt: skip
    shape = int(height), int(width)
    recist = recist_of(_numbers(row, "Measurement_coordinates", 8), shape)
    lesion = Lesion(
        file=_text(row, "File_name"),
        row=row.number,
        recist=recist,
        spacing=(spacing[0], spacing[1], spacing[2]),
        window=(window[0], window[1]),
        shape=shape,
        encoded=root / "Images_png" / folder / f"{index}.png",
        masks=_human_mask(root / "Masks_png" / folder / f"{index}_{row.nth}.png"),
        patient=_text(row, "Patient_index").strip(),
        study=_text(row, "Study_index").strip(),
        series=_text(row, "Series_ID").strip(),
        lesion_type=_choice(row, "Coarse_lesion_type", TYPE_CODES),
        split=_choice(row, "Train_Val_Test", SPLIT_CODES),
        noisy=noisy,
    )
    _check_pixels(lesion, values_are_hu)
    return lesion


def _location(file_name: str) -> tuple[str, str]:
    """The folder and the slice number; a name that leaves the root never matches."""
    match = _FILE_NAME.fullmatch(file_name)
    if match is None:
        raise InputError(
            f"File_name {file_name!r:.100} is not of the form PPPPPP_SS_RR_KKK.png",
            remedy="a path outside Images_png is never opened",
        )
    return match[1], match[2]


def recist_of(numbers: Sequence[float], shape: tuple[int, int]) -> Recist:
    """The RECIST of eight coordinates of the table in a slice (H, W); InputError for none."""
    points = np.reshape(numbers, (4, 2)) - ORIGIN
    last = np.array(shape[::-1]) - 0.5
    if not ((points >= -0.5) & (points <= last)).all():
        raise InputError(f"an endpoint lies outside the {shape[1]} × {shape[0]} image: "
                         f"{', '.join(f'{one:g}' for one in numbers)}")  # fmt: skip
    try:
        return Recist(points)
    except ValueError as error:
        raise InputError(str(error)) from None


def _check_pixels(lesion: Lesion, values_are_hu: bool) -> None:
    assert isinstance(lesion.encoded, Path)
    try:
        slice_hu = lesion.slice_hu
        shape = slice_hu.shape
        mask = lesion.mask("human") if "human" in lesion.masks else None
    except FileNotFoundError:
        raise InputError(
            f"the slice is absent: {'/'.join(lesion.encoded.parts[-3:])}",
            remedy="download the part of Images_png that holds it",
        ) from None
    except OSError as error:
        raise InputError(f"the slice cannot be read: {_why(error)}") from None
    if shape != lesion.shape:
        raise InputError(f"the PNG is {shape[1]} × {shape[0]}, Image_size says "
                         f"{lesion.shape[1]} × {lesion.shape[0]}")  # fmt: skip
    if not values_are_hu and (reason := not_hu(slice_hu)):
        raise InputError(f"no HU: {reason}", remedy=REMEDY)
    if mask is None:
        return
    if mask.shape != shape:
        raise InputError(f"the human mask is {mask.shape[1]} × {mask.shape[0]}, its slice "
                         f"{shape[1]} × {shape[0]}")  # fmt: skip
    check_lesion(mask == 1, mask)


def _human_mask(path: Path) -> dict[str, bytes]:
    try:
        return {"human": read_bytes(path)}
    except FileNotFoundError:
        return {}
    except (OSError, InputError) as error:
        raise InputError(f"the human mask cannot be read: {_why(error)}") from None


def _why(error: OSError | InputError) -> str:
    """Without the path: a reason is counted with its like."""
    return error.reason if isinstance(error, InputError) else error.strerror or str(error)


def _text(row: TableRow, column: str) -> str:
    if column not in row.fields:
        raise InputError(f"the row ends before its column {column}")
    return row.fields[column]


def _numbers(row: TableRow, column: str, count: int) -> list[float]:
    text = _text(row, column)
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"{column} is not {count} numbers: {text!r:.200}") from None
    if len(numbers) != count:
        raise InputError(f"{column} has {len(numbers)} numbers, not {count}: {text!r:.200}")
    if not all(map(math.isfinite, numbers)):
        raise InputError(f"{column} holds a number that is not finite: {text!r:.200}")
    return numbers


def _choice(row: TableRow, column: str, names: Mapping[str, str]) -> str:
    text = _text(row, column).strip()
    if text not in names:
        raise InputError(f"{column} is {text!r:.100}, not one of {', '.join(names)}")
    return names[text]
