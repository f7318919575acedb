"""DICOM files, however a hospital names and mixes them, to one volume a CT series."""

import os
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lesions.errors import InputError
from lesions.readers.dicom.archives import MOST_RATIO, is_archive, members, size_of
from lesions.readers.dicom.copies import without_copies
from lesions.readers.dicom.gantry import MOST_GANTRY
from lesions.readers.dicom.header import Slice, check_voxels, read_header
from lesions.readers.dicom.pixels import read_hu
from lesions.readers.dicom.scouts import without_scouts
from lesions.readers.dicom.series import MOST_UNEVEN, UNKNOWN_THICKNESS, Stack, series_of, stack
from lesions.readers.dicom.tags import named_errors
from lesions.readers.display import MOST_TILT, empty_in_display_order, spacing_of
from lesions.volume import SliceOrigin, Volume

UNNAMED = "SeriesInstanceUID is missing: the files are taken for one series"
SPARE_BYTES = 64 << 20  # of HU beyond that ratio, of all series together


@dataclass(frozen=True, kw_only=True)
class RejectedFile:
    """A file set aside, and why."""

    file: Path
    reason: str


def read_dicom(path: str | Path) -> list[Volume]:
    """Read a DICOM file, or every CT series of a folder or .zip; docs/dicom.md: what is refused.

    A folder's files that are set aside are counted in a warning; `read_dicom_folder` names them.

    Returns:
        One volume a series, in the order of their names; a file alone is a series of its own.

    Raises:
        InputError: the file is refused, or nothing in the folder can be read; with the reasons.
    """
    path = Path(path)
    if not path.is_dir() and not is_archive(path):
        volumes, rejected = _read([path])
        for one in rejected:
            raise InputError(one.reason, file=path)
        return volumes
    volumes, rejected = read_dicom_folder(path)
    if not volumes:
        raise InputError(f"no CT series can be read: {_counted(rejected)}", file=path)
    if rejected:
        warnings.warn(
            f"{path}: {len(rejected)} files are set aside ({_counted(rejected)}); "
            "read_dicom_folder names them",
            stacklevel=2,
        )
    return volumes


def read_dicom_folder(root: str | Path) -> tuple[list[Volume], list[RejectedFile]]:
    """Read every CT series below `root`, whatever the files are called and lie beside.

    Args:
        root: a folder, or a .zip.

    Returns:
        One volume a series, and the files that are in none of them; together, every file.

    Raises:
        InputError: there is no such folder, one that may not be read, or a damaged .zip.
    """
    root = Path(root)
    if is_archive(root):
        return _read(members(root))
    if not root.is_dir():
        raise InputError("there is no such folder", file=root)
    walk = os.walk(root, onerror=_refuse_folder)
    return _read(sorted(Path(folder, name) for folder, _, names in walk for name in names))


def _refuse_folder(error: OSError) -> None:
    raise InputError(f"the folder cannot be read: {error.strerror}", file=error.filename)


def _read(files: Iterable[Path]) -> tuple[list[Volume], list[RejectedFile]]:
    """Sort the files into series, read each, and say why the others are not read."""
    volumes: list[Volume] = []
    reasons: dict[Path, str] = {}
    series: dict[tuple[str, ...], list[Slice]] = defaultdict(list)
    for file in files:
        try:
            for one in read_header(file):
                series[series_of(one)].append(one)
        except InputError as error:
            reasons[file] = error.advice
    spare = SPARE_BYTES
    for _, slices in sorted(series.items()):
        try:
            originals, copies = without_copies(slices)
            reasons |= copies
            slices, scouts = without_scouts(originals)
            reasons |= scouts
            spare -= _excess(slices, spare)
            volumes.append(_volume(slices, list(scouts)))
        except InputError as error:
            # One bad slice takes its series along: without it, the stack has a hole.
            files = {one.file for one in slices}
            for file in files:
                own = error.file in (None, file)
                reasons[file] = error.advice if own else f"its series is refused: {error}"
                if not slices[0].series and len(files) > 1:
                    reasons[file] = f"{UNNAMED}, and they are none ({reasons[file]}); name one file"
    return volumes, [RejectedFile(file=file, reason=reasons[file]) for file in sorted(reasons)]


