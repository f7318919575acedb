"""NIfTI images and their human masks, paired by name: `batches.Batch` as well."""

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lesions.errors import InputError
from lesions.lesion import Lesion
from lesions.readers.deeplesion import Rejected
from lesions.readers.from_mask import lesions_from_mask
from lesions.readers.nifti import read_nifti

_NAMED = 3  # files that an error names


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One CT volume and its mask; every connected part of the mask is a lesion.

    Attributes:
        name: what the two files share: it stands for the patient.
        image, mask: the files.
        window: (low, high) HU of its lesions.
        label: the mask's value that is lesion; None takes all but 0 and 255 (uncertain).
    """

    name: str
    image: Path
    mask: Path
    window: tuple[float, float]
    label: int | None = None

    def read(self) -> Iterator[Lesion | Rejected]:
        """See `batches.Batch`."""
        try:
            volume, mask = read_nifti(self.image), read_nifti(self.mask)
            if self.label is not None:
                mask = replace(mask, hu=mask.hu == self.label)
            found = lesions_from_mask(volume, mask, window=self.window)
        except InputError as error:
            yield from self.aside(error.reason)
        except Exception as error:  # one file must not end a batch; its reason says what happened
            yield from self.aside(f"{type(error).__name__}: {error}")
        else:
            if not found:
                yield from self.aside("the human mask is empty")
            for lesion in found:
                # The two files share the name alone: each may be "ct.nii.gz" in its own folder.
                key_slice = lesion.file.rpartition("_")[2]
                yield replace(lesion, file=f"{self.name}_{key_slice}", patient=self.name)

    def aside(self, reason: str) -> list[Rejected]:
        """See `batches.Batch`."""
        return [Rejected(file=self.name, row=0, reason=reason)]


def nifti_pairs(
    images: str, masks: str, window: tuple[float, float], label: int | None = None
) -> list[Pair]:
    """Pair the files of two patterns with one `*` each: what it stands for must be the same.

    `imagesTr/*_0000.nii.gz` and `labelsTr/*.nii.gz` pair `imagesTr/a_0000.nii.gz` with
    `labelsTr/a.nii.gz`.

    Args:
        images: the CTs' paths.
        masks: the masks' paths.
        window: (low, high) HU.
        label: see `Pair`.

    Raises:
        InputError: a pattern without exactly one `*`, one that no file matches, or files without
            a partner, with their names.
    """
    found, theirs = _matches(images), _matches(masks)
    for here, there, kind in ((found, theirs, "mask"), (theirs, found, "image")):
        alone = [str(path) for name, path in here.items() if name not in there]
        if alone:
            more = f" and {len(alone) - _NAMED} more" if len(alone) > _NAMED else ""
            raise InputError(
                f"no {kind} for {', '.join(alone[:_NAMED])}{more}",
                remedy="what * stands for must be the same in both patterns",
            )
    return [
        Pair(name=name, image=found[name], mask=theirs[name], window=window, label=label)
        for name in sorted(found)
    ]


def _matches(pattern: str) -> dict[str, Path]:
    """Each file that matches, by what `*` stands for."""
    path = os.path.abspath(Path(pattern).expanduser())
    if path.count("*") != 1:
        raise InputError(
            f"the pattern {pattern!r} does not have exactly one *",
            remedy="name the files as in 'ct/*_ct.nii.gz', in quotes",
        )
    start, end = path.split("*")
    files = sorted(glob.glob(f"{glob.escape(start)}*{glob.escape(end)}"))
    if not files:
        raise InputError(f"no file matches {pattern!r}")
    return {file[len(start) : len(file) - len(end)]: Path(file) for file in files}
