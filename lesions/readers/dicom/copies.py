"""Files of one image: copies, or a slice that somebody put in another's place."""

from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from lesions.errors import InputError
from lesions.readers.dicom.header import Slice
from lesions.readers.dicom.pixels import hu_of


def without_copies(slices: Sequence[Slice]) -> tuple[list[Slice], dict[Path, str]]:
    """The slices of each image once, and why each further file of it is not taken.

    Files of one SOPInstanceUID and the same positions are said to be the same image. The first
    that can be read is taken; one that cannot be read costs nothing else.

    Raises:
        InputError: two of them differ in what they say of the image, or in their HU.
    """
    files: dict[Path, list[Slice]] = defaultdict(list)
    for one in slices:
        files[one.file].append(one)
    images: dict[Any, list[Path]] = defaultdict(list)
    for file, frames in sorted(files.items()):
        positions = (tuple(one.position) for one in frames)
        images[(frames[0].instance or file, *positions)].append(file)
    reasons: dict[Path, str] = {}
    for same in images.values():
        if len(same) > 1:
            reasons |= _further({file: files[file] for file in same})
    return [one for one in slices if one.file not in reasons], reasons


def _further(files: dict[Path, list[Slice]]) -> dict[Path, str]:
    """All files of one image but the one to be taken, and why."""
    read: dict[Path, list[Any]] = {}
    reasons: dict[Path, str] = {}
    for file, frames in files.items():
        try:
            read[file] = [*_said(frames), _fingerprint(frames)]
        except InputError as error:
            reasons[file] = error.advice
    if not read:  # one of them stands for the series' refusal
        return dict(list(reasons.items())[1:])
    original, *others = read
    for other in others:
        if read[other] != read[original]:
            raise InputError(
                f"{original} and {other} are said to be one image and differ",
                remedy="remove the one that is wrong",
            )
        reasons[other] = f"a copy of {original.name}"
    return reasons


def _said(frames: Sequence[Slice]) -> list[Any]:
    return [
        (one.patient, one.study, one.frame_of_reference, one.rescale, one.spacing, one.thickness,
         one.directions.tolist())
        for one in frames
    ]  # fmt: skip


def _fingerprint(frames: Sequence[Slice]) -> bytes:
    found = sha256(repr(frames[0].format.shape).encode())
    for hu, _ in hu_of(frames):
        found.update(hu.tobytes())
    return found.digest()