def _excess(slices: Sequence[Slice], spare: int) -> int:
    """The bytes of HU beyond `MOST_RATIO` times those of the files.

    Raises:
        InputError: they are more than `spare`, or the slices more than a volume may hold.
    """
    rows, columns = slices[0].format.shape
    check_voxels(len(slices), slices[0].format)
    size = sum(_size(file) for file in {one.file for one in slices})
    excess = max(0, 2 * len(slices) * rows * columns - MOST_RATIO * size)
    if excess > spare:
        raise InputError(
            f"{size} bytes of files hold {len(slices)} slices of {rows} × {columns}, more than "
            f"{MOST_RATIO} times as many bytes"
        )
    return excess


def _size(file: Path) -> int:
    with named_errors(file):
        return size_of(file)


def _volume(slices: list[Slice], scouts: Sequence[Path]) -> Volume:
    stacked = stack(slices)
    ordered, first = stacked.slices, stacked.slices[0]
    height, width = first.format.shape
    hu, stored, turned = empty_in_display_order(
        (width, height, len(ordered)), stacked.affine, MOST_GANTRY if stacked.leans else MOST_TILT
    )
    trimmed = read_hu(ordered, stored.transpose(2, 1, 0))
    if first.normal[2] < 0:
        ordered = ordered[::-1]
    x, y, along = spacing_of(turned)
    spacing = (x, y, stacked.apart if stacked.leans else along)
    return Volume(
        hu=hu,
        spacing=spacing,
        source=_source({one.file for one in slices}),
        affine=turned,
        patient=first.patient,
        study=first.study,
        series=first.series,
        frame_of_reference=first.frame_of_reference,
        slices=tuple(
            SliceOrigin(
                file=one.file,
                frame=one.frame + 1,
                instance=one.instance,
                thickness=one.thickness or (spacing[2] if len(ordered) > 1 else None),
            )
            for one in ordered
        ),
        warnings=(*_warnings(stacked, scouts, trimmed), *_contradictions(ordered, spacing[2])),
    )


def _warnings(stacked: Stack, scouts: Sequence[Path], trimmed: int) -> Iterator[str]:
    """What had to be chosen or left out to read these slices."""
    ordered, first = stacked.slices, stacked.slices[0]
    files = {one.file for one in ordered}
    if not first.series and len(files) > 1:
        yield f"{UNNAMED}: {len(files)} that share patient, study and geometry"
    for scout in scouts:
        yield f"{scout.name} lies across the other slices: it is left out as a scout"
    if any(one.unit == "US" for one in ordered):
        yield "RescaleType is US, unspecified: the values are taken for HU"
    if trimmed:
        yield f"the bits above BitsStored say nothing in {trimmed} slices: they are left out"
    if len(ordered) == 1 and first.thickness is None:
        yield ("the lone slice has no SliceThickness: it is taken to be "
               f"{UNKNOWN_THICKNESS:g} mm thick")  # fmt: skip
    if stacked.leans:
        yield stacked.leans


def _contradictions(ordered: Sequence[Slice], distance: float) -> Iterator[str]:
    """What the files say of the distance of slices (mm) that is not theirs."""
    said = ordered[0].apart
    if len(ordered) > 1 and said and abs(said - distance) > MOST_UNEVEN * distance:
        yield (f"SpacingBetweenSlices is {said:g} mm, and the positions are {distance:.4g} mm "
               "apart: the positions count")  # fmt: skip


def _source(files: set[Path]) -> Path:
    """A file alone, or the innermost folder that holds them all."""
    return Path(os.path.commonpath(files if len(files) == 1 else [file.parent for file in files]))


def _counted(rejected: list[RejectedFile]) -> str:
    """The reasons with how often each is given, the most frequent first."""
    counts = Counter(one.reason for one in rejected)
    named = [f"{count} × {reason}" for reason, count in counts.most_common(5)]
    more = len(counts) - len(named)
    return "; ".join(named or ["the folder is empty"]) + (f"; {more} more" if more > 0 else "")
